//! What the server's caps cost in memory, all of them at once: no more than a t3.micro has left for it. On a smaller host the
//! caps are smaller.
//!
//! The costs are those that `cargo xtask bench signal` measures, rounded up. It fails if one of them is exceeded.

use crate::limits::Limits;
use crate::pacing;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What Amazon Linux 2023 with its services takes of a host's memory, in bytes.
pub const SYSTEM: usize = 130 * MIB;
/// What the agents for logs and sessions take, in bytes.
pub const AGENTS: usize = 110 * MIB;
/// What the relay or the tunnel takes, in bytes. No host has both.
pub const RELAY: usize = 88 * MIB;
/// What all others take of a host's memory, in bytes.
const OTHERS: usize = SYSTEM + AGENTS + RELAY;
/// How much of that the system may move to a swap file, in bytes: half of the system and the agents, which are idle. It does
/// so only if the server has reached several of its caps.
const SWAPPED: usize = (SYSTEM + AGENTS) / 2;
/// What the server may use of the 1 GiB of a t3.micro, in bytes. Amazon Linux 2023 has 916 MiB of it for programs.
pub const BUDGET: usize = 916 * MIB - OTHERS;
/// The memory of a t3.nano or t4g.nano that is left for programs, of 512 MiB: 106,727 pages (github.com/aws/amazon-ssm-agent,
/// issue 615).
pub const NANO: usize = 106_727 * 4 * KIB;
/// The swap file of such a host: `peersync-swap.service`.
pub const NANO_SWAP: usize = 512 * MIB;

/// What the empty server takes, in bytes.
const EMPTY: usize = 14 * MIB;
/// What the records of knocks, rings and look-ups take, in bytes.
const RECORDS: usize = pacing::MAX_KEYS * pacing::KINDS * 160;
/// The share that is left of each cap on the smallest host, in thousandths. It may be too much there.
const LEAST: usize = 20;

/// What the kernel needs for one TCP connection without its buffers, in bytes.
pub const SOCKET: usize = 4600;
/// What a session costs, with its connection and its place in a room, at a door or in a ring, in bytes.
const SESSION: usize = 4400;
/// What a user costs beyond that: the record of the sessions, and what is cached of the database.
const USER: usize = 1500;
/// What an address in a list of friends costs.
const FRIEND: usize = 120;
/// What a ring costs.
const RING: usize = 600;
/// The bytes that one sender sends to one receiver for the measurement of queues.
pub const QUEUED: usize = 120_000;
/// The size of one signal for that.
pub const QUEUED_SIGNAL: usize = 12_000;
/// How much more memory a queue takes than the bytes in it, in percent: room to grow, and what the allocator cannot use.
const QUEUE_PERCENT: usize = 110;
/// How much more a message that is incomplete takes than what is counted, in percent.
const PARTIAL_PERCENT: usize = 110;
/// How much more the kernel takes for the bytes of a queue that it was given, in percent.
const KERNEL_PERCENT: usize = 140;
/// The bytes that are counted for the largest incomplete message: its buffer grows by halves.
const LARGEST_PARTIAL: usize = 96 * KIB;

/// A state that the benchmark brings connections into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A guest outside of a room.
    Outside,
    /// A member of a room in which nobody else is.
    Alone,
    /// A member of a room of four.
    FullRoom,
    /// A member of a locked room, and somebody who knocks.
    Knocking,
    /// A user who rings a friend.
    Ringing,
    /// A member whose connection is gone.
    Lost,
    /// After the upgrade.
    BeforeHello,
    /// With a part of the largest `hello`.
    HalfHello,
    /// With a part of the largest request head.
    HalfRequest,
    /// With a part of the largest frame.
    HalfFrame,
    /// With a part of a message in fragments.
    HalfMessage,
    /// A lost session with as much in its queue as one sender may send, and the sender.
    Queued,
}

