//! The messages of the protocol. `assets/js/protocol.js` mirrors them for the pages; a test compares both.
//!
//! Every message is one JSON text frame with a `type`. The server's messages carry a `seq` that grows by one within a
//! session, except `welcome`, `draining`, `pong` and errors before `welcome`, which belong to one connection.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::calls::Way;

/// A message from the browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientMessage {
    /// The first message, within ten seconds: the ticket, or the session to resume, or both.
    Hello {
        /// The one-use ticket of `POST /ticket`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<String>,
        /// The latest `resume` of an earlier `welcome` or `pong`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<String>,
        /// The number of the last message seen. Later ones are sent again. Without it the server sends what it has not
        /// written yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<u64>,
    },
    /// Joins a room and leaves the current one. At a locked room it is a knock.
    Join {
        /// The room's id.
        room: String,
    },
    /// Leaves the room, or stops knocking.
    Leave,
    /// A session description or an ICE candidate for another member of the room. The server does not read it.
    Signal {
        /// The other member.
        to: String,
        /// `RTCSessionDescriptionInit`.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        description: Option<Value>,
        /// `RTCIceCandidateInit`, or null after the last one.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        candidate: Option<Value>,
    },
    /// Rings a friend in all tabs, to join the caller's room.
    Ring {
        /// The friend's address.
        to: String,
        /// The caller's current room.
        room: String,
    },
    /// Cancels the caller's rings.
    RingCancel {
        /// Only the ring of this friend.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// Only rings to this room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
    },
    /// Accepts a ring. The first tab wins.
    Accept {
        /// The ring's room.
        room: String,
    },
    /// Rejects a ring in all tabs.
    Reject {
        /// The ring's room.
        room: String,
    },
    /// Locks or opens the room. Any member may. A lock lasts until the last member leaves.
    RoomLock {
        /// False opens it, and admits everyone who knocks.
        #[serde(default = "yes")]
        locked: bool,
    },
    /// Admits a peer that knocks, or turns it away. Any member may.
    RoomAdmit {
        /// The peer that knocks.
        peer: String,
        /// False turns it away.
        #[serde(default = "yes")]
        admit: bool,
    },
    /// How this client reached another member of the room, for the owner's statistics.
    Outcome {
        /// The way.
        way: Way,
    },
    /// The user's friends have changed, so presence must be updated.
    FriendsChanged,
    /// Requests a `pong`, which comes after everything that was queued before.
    Ping,
    /// Ignored; some clients send it in response to a ping.
    Pong,
    /// Ends the session, which will not be resumed.
    Bye,
}

