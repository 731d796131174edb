//! What the relay's caps cost in memory, all of them at once. Beside that, each connection that is passed on to the signaling
//! server has its TLS here; on a small host fewer are.
//!
//! The costs were measured, and rounded up.

use crate::limits::Limits;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a host has for the relay, in bytes, by the table in docs/host.md and the limits of the signaling server.
pub const RELAY: usize = 88 * MIB;
/// The share of the host's memory that the relay's unit may have, in percent: `MemoryMax` in `peersync-relay.service`.
pub const UNIT_PERCENT: usize = 50;

/// The relay without a client; `cargo xtask bench signal -- --parts host` measures it.
const EMPTY: usize = 5 * MIB;
/// An allocation; `cargo xtask bench relay` measures 938 bytes.
const ALLOCATION: usize = KIB;
/// What the kernel takes for the sockets of connections, for each allocation: two of them share one connection.
const SOCKET: usize = 2 * KIB;
/// A connection with its TLS and 4 KB of a record of which a part is missing, without what waits for it and what is held of a
/// message: 15.8 KB were measured.
const CONNECTION: usize = 16 * KIB;
/// A connection that has not shown what it is, and its socket. 12.9 KB were measured after a ClientHello, to which 4 KB come with
/// a part of what follows.
const UNDECIDED: usize = 21 * KIB;
/// A connection that is passed on, with 4 KB of a record of which a part is missing, for which 15.3 KB were measured, and its two
/// sockets.
const PASSED: usize = 24 * KIB;
/// The number of connections that are passed on even if the host has too little memory.
const LEAST: usize = 100;

/// Returns what everything costs if every cap is reached at the same time, without what is passed on, in bytes.
pub fn all(limits: &Limits) -> usize {
    EMPTY
        + limits.allocations * (ALLOCATION + SOCKET)
        + limits.connections * (CONNECTION + limits.message_bytes + limits.queued_least)
        + limits.queued_bytes
        + limits.undecided * UNDECIDED
        + limits.unfinished_bytes
}

/// Returns limits for a host with this many bytes of memory: with as many connections that are passed on as the unit has room
/// for beside everything else.
pub fn fit(limits: Limits, memory: usize) -> Limits {
    let left = (memory / 100 * UNIT_PERCENT).saturating_sub(all(&limits));
    Limits { passed: limits.passed.min((left / PASSED).max(LEAST)), ..limits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_caps_together_fit_into_the_memory_that_the_host_has_for_the_relay() {
        let all = all(&Limits::default());
        assert!(all <= RELAY, "{all} bytes");
    }

    #[test]
    fn every_bound_of_memory_is_in_the_sum() {
        let limits = Limits::default();
        for larger in [
            Limits { allocations: limits.allocations + 1, ..limits.clone() },
            Limits { connections: limits.connections + 1, ..limits.clone() },
            Limits { message_bytes: limits.message_bytes + 1, ..limits.clone() },
            Limits { queued_least: limits.queued_least + 1, ..limits.clone() },
            Limits { queued_bytes: limits.queued_bytes + 1, ..limits.clone() },
            Limits { undecided: limits.undecided + 1, ..limits.clone() },
            Limits { unfinished_bytes: limits.unfinished_bytes + 1, ..limits.clone() },
        ] {
            assert!(all(&larger) > all(&limits), "{larger:?}");
        }
        // A hundred connections can have a part of the largest record at the same time.
        assert!(limits.unfinished_bytes >= 100 * 24 * KIB);
    }

    #[test]
    fn one_connection_may_fill_its_queue() {
        let limits = Limits::default();
        // Each packet counts twice, and what it takes beside its bytes.
        assert!(limits.queue * (2 * 1200 + 64) <= limits.queued_bytes / 9, "{limits:?}");
    }

    #[test]
    fn nano_passes_on_5000_connections_beside_everything_else() {
        // The memory that a t4g.nano has for programs.
        let nano = 106_727 * 4 * KIB;
        let passed = fit(Limits::default(), nano).passed;
        assert!(passed >= 5000, "{passed}");
        assert!(all(&Limits::default()) + passed * PASSED <= nano / 2);
        assert_eq!(fit(Limits::default(), 1 << 32).passed, Limits::default().passed);
        assert_eq!(fit(Limits::default(), 64 * MIB).passed, LEAST);
    }
}