impl State {
    /// All states, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::HalfRequest,
        Self::BeforeHello,
        Self::HalfHello,
        Self::Outside,
        Self::Alone,
        Self::FullRoom,
        Self::Knocking,
        Self::Ringing,
        Self::Lost,
        Self::HalfFrame,
        Self::HalfMessage,
        Self::Queued,
    ];

    /// Returns its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outside => "in no room",
            Self::Alone => "alone in a room",
            Self::FullRoom => "in a full room",
            Self::Knocking => "a member and somebody who knocks",
            Self::Ringing => "ringing",
            Self::Lost => "lost, can be resumed",
            Self::BeforeHello => "upgraded, without hello",
            Self::HalfHello => "upgraded, with a part of hello",
            Self::HalfRequest => "a part of a request",
            Self::HalfFrame => "a part of a frame, 65 kB",
            Self::HalfMessage => "a part of a message, 60 kB",
            Self::Queued => "lost with 120 kB in its queue, and the sender",
        }
    }

    /// Returns what one connection in this state may cost the process, in bytes: what the sum below assumes.
    pub fn at_most(self) -> usize {
        match self {
            Self::Outside | Self::Alone | Self::FullRoom | Self::Lost => SESSION,
            Self::Knocking => 2 * SESSION,
            Self::Ringing => SESSION + USER + RING,
            Self::BeforeHello => 2800,
            Self::HalfHello => 12_000,
            Self::HalfRequest => 26_000,
            Self::HalfFrame | Self::HalfMessage => SESSION + percent(LARGEST_PARTIAL, PARTIAL_PERCENT),
            Self::Queued => 2 * SESSION + percent(QUEUED, QUEUE_PERCENT),
        }
    }
}

/// One kind of what the server keeps, at its cap.
#[derive(Debug)]
pub struct Cap {
    /// Its name in the table.
    pub name: &'static str,
    /// The maximum number of it.
    pub most: usize,
    /// What all of it costs, in bytes.
    pub bytes: usize,
}

/// Returns what everything costs if every cap is reached at the same time.
pub fn caps(limits: &Limits) -> Vec<Cap> {
    let each = |name, most, bytes: usize| Cap { name, most, bytes: most * bytes };
    let counted = |name, most, percents| Cap { name, most, bytes: percent(most, percents) };
    // What the server itself sends comes on top by a quarter, see `Bounds`.
    let queues = limits.all_queues_bytes + limits.all_queues_bytes / 4;
    vec![
        each("the empty server", 1, EMPTY),
        each("parts of requests", limits.spare_connections, State::HalfRequest.at_most() + SOCKET),
        each("connections without hello", limits.greeting, State::HalfHello.at_most() + SOCKET),
        each("sessions", limits.sessions, SESSION + SOCKET),
        each("users", limits.sessions, USER),
        each("rings", limits.sessions * limits.rings_from, RING),
        counted("bytes in queues", queues, QUEUE_PERCENT),
        counted("the same bytes at the kernel", queues, KERNEL_PERCENT),
        counted("bytes of incomplete messages", limits.partial_bytes, PARTIAL_PERCENT),
        Cap { name: "records of knocks, rings and look-ups", most: pacing::MAX_KEYS * pacing::KINDS, bytes: RECORDS },
        each("friends whose presence is tracked", limits.all_friends, FRIEND),
        each("cached accounts, pairs and rooms", 3 * limits.cached.0, 250),
        each("cached friends", limits.cached.1, FRIEND),
        each("used tickets", limits.used_tickets, 130),
        each("used re-entries", limits.used_reentries, 130),
    ]
}

/// Returns the sum of all caps, in bytes.
pub fn all(limits: &Limits) -> usize {
    caps(limits).iter().map(|cap| cap.bytes).sum()
}

/// Returns what the server may use on a host with this much memory and swap, in bytes.
pub fn budget(memory: usize, swap: usize) -> usize {
    (memory + swap.min(SWAPPED)).saturating_sub(OTHERS)
}

/// Returns what this many idle people cost, signed in and in no room, with the empty server and the kernel's part, in bytes.
pub fn idle(people: usize) -> usize {
    EMPTY + people * (SESSION + USER + SOCKET)
}

