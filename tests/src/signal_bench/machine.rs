//! The limits of the machine, which on many machines are lower than the benchmark needs.

use super::load::ACTIVE;

/// Open files of a process that are no connections of clients: its listener, epoll, pipes, standard streams.
const OTHER_FILES: usize = 60;

/// The limits of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// The number of processors.
    pub cores: usize,
    /// The limit of open files of one process, after it was raised to the hard limit.
    pub files: usize,
}

impl Machine {
    /// Raises the limit of open files for `connections` idle clients, for this process and those that it starts.
    pub fn prepare(connections: usize) -> Self {
        let wanted = (connections + ACTIVE + OTHER_FILES) as u64;
        let files = rlimit::increase_nofile_limit(wanted).unwrap_or(1024);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            files: usize::try_from(files).unwrap_or(usize::MAX),
        }
    }

    /// Returns the number of idle connections that it allows to one relay, an even number.
    pub fn connections(&self) -> usize {
        self.files.saturating_sub(ACTIVE + OTHER_FILES) & !1
    }

    /// For the reader of the numbers.
    pub fn describe(&self, wanted: usize) -> String {
        let Self { cores, files } = self;
        let mut text = format!(
            "{cores} cores; the relay and the load, a process each, share them and are not pinned. Loopback, no TLS."
        );
        if self.connections() < wanted {
            let allowed = self.connections();
            text += &format!(
                "\nA process may have {files} open files here (hard limit): {allowed} idle connections beside the \
                 {ACTIVE} that send, instead of {wanted}."
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_low_limit_is_reported() {
        let machine = |files| Machine { cores: 2, files };
        assert!(!machine(30_000).describe(20_000).contains("hard limit"));
        assert_eq!(machine(20_000).connections(), 19_740);
        let text = machine(20_000).describe(20_000);
        assert!(text.contains("20000 open files") && text.contains("19740 idle connections"), "{text}");
        assert_eq!(machine(100).connections(), 0);
    }
}
