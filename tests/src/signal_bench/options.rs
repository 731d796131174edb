//! Selects what is measured: everything, or the parts and relays that the command line names.

use std::path::PathBuf;
use std::time::Duration;

use super::relays::Kind;

/// What the command line can select.
pub const USAGE: &str = "\
cargo xtask bench signal [-- OPTIONS]
  --only RELAYS       of ours, bare, fastapi, peerserver, matchbox; with commas between them
  --parts PARTS       of idle, relay, drain, move, states, host; with commas between them
  --connections N     idle connections at most (default 20000)
  --seconds N         of each measurement under load (default 5)
  --matchbox PATH     the program matchbox_server, where it is not below the target folder or on the PATH";

/// What is measured of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Memory of idle connections, and how fast they are accepted.
    Idle,
    /// Messages per second, and latency at half of that.
    Relay,
    /// The shutdown of our server.
    Drain,
    /// The move of its clients to the next one.
    Move,
    /// Memory of our server's connections in every state.
    States,
    /// Memory of a small host with 5,000 idle people and the relay.
    Host,
}

/// The command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// The relays, ours first.
    pub relays: Vec<Kind>,
    /// What is measured of them.
    pub parts: Vec<Part>,
    /// The maximum number of idle connections.
    pub connections: usize,
    /// The duration of each measurement under load.
    pub time: Duration,
    /// The path of `matchbox_server`.
    pub matchbox: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            relays: Kind::ALL.to_vec(),
            parts: vec![Part::Idle, Part::Relay, Part::Drain, Part::Move, Part::States, Part::Host],
            connections: 20_000,
            time: Duration::from_secs(5),
            matchbox: None,
        }
    }
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// If a name is unknown; the text lists the known ones.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| wrong(&name, "a value is missing"))?;
            let number = || value.parse().map_err(|_| wrong(&name, "that is no number"));
            match name.as_str() {
                "--only" => options.relays = list(&name, &value, &Kind::ALL, Kind::key)?,
                "--parts" => options.parts = list(&name, &value, &options.parts, Part::key)?,
                "--connections" => options.connections = number()?,
                "--seconds" => options.time = Duration::from_secs(u64::try_from(number()?).unwrap_or(u64::MAX).max(1)),
                "--matchbox" => options.matchbox = Some(value.into()),
                _ => return Err(wrong(&name, "that is unknown")),
            }
        }
        Ok(options)
    }

    /// Returns whether this part is selected.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

impl Part {
    fn key(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Relay => "relay",
            Self::Drain => "drain",
            Self::Move => "move",
            Self::States => "states",
            Self::Host => "host",
        }
    }
}

fn wrong(name: &str, what: &str) -> String {
    format!("{name}: {what}\n{USAGE}")
}

/// Returns the named items of `all`, in the order of `all`.
fn list<T: Copy>(name: &str, value: &str, all: &[T], key: impl Fn(T) -> &'static str) -> Result<Vec<T>, String> {
    if let Some(unknown) = value.split(',').find(|word| !all.iter().any(|known| key(*known) == *word)) {
        return Err(wrong(name, &format!("{unknown} is unknown")));
    }
    Ok(all.iter().copied().filter(|known| value.split(',').any(|word| word == key(*known))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn everything_is_measured_by_default() {
        let all = read("").expect("nothing is fine");
        assert_eq!((all.relays.len(), all.parts.len(), all.connections), (5, 6, 20_000));
        let some = read("--only bare,ours --parts relay --seconds 2 --connections 500").expect("all of it is known");
        assert_eq!((some.relays, some.parts), (vec![Kind::Ours, Kind::Bare], vec![Part::Relay]));
        assert_eq!((some.time, some.connections), (Duration::from_secs(2), 500));
    }

    #[test]
    fn unknown_names_are_reported() {
        for (line, what) in [
            ("--only ours,theirs", "--only: theirs is unknown"),
            ("--parts", "--parts: a value is missing"),
            ("--quick yes", "--quick: that is unknown"),
            ("--seconds soon", "--seconds: that is no number"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.starts_with(what) && error.contains("--matchbox PATH"), "{error}");
        }
    }
}