/// Returns limits that fit into this many bytes: the same if they do, otherwise with all caps of memory smaller in
/// proportion.
pub fn fit(limits: Limits, budget: usize) -> Limits {
    let needed = all(&limits);
    if needed <= budget {
        return limits;
    }
    let fixed = EMPTY + RECORDS;
    let share = (budget.saturating_sub(fixed) * 1000 / (needed - fixed)).max(LEAST);
    let part = |most: usize| (most * share / 1000).max(1);
    let mut senders = limits.senders.clone();
    senders.network_in_all_queues = part(senders.network_in_all_queues);
    Limits {
        spare_connections: part(limits.spare_connections),
        connections: part(limits.connections),
        greeting: part(limits.greeting),
        greeting_per_address: part(limits.greeting_per_address).max(8),
        sessions: part(limits.sessions),
        per_address: part(limits.per_address).max(32),
        all_queues_bytes: part(limits.all_queues_bytes),
        partial_bytes: part(limits.partial_bytes).max(4 * LARGEST_PARTIAL),
        all_friends: part(limits.all_friends),
        cached: (part(limits.cached.0), part(limits.cached.1)),
        used_tickets: part(limits.used_tickets),
        used_reentries: part(limits.used_reentries),
        senders,
        ..limits
    }
}

const fn percent(bytes: usize, percent: usize) -> usize {
    bytes / 100 * percent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_caps_together_fit_into_a_t3_micro() {
        let limits = Limits::default();
        let table: Vec<_> = caps(&limits).iter().map(|cap| format!("{}: {} MiB", cap.name, cap.bytes / MIB)).collect();
        assert!(all(&limits) <= BUDGET, "{} of {} MiB: {table:#?}", all(&limits) / MIB, BUDGET / MIB);
    }

    #[test]
    fn every_bound_of_memory_is_in_the_sum() {
        let limits = Limits::default();
        for larger in [
            Limits { spare_connections: limits.spare_connections + 1, ..limits.clone() },
            Limits { greeting: limits.greeting + 1, ..limits.clone() },
            Limits { sessions: limits.sessions + 1, ..limits.clone() },
            Limits { rings_from: limits.rings_from + 1, ..limits.clone() },
            Limits { all_queues_bytes: limits.all_queues_bytes + KIB, ..limits.clone() },
            Limits { partial_bytes: limits.partial_bytes + KIB, ..limits.clone() },
            Limits { all_friends: limits.all_friends + 1, ..limits.clone() },
            Limits { cached: (limits.cached.0 + 1, limits.cached.1), ..limits.clone() },
            Limits { cached: (limits.cached.0, limits.cached.1 + 1), ..limits.clone() },
            Limits { used_tickets: limits.used_tickets + 1, ..limits.clone() },
            Limits { used_reentries: limits.used_reentries + 1, ..limits.clone() },
        ] {
            assert!(all(&larger) > all(&limits), "{larger:?}");
        }
        assert!(limits.connections >= limits.sessions + limits.greeting, "everybody can say hello");
        assert!(limits.senders.of_all.1 < limits.kept_bytes && limits.senders.of_all.1 < limits.queue_bytes);
    }

    #[test]
    fn caps_follow_the_memory_of_the_host() {
        let on = |memory: usize, swap: usize| {
            let budget = budget(memory, swap);
            (fit(Limits::default(), budget), budget)
        };
        for mib in [916, 1900, 64_000] {
            assert_eq!(on(mib * MIB, 0).0.sessions, Limits::default().sessions, "{mib} MiB");
        }
        for (swap, sessions) in [(0, 1500..3500), (NANO_SWAP, 5000..8000)] {
            let (nano, budget) = on(NANO, swap);
            assert!(all(&nano) <= budget, "{} of {budget}", all(&nano));
            assert!(sessions.contains(&nano.sessions), "{nano:?}");
            assert!(nano.connections >= nano.sessions + nano.greeting, "everybody can say hello");
            assert!(nano.per_address < nano.sessions / 4 && nano.greeting_per_address < nano.greeting / 4, "{nano:?}");
        }
        // So small that nothing fits, it serves a few.
        assert!(on(100 * MIB, 0).0.sessions > 100);
    }

    #[test]
    fn nano_holds_5000_idle_people_and_the_relay_without_its_swap_file() {
        let admitted = fit(Limits::default(), budget(NANO, NANO_SWAP)).sessions;
        assert!(admitted >= 5000, "{admitted}");
        assert!(OTHERS + idle(admitted) <= NANO, "{} of {} MiB", (OTHERS + idle(admitted)) / MIB, NANO / MIB);
    }
}
