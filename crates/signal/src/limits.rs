//! Every bound and duration of the signaling server in one place, so that tests can change them.

use std::time::Duration;

/// What clients may have on its way to one other client: sent, and not confirmed by a pong. Beyond it the sender is
/// refused; the receiver stays. Each is a number of messages and of bytes.
///
/// A call needs an offer or answer of 8 to 13 KB and some 40 candidates of 300 bytes to each other member; with the
/// repetitions after 4 and 15 s that is 64 KB on a line that stands still. One sender, or seven guests of one office, keep
/// below their shares. Whatever attackers send, `queue_messages` and `queue_bytes` leave the server's own messages 256
/// messages and 64 KiB, and every other member of a room its share.
#[derive(Clone, Debug)]
pub struct SenderLimits {
    /// From one session: two of the largest messages.
    pub of_session: (usize, usize),
    /// From all sessions of one network: half of the place, so that coming again with new sessions does not take all.
    pub of_network: (usize, usize),
    /// From all.
    pub of_all: (usize, usize),
    /// The bytes that one network may have on their way to all clients together, once more than half of
    /// `all_queues_bytes` is in use: a twelfth. So 12 addresses can use up the memory for signals; then each client still
    /// gets 16 KiB of them at a time, an offer and its candidates.
    pub network_in_all_queues: usize,
}

/// How often something may happen: `burst` times at once, then once in `every`.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The number of times at once.
    pub burst: u32,
    /// The interval after that.
    pub every: Duration,
}

