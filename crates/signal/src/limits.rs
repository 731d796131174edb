//! Every bound and duration of the signaling server in one place, so that tests can change them.

use std::time::Duration;

/// The limits of one client, one address and the whole server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The timeout from the upgrade to the client's `hello`. A satellite or a busy phone network needs 2 to 3 s for a
    /// round trip, and as much again if a packet is lost.
    pub hello: Duration,
    /// The interval between pings of the server, also sent in `welcome` (LiveKit, Galene: 10 s).
    pub heartbeat: Duration,
    /// A connection without any frame from the client for this long is dead.
    pub dead: Duration,
    /// How long a write may block before the client counts as too slow.
    pub write: Duration,
    /// How long a session without a connection can be resumed.
    pub resume: Duration,
    /// The duration of a ring.
    pub ring: Duration,
    /// The interval at which deadlines of sessions and rings are checked and the heartbeat's wheel turns.
    pub tick: Duration,
    /// The maximum size of a message in bytes. Larger ones are refused before they are buffered. Offers have 8 to 13
    /// KB.
    pub message_bytes: usize,
    /// The maximum number of messages that wait for one client.
    pub queue_messages: usize,
    /// The maximum number of bytes that wait for one client.
    pub queue_bytes: usize,
    /// The maximum number of written bytes that are kept for a resume until a pong confirms that they arrived.
    pub kept_bytes: usize,
    /// The maximum number of bytes that wait or are kept for all clients together.
    pub all_queues_bytes: usize,
    /// The number of messages that a client may send at once. Trickle ICE comes in bursts.
    pub burst: u32,
    /// The interval between messages after the burst.
    pub pace: Duration,
    /// The number of messages above the rate that are dropped before the connection is closed.
    pub flood: u32,
    /// The maximum number of WebSocket connections, including those before their `hello`.
    pub connections: usize,
    /// The number of additional connections that are not a WebSocket, or not yet. Further ones wait in the kernel.
    pub spare_connections: usize,
    /// The maximum number of sessions, including those that wait to be resumed.
    pub sessions: usize,
    /// The maximum number of sessions of one user: tabs and devices.
    pub sessions_per_user: usize,
    /// The maximum number of connections from one address: an IPv4 address, or an IPv6 network of 64 bits. Loopback is
    /// not counted.
    pub per_address: usize,
    /// The maximum number of connections from one address before their `hello`; then the oldest gives way.
    pub greeting_per_address: usize,
    /// The maximum number of connections before their `hello`; then the oldest gives way. After a restart all clients
    /// come back within seconds, and each needs a round trip.
    pub greeting: usize,
    /// The maximum number of people who wait outside a locked room.
    pub knocking: usize,
    /// The maximum number of friends that one session rings at the same time.
    pub rings_from: usize,
    /// The maximum number of rings for one user at the same time.
    pub rings_to: usize,
    /// The timeout of a look-up in DynamoDB.
    pub directory: Duration,
    /// How long a result of DynamoDB is cached.
    pub directory_cache: Duration,
    /// How long look-ups fail at once after a failure: those of one user if the failure may be due to what was looked
    /// up, those of everybody if DynamoDB is unreachable.
    pub directory_retry: Duration,
    /// The maximum number of concurrent look-ups.
    pub lookups: usize,
    /// The maximum number of concurrent look-ups for one user. Further ones wait.
    pub lookups_per_user: usize,
    /// How long it is known that an account is signed in. Something withdrawn is noticed sooner.
    pub account_cache: Duration,
    /// The interval at which the server reads what was withdrawn, as long as it has sessions. It must end within 5 s;
    /// the look-ups add up to 3 s if they are slow. Each read costs 4 or 5 units of DynamoDB, one for each ten seconds of
    /// notices: 5.5 million a month if somebody is always online, 0.70 USD on demand in us-east-1.
    pub notices: Duration,
    /// The maximum number of friends of a user whose presence is tracked.
    pub friends: usize,
    /// The time over which the closes of a drain are spread.
    pub drain: Duration,
    /// The timeout of a drain.
    pub drain_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            heartbeat: Duration::from_secs(10),
            dead: Duration::from_secs(30),
            write: Duration::from_secs(5),
            resume: Duration::from_secs(30),
            ring: Duration::from_secs(45),
            tick: Duration::from_millis(250),
            message_bytes: 64 * 1024,
            queue_messages: 1024,
            queue_bytes: 512 * 1024,
            kept_bytes: 256 * 1024,
            all_queues_bytes: 256 * 1024 * 1024,
            burst: 100,
            pace: Duration::from_millis(100),
            flood: 100,
            connections: 50_000,
            spare_connections: 1024,
            sessions: 100_000,
            sessions_per_user: 20,
            per_address: 200,
            greeting_per_address: 32,
            greeting: 5000,
            knocking: 8,
            rings_from: 4,
            rings_to: 8,
            directory: Duration::from_millis(1500),
            directory_cache: Duration::from_secs(5),
            directory_retry: Duration::from_secs(2),
            lookups: 256,
            lookups_per_user: 2,
            account_cache: Duration::from_secs(2),
            notices: Duration::from_secs(2),
            friends: 1000,
            drain: Duration::from_secs(4),
            drain_deadline: Duration::from_secs(8),
        }
    }
}
