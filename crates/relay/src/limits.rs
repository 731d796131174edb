//! Every bound and duration of the relay in one place, so that tests can change them.
//!
//! What they add up to. *A stranger* without credentials gets answers of at most 120 bytes, 200 a second for an address
//! however many it asks for, and 10,000 a second in all; none is remembered. A forged source address therefore turns the
//! relay into a source of 24 KB/s at most. *A holder of credentials* (a user, or a room for its guests) gets the allocations
//! that its [`Grant`](crate::Grant) says and, whatever it has, no more than an eighth of all from one address. *An
//! office* behind one address has 512 allocations: a browser takes three for each other person in the room (UDP, TCP
//! 3478, TCP 443), and a fourth on a host with a certificate (TLS 443), so 42 people in calls of four. *The host* carries
//! 4096 allocations of less than a kilobyte each, 2048 connections, and 200 Mbit/s. *Nobody* makes TLS keep more than 4 KB
//! of what is incomplete, except out of a budget for all, in which those who take most give way.

use std::time::Duration;

/// The limits of one allocation, one address and the whole relay.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The lifetime of an allocation that does not ask for another (RFC 8656: 10 minutes).
    pub lifetime: Duration,
    /// The longest lifetime that can be asked for (RFC 8656: an hour).
    pub longest_lifetime: Duration,
    /// The age at which an allocation ends although it is refreshed. Credentials are checked when it begins, so this is
    /// how long somebody can be relayed after they have expired. What is withdrawn ends within seconds.
    pub age: Duration,
    /// The lifetime of a permission (RFC 8656: 5 minutes).
    pub permission: Duration,
    /// The lifetime of a channel (RFC 8656: 10 minutes).
    pub channel: Duration,
    /// The maximum number of channels of an allocation.
    pub channels: usize,
    /// The maximum number of allocations.
    pub allocations: usize,
    /// The maximum number of allocations from one address: an IPv4 address, or an IPv6 network of 64 bits.
    pub per_address: usize,
    /// What one allocation may send, in bytes per second. A call in high definition takes 0.6 MB/s each way.
    pub allocation_rate: u32,
    /// What one allocation may send at once, in bytes: a key frame.
    pub allocation_burst: u32,
    /// What all allocations together may send, in bytes per second.
    pub total_rate: u32,
    /// What all allocations together may send at once, in bytes.
    pub total_burst: u32,
    /// The maximum number of answers per second to requests from one address that prove nothing.
    pub strangers_rate: u32,
    /// The maximum number of such answers at once. A class that joins at the same moment asks some hundred times.
    pub strangers_burst: u32,
    /// The maximum number of such answers per second to all addresses.
    pub strangers_total: u32,
    /// How long a nonce is accepted.
    pub nonce: Duration,
    /// The maximum number of connections by TCP and TLS.
    pub connections: usize,
    /// The maximum number of connections by TCP and TLS without an allocation: half of all, so that strangers leave room for
    /// those who have one. Beyond it the oldest gives way; whoever has credentials needs some round trips.
    pub idle_connections: usize,
    /// The maximum number of those from one site: an IPv4 address, or an IPv6 network of 48 bits, of which one of 64 bits may
    /// have a half. Its own oldest gives way.
    pub idle_per_site: usize,
    /// How long a connection may be without an allocation.
    pub idle: Duration,
    /// The maximum number of connections to port 443, and to the one for TLS, that have not shown what they are, for which they
    /// have as long as `idle`. Beyond it the oldest gives way: whoever shows it does so within some round trips, so that
    /// after a restart thousands of clients have been there before their place is needed.
    pub undecided: usize,
    /// The maximum number of those from one site: an IPv4 address, or an IPv6 network of 48 bits, of which one of 64 bits may
    /// have a half. Its own oldest gives way.
    pub undecided_per_site: usize,
    /// The maximum number of bytes that a client may send before its handshake of TLS is complete. A ClientHello with a
    /// post-quantum key has 1.5 KB, 1.8 KB with a ticket (mailing list of the TLS working group, 2026-02-21, msg21753), and a
    /// client may have to send a second one; what follows has less than 200 bytes, since no client has a certificate.
    pub handshake_bytes: usize,
    /// The bytes of memory for messages of TLS of which a part is missing, beyond the 4 KB that each connection may have read.
    pub unfinished_bytes: usize,
    /// How many handshakes of TLS of one address are answered at port 443 per second. Each takes some 0.2 ms of a core.
    pub handshakes_rate: u32,
    /// How many are answered at once. After a restart an office comes back at once.
    pub handshakes_burst: u32,
    /// The maximum number of connections that are passed on to the signaling server.
    pub passed: usize,
    /// The maximum number of those from one address: what the signaling server admits, and some that it refuses.
    pub passed_per_address: usize,
    /// How long a write to a connection may block before it is closed.
    pub write: Duration,
    /// The maximum number of packets that wait for one connection. Further ones are dropped, as a network would.
    pub queue: usize,
    /// The bytes of memory for packets that wait for connections, until they are written. Each may have an eighth of what the
    /// others leave, so that those who take nothing leave enough for everybody else.
    pub queued_bytes: usize,
    /// The bytes of memory for packets that each connection may have in any case, beyond those.
    pub queued_least: usize,
    /// The maximum size of a message on a connection, in bytes; as much is held of one that is not complete. Clients send
    /// what a packet of an Ethernet network carries, as by UDP.
    pub message_bytes: usize,
}

impl Limits {
    /// Bounds the connections by the number of files that the system allows for them. If TLS is ended here, half of it is
    /// for what is passed on, with two files for each connection, and a quarter for what has not shown what it is.
    pub fn share_files(&mut self, files: usize, ends_tls: bool) {
        let relayed = if ends_tls { files / 4 } else { files };
        self.connections = self.connections.min(relayed.max(100));
        self.idle_connections = self.idle_connections.min(self.connections.div_ceil(2));
        self.undecided = self.undecided.min((files / 4).max(100));
        self.passed = self.passed.min((files / 4).max(100));
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(600),
            longest_lifetime: Duration::from_secs(3600),
            age: Duration::from_secs(12 * 3600),
            permission: Duration::from_secs(300),
            channel: Duration::from_secs(600),
            channels: 32,
            allocations: 4096,
            per_address: 512,
            allocation_rate: 1_250_000,
            allocation_burst: 1_250_000,
            total_rate: 25_000_000,
            total_burst: 25_000_000,
            strangers_rate: 200,
            strangers_burst: 1000,
            strangers_total: 10_000,
            nonce: Duration::from_secs(3600),
            connections: 2048,
            idle_per_site: 128,
            idle_connections: 1024,
            idle: Duration::from_secs(10),
            undecided: 512,
            undecided_per_site: 128,
            handshake_bytes: 8192,
            unfinished_bytes: 4 << 20,
            handshakes_rate: 20,
            handshakes_burst: 400,
            passed: 16_384,
            passed_per_address: 256,
            write: Duration::from_secs(5),
            queue: 256,
            queued_bytes: 8 << 20,
            queued_least: 4096,
            message_bytes: 4096,
        }
    }
}