/// The limits of one client, one address and the whole server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The timeout for a complete request head, however slowly its bytes come.
    pub head: Duration,
    /// The timeout from the upgrade to the client's `hello`. A satellite or a busy phone network needs 2 to 3 s for a
    /// round trip, and as much again if a packet is lost.
    pub hello: Duration,
    /// The interval between pings of the server, also sent in `welcome` (LiveKit, Galene: 10 s).
    pub heartbeat: Duration,
    /// A connection without any frame from the client for this long is dead.
    pub dead: Duration,
    /// How long a write may block before the client counts as too slow. As long as a silent line lives, since memory is
    /// bounded by what senders may send.
    pub write: Duration,
    /// How long a session without a connection can be resumed.
    pub resume: Duration,
    /// The age at which a connected client gets another re-entry: well before that of before expires.
    pub reentry: Duration,
    /// The duration of a ring.
    pub ring: Duration,
    /// The interval at which deadlines of sessions and rings are checked and the heartbeat's wheel turns.
    pub tick: Duration,
    /// The maximum size of a message in bytes. Larger ones are refused before they are buffered. Offers have 8 to 13
    /// KB.
    pub message_bytes: usize,
    /// The maximum size of `hello` in bytes: a ticket has up to 4096.
    pub hello_bytes: usize,
    /// How long a frame or message may be incomplete. The largest takes 9 s with 56 kbit/s.
    pub partial: Duration,
    /// The maximum number of bytes that incomplete frames and messages of all connections take. Beyond it, the connection
    /// that holds most of the network that holds most is closed; its session can be resumed.
    ///
    /// One address can hold all of it while nobody else needs it, with 250 messages, each for 20 s. A hundred and ten thousand
    /// can do no more. A victim holds up to 98 KB for as long as its line takes, less than any network that could fill the
    /// place; 100 such victims behind one address do too.
    pub partial_bytes: usize,
    /// The maximum number of messages that wait for one client.
    pub queue_messages: usize,
    /// The maximum number of bytes that wait for one client.
    pub queue_bytes: usize,
    /// The maximum number of written bytes that are kept for a resume until a pong confirms that they arrived. More than
    /// all senders may send, so that nobody costs a client its resume.
    pub kept_bytes: usize,
    /// The maximum number of bytes that wait or are kept for all clients together.
    pub all_queues_bytes: usize,
    /// The shares of those who send.
    pub senders: SenderLimits,
    /// The number of messages that a client may send at once. Trickle ICE comes in bursts.
    pub burst: u32,
    /// The interval between messages after the burst.
    pub pace: Duration,
    /// The number of messages above the rate that are dropped before the connection is closed.
    pub flood: u32,
    /// The maximum number of WebSocket connections, including those before their `hello`; beyond it one of these gives way.
    pub connections: usize,
    /// The number of additional connections that are not a WebSocket, or not yet: half a request, for example. Beyond it
    /// the oldest gives way. A request comes in one packet, so only silent ones are displaced unless 1,000 come at once.
    pub spare_connections: usize,
    /// The maximum number of sessions, including those that wait to be resumed. Less than `connections`, so that everybody
    /// can say `hello`.
    ///
    /// When all are in use, a session of a guest gives way: outside of a room rather than inside, and of the network that has
    /// most. So a user always gets in, and a guest unless everybody else comes from as few; users give way to nobody. Ten
    /// thousand addresses with two guests each do not keep anybody out. To do that it would take 800 user accounts,
    /// since each has 20 sessions, and each needs a mailbox.
    pub sessions: usize,
    /// The maximum number of sessions of one user: tabs and devices.
    pub sessions_per_user: usize,
    /// The maximum number of connections from one IPv4 address, or from one IPv6 network of 48 bits; three quarters of it
    /// from one of 56 bits within that, half of it from one of 64 bits. Loopback is not counted.
    ///
    /// An eighth of all sessions: a school of 2,000 behind one address gets in. One address has at most that; eight fill
    /// the server, and then their guests give way to newcomers, see `sessions`.
    pub per_address: usize,
    /// The maximum number of connections from one network before their `hello`, with the same shares; then the oldest
    /// gives way. A school after a restart comes back over 8 s and needs 0.2 s each: 50 at a time.
    pub greeting_per_address: usize,
    /// The maximum number of connections before their `hello`; then the oldest gives way. After a restart all clients
    /// come back within seconds, and each needs a round trip.
    ///
    /// One address or IPv6 network of 48 bits has 128 of them, a hundred have all, ten thousand no more than that. The
    /// oldest gives way and not the largest network's: otherwise thousands of addresses with a silent connection each would
    /// displace a school. A client that takes 1 s for its `hello` gets in as long as fewer than 3,000 come in a second.
    pub greeting: usize,
    /// The maximum number of people who wait outside a locked room. When all places are taken, who comes from a network with
    /// fewer takes one of the network that has most, and a user one of a guest.
    pub knocking: usize,
    /// How often one session may knock, at whatever room.
    pub knocks: Pace,
    /// How often guests of one network (IPv4 address or IPv6 network of 64 bits), or one user, may knock at one room. A
    /// room has up to 8 members, so an office arrives with up to 8.
    ///
    /// The members of a room see up to 8 cards at once. Who knocks without waiting for an answer shows 8 and then 4 a
    /// minute from one address, a hundred addresses as many times that. Whom the members expect needs not knock: the
    /// creator of the room, and friends whom they ring.
    pub knocks_of_network: Pace,
    /// How many guests of one network may be turned away at one room before all of its guests pause there. One who comes
    /// again under other names shows 3 cards and then three a minute; others of an office wait half a minute at most,
    /// and only if three of them were turned away.
    pub refusals: Pace,
    /// How long somebody who was turned away at a room, or whose ring was rejected, has to wait there.
    pub pause: Duration,
    /// The maximum number of friends that one session rings at the same time.
    pub rings_from: usize,
    /// The maximum number of rings for one user at the same time. Each caller has one of them: another room of the same
    /// caller takes its place. So 8 friends at once, whatever each of them does.
    pub rings_to: usize,
    /// How often one user may ring one other: 4 times at once and then twice a minute, in whatever sessions. Only accepted
    /// friends can ring at all, so addresses are of no use. A friend who calls again after an unanswered ring of 45 s is
    /// never refused.
    pub rings: Pace,
    /// How often a user may have the friends looked up again. Each costs up to 1,000 friends' rows in DynamoDB, in all of
    /// the user's 20 sessions together.
    pub friends_changed: Pace,
    /// The timeout of a look-up in DynamoDB.
    pub directory: Duration,
    /// How long a result of DynamoDB is cached.
    pub directory_cache: Duration,
    /// The maximum number of cached results of each kind, and of cached friends in all of them.
    pub cached: (usize, usize),
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
    /// The maximum number of tickets whose use is remembered, for 90 s: one for each session, and half as many again. Beyond
    /// it none is accepted.
    pub used_tickets: usize,
    /// The maximum number of re-entries whose use is remembered, for five and a half minutes: one for each client that comes
    /// from the server before. Beyond it clients need a ticket.
    pub used_reentries: usize,
    /// The maximum number of friends of a user whose presence is tracked.
    pub friends: usize,
    /// The maximum number of friends of all users together whose presence is tracked. Whoever comes when it is used up sees
    /// nobody online, and rings all the same.
    ///
    /// To use it up takes 100 accounts with 1,000 accepted friends each, whatever the number of addresses.
    pub all_friends: usize,
    /// The time over which the closes of a drain are spread.
    pub drain: Duration,
    /// The timeout of a drain.
    pub drain_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            hello: Duration::from_secs(10),
            heartbeat: Duration::from_secs(10),
            dead: Duration::from_secs(30),
            write: Duration::from_secs(30),
            resume: Duration::from_secs(30),
            reentry: Duration::from_secs(100),
            ring: Duration::from_secs(45),
            tick: Duration::from_millis(250),
            message_bytes: 64 * 1024,
            hello_bytes: 6 * 1024,
            partial: Duration::from_secs(20),
            partial_bytes: 24 * 1024 * 1024,
            queue_messages: 1024,
            queue_bytes: 512 * 1024,
            kept_bytes: 512 * 1024,
            all_queues_bytes: 64 * 1024 * 1024,
            senders: SenderLimits {
                of_session: (256, 128 * 1024),
                of_network: (512, 256 * 1024),
                of_all: (768, 448 * 1024),
                network_in_all_queues: 5 * 1024 * 1024,
            },
            burst: 100,
            pace: Duration::from_millis(100),
            flood: 100,
            connections: 19_000,
            spare_connections: 1024,
            sessions: 16_000,
            sessions_per_user: 20,
            per_address: 2000,
            greeting_per_address: 128,
            greeting: 3000,
            knocking: 8,
            knocks: Pace { burst: 4, every: Duration::from_secs(15) },
            knocks_of_network: Pace { burst: 8, every: Duration::from_secs(15) },
            refusals: Pace { burst: 3, every: Duration::from_secs(60) },
            pause: Duration::from_secs(30),
            rings_from: 4,
            rings_to: 8,
            rings: Pace { burst: 4, every: Duration::from_secs(30) },
            friends_changed: Pace { burst: 20, every: Duration::from_secs(3) },
            directory: Duration::from_millis(1500),
            directory_cache: Duration::from_secs(5),
            cached: (4000, 30_000),
            directory_retry: Duration::from_secs(2),
            lookups: 256,
            lookups_per_user: 2,
            account_cache: Duration::from_secs(2),
            notices: Duration::from_secs(2),
            used_tickets: 24_000,
            used_reentries: 8000,
            friends: 1000,
            all_friends: 100_000,
            drain: Duration::from_secs(4),
            drain_deadline: Duration::from_secs(8),
        }
    }
}
