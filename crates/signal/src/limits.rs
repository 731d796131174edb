//! Every bound and every time of the signaling server in one place, so that tests can shorten them.

use std::time::Duration;

/// What one client, one address and the whole server may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the upgrade to the client's `hello` (Nextcloud's signaling: 2 s).
    pub hello: Duration,
    /// Between two pings of the server; also what `welcome` tells the client (LiveKit, Galene: 10 s).
    pub heartbeat: Duration,
    /// Without any frame from the client for this long, the connection is dead.
    pub dead: Duration,
    /// How long the kernel may refuse our bytes before the reader counts as too slow.
    pub write: Duration,
    /// How long a session outlives its connection.
    pub resume: Duration,
    /// How long it rings.
    pub ring: Duration,
    /// How often deadlines of sessions and rings are looked at, and the share of the heartbeat's wheel.
    pub tick: Duration,
    /// Largest message in bytes; larger ones are refused before they are buffered. Offers have 8 to 13 KB.
    pub message_bytes: usize,
    /// Messages that may wait for one client.
    pub queue_messages: usize,
    /// Bytes that may wait for one client.
    pub queue_bytes: usize,
    /// Bytes that were written and are kept for a resume until a pong shows that they arrived.
    pub kept_bytes: usize,
    /// Bytes that may wait or be kept for all clients together.
    pub all_queues_bytes: usize,
    /// Messages that a client may send at once; trickle ICE comes in bursts.
    pub burst: u32,
    /// The pace after the burst: one message in this time.
    pub pace: Duration,
    /// Messages beyond the pace that are refused one by one before the connection is closed.
    pub flood: u32,
    /// WebSocket connections at once, those before their `hello` included.
    pub connections: usize,
    /// Connections beside these that are no WebSocket, or not yet. Who comes when all are taken waits in the kernel.
    pub spare_connections: usize,
    /// Sessions at once, those that wait to be resumed included.
    pub sessions: usize,
    /// Sessions of one user: tabs and devices.
    pub sessions_per_user: usize,
    /// Connections from one address: an IPv4 address, or the /64 of an IPv6 address. Loopback is not counted.
    pub per_address: usize,
    /// Connections from one address that have not said `hello` yet.
    pub greeting_per_address: usize,
    /// People who may wait outside a locked room.
    pub knocking: usize,
    /// Friends whom one session may ring at the same time.
    pub rings_from: usize,
    /// Rings that may reach one user at the same time.
    pub rings_to: usize,
    /// Patience with DynamoDB for one look-up.
    pub directory: Duration,
    /// How long an answer of DynamoDB is believed.
    pub directory_cache: Duration,
    /// After a failure DynamoDB is left alone for this long, and look-ups fail at once.
    pub directory_retry: Duration,
    /// Friends of a user whose presence is told.
    pub friends: usize,
    /// The goodbyes of a drain are spread over this time.
    pub drain: Duration,
    /// When a drain ends although somebody is left.
    pub drain_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(2),
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
            knocking: 8,
            rings_from: 4,
            rings_to: 8,
            directory: Duration::from_millis(1500),
            directory_cache: Duration::from_secs(5),
            directory_retry: Duration::from_secs(2),
            friends: 1000,
            drain: Duration::from_secs(4),
            drain_deadline: Duration::from_secs(8),
        }
    }
}