/// A message to the browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    /// Answers `hello`.
    Welcome {
        /// The session's id.
        peer: String,
        /// What resumes the session after a loss, or continues it at the next server.
        resume: String,
        /// The client should ping at least this often, in seconds.
        heartbeat_s: u64,
        /// Whether the old session was resumed, with its room and its rings.
        resumed: bool,
    },
    /// Answers `join`.
    Joined {
        /// The room's id.
        room: String,
        /// The other members.
        peers: Vec<Member>,
        /// Whether newcomers must knock.
        locked: bool,
    },
    /// A peer joined the room.
    PeerJoined(Member),
    /// A peer left the room, or stopped knocking.
    PeerLeft {
        /// The peer.
        peer: String,
    },
    /// A `signal` from another member of the room. The server guarantees `from`.
    Signal {
        /// The sender.
        from: String,
        /// As sent.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        description: Option<Value>,
        /// As sent.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        candidate: Option<Value>,
    },
    /// Answers `ring`: it rings now, or as soon as the friend comes online during the ring.
    Ringing {
        /// The friend's address.
        to: String,
        /// The caller's room.
        room: String,
        /// Whether the friend is connected.
        online: bool,
    },
    /// A friend calls.
    Rung {
        /// The caller's address.
        from: String,
        /// The caller's name.
        name: String,
        /// Where the call is.
        room: String,
    },
    /// A ring was accepted. The caller learns who accepted it; the callee's tabs learn which one was first.
    Accepted {
        /// The ring's room.
        room: String,
        /// For the caller: the callee's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// For the callee: the tab that accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// A ring was rejected. Fields as in `accepted`.
    Rejected {
        /// The ring's room.
        room: String,
        /// For the caller: the callee's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// For the callee: the tab that rejected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// A ring was not answered in time, or was cancelled.
    Missed {
        /// The ring's room.
        room: String,
        /// For the callee: the caller's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// For the caller: the callee's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// A friend came online or went offline.
    Presence {
        /// The friend's address.
        email: String,
        /// Whether the friend has a session.
        online: bool,
    },
    /// To members: a peer knocks. To that peer, with its own id in `peer`: the knock was delivered.
    Knock {
        /// The locked room.
        room: String,
        /// The peer that knocks.
        peer: String,
        /// Its name.
        name: String,
        /// Its address, for friends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Whether it has no account, so that its name is whatever it typed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        guest: bool,
        /// Its id at the server before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    /// The room was locked or opened.
    RoomLock {
        /// The room's id.
        room: String,
        /// Whether newcomers must knock.
        locked: bool,
        /// The member who did it.
        by: String,
    },
    /// The server is shutting down. The client should reconnect after this time, which differs between clients.
    Draining {
        /// Milliseconds.
        retry_ms: u64,
    },
    /// A message was refused.
    Error {
        /// The code, for programs.
        code: ErrorCode,
        /// The message, for people.
        message: String,
        /// The `type` of the refused message, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<String>,
    },
    /// Answers `ping`.
    Pong {
        /// A newer `resume`, from time to time: at another server it is valid for some minutes only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<String>,
    },
}

/// A member of a room, as another member sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The session's id.
    pub peer: String,
    /// The member's name, which is untrusted text.
    pub name: String,
    /// The address, sent only to accepted friends and the user's own tabs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the member has no account, so that the name is whatever was typed. Told to everybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
    /// The id that the session had at the server before, if it continues one of there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, no known `type`, or a field is missing or of another type.
    BadMessage,
    /// `hello` was not the first message, did not come in time, or came twice.
    HelloExpected,
    /// The ticket was not issued by this stack.
    TicketInvalid,
    /// The ticket is older than a minute, or than the server.
    TicketExpired,
    /// The ticket was already used.
    TicketUsed,
    /// The message has more than 64 KiB.
    TooLarge,
    /// Too many messages, or too much on its way to the same peer. This one was dropped.
    RateLimited,
    /// The client reads too slowly and messages for it were lost, or one of its own did not arrive completely in time.
    TooSlow,
    /// Too many connections, sessions, rings or knocks.
    TooMany,
    /// Guests cannot do this, or the ticket is for another room.
    Forbidden,
    /// The room does not exist, or is not for this client; the code does not tell which.
    RoomNotFound,
    /// The room is full.
    RoomFull,
    /// The message is only allowed in a room.
    NotInRoom,
    /// The peer is not in the room, and does not knock.
    NoSuchPeer,
    /// A member turned the knocking peer away.
    NotAdmitted,
    /// Only accepted friends can be rung.
    NotFriends,
    /// The ring was answered, cancelled or timed out.
    RingOver,
    /// Accounts, friends and rooms cannot be looked up at the moment. Current calls and rooms continue.
    DirectoryUnavailable,
    /// The user has signed out, here or everywhere, or the account was deleted.
    SignedOut,
}

/// Why a request was refused: the code, and the message for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub ErrorCode, pub &'static str);

/// The result of most operations.
pub type Done = Result<(), Refused>;

/// Close codes of the WebSocket. 1000, 1001 and no code at all come from clients.
pub mod close {
    /// The client said `bye`.
    pub const BYE: u16 = 1000;
    /// The client violated the WebSocket protocol.
    pub const PROTOCOL: u16 = 1002;
    /// A text message was not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// A binary message was received.
    pub const UNSUPPORTED: u16 = 1003;
    /// A message had more than 64 KiB.
    pub const TOO_LARGE: u16 = 1009;
    /// The account cannot be looked up at the moment.
    pub const TRY_LATER: u16 = 1013;
    /// The server is shutting down; `draining` told the client when to reconnect.
    pub const RESTART: u16 = 1012;
    /// No `hello` came in time, or another message came first.
    pub const NO_HELLO: u16 = 4000;
    /// The ticket was refused.
    pub const TICKET: u16 = 4001;
    /// Another connection has taken over the session.
    pub const REPLACED: u16 = 4002;
    /// Nothing was received for 30 seconds.
    pub const DEAD: u16 = 4003;
    /// The user or the server has too many sessions.
    pub const TOO_MANY: u16 = 4004;
    /// The user has signed out, or the account was deleted. The session has ended.
    pub const SIGNED_OUT: u16 = 4005;
    /// The client reads too slowly, or a message from it did not arrive completely in time.
    pub const TOO_SLOW: u16 = 4008;
    /// The client sent far too many messages.
    pub const FLOOD: u16 = 4029;
}

impl ServerMessage {
    /// Returns an error message.
    pub fn error(code: ErrorCode, message: impl Into<String>, about: Option<&str>) -> Self {
        Self::Error { code, message: message.into(), about: about.map(str::to_owned) }
    }

    /// Returns the message as JSON.
    pub fn to_json(&self) -> String {
        // Serializing strings, numbers and lists of them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl ClientMessage {
    /// Returns its `type`, for errors and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Join { .. } => "join",
            Self::Leave => "leave",
            Self::Signal { .. } => "signal",
            Self::Ring { .. } => "ring",
            Self::RingCancel { .. } => "ring-cancel",
            Self::Accept { .. } => "accept",
            Self::Reject { .. } => "reject",
            Self::RoomLock { .. } => "room-lock",
            Self::RoomAdmit { .. } => "room-admit",
            Self::Outcome { .. } => "outcome",
            Self::FriendsChanged => "friends-changed",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Bye => "bye",
        }
    }
}

fn yes() -> bool {
    true
}

/// Distinguishes null from a missing field.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
