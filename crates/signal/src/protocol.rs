//! The messages, and only here. `assets/js/protocol.js` mirrors them for the pages; a test holds both against each other.
//!
//! Every message is one JSON text frame with a `type`. The server's messages carry a `seq` that grows by one within a
//! session, except `welcome`, `draining`, `pong` and errors before `welcome`, which belong to one connection.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// From the browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ClientMessage {
    /// The first message, within two seconds: who it is, and what to continue.
    Hello {
        /// The one-use ticket of `POST /ticket`.
        ticket: String,
        /// `resume` of an earlier `welcome`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<String>,
        /// Number of the last message seen; what came later is sent again. Without it the server sends what it had not
        /// yet written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<u64>,
    },
    /// Enters a room, and leaves the present one. A locked room makes it a knock.
    Join {
        /// The room's id.
        room: String,
    },
    /// Leaves the room, or stops knocking.
    Leave,
    /// For one other member of the room: a session description or an ICE candidate, which the server does not read.
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
    /// Rings a friend, in all of the friend's tabs, to come to the caller's room.
    Ring {
        /// The friend's address.
        to: String,
        /// The caller's present room.
        room: String,
    },
    /// Takes the caller's rings back.
    RingCancel {
        /// Only the ring of this friend.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// Only rings to this room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
    },
    /// Answers a ring; the first tab wins.
    Accept {
        /// The ring's room.
        room: String,
    },
    /// Turns a ring down, in all tabs.
    Reject {
        /// The ring's room.
        room: String,
    },
    /// Locks or opens the room. Any member may. A lock lasts as long as somebody is inside.
    RoomLock {
        /// False opens it, and lets in whoever waits.
        #[serde(default = "yes")]
        locked: bool,
    },
    /// Lets in who knocks, or sends them away. Any member may.
    RoomAdmit {
        /// Who knocks.
        peer: String,
        /// False sends them away.
        #[serde(default = "yes")]
        admit: bool,
    },
    /// The user's friends changed: presence is worked out again.
    FriendsChanged,
    /// Asks for a `pong`, which comes after everything that was queued before.
    Ping,
    /// Answers nothing; accepted from clients that answer.
    Pong,
    /// The session ends now and will not be resumed.
    Bye,
}

/// To the browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ServerMessage {
    /// Answers `hello`.
    Welcome {
        /// The session's name.
        peer: String,
        /// To continue with after a loss.
        resume: String,
        /// The client should ping at least this often, in seconds.
        heartbeat_s: u64,
        /// Whether the old session goes on, with its room and its rings.
        resumed: bool,
    },
    /// Answers `join`.
    Joined {
        /// The room's id.
        room: String,
        /// The others in it.
        peers: Vec<Member>,
        /// Whether newcomers must knock.
        locked: bool,
    },
    /// Somebody came into the room.
    PeerJoined(Member),
    /// Somebody left the room, or stopped knocking.
    PeerLeft {
        /// Who.
        peer: String,
    },
    /// From another member of the room; the server vouches for `from`.
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
    /// Answers `ring`: it rings, or will as soon as the friend comes online within the ring's time.
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
    /// A ring was accepted. The caller hears who did; the tabs of who was rung hear which one was first.
    Accepted {
        /// The ring's room.
        room: String,
        /// For the caller: who was rung.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// For who was rung: the tab that accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// A ring was turned down; fields as in `accepted`.
    Rejected {
        /// The ring's room.
        room: String,
        /// For the caller: who was rung.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// For who was rung: the tab that rejected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// A ring was not answered in time, or was taken back.
    Missed {
        /// The ring's room.
        room: String,
        /// For who was rung: the caller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// For the caller: who was rung.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// A friend came online or went.
    Presence {
        /// The friend's address.
        email: String,
        /// Whether the friend has a session.
        online: bool,
    },
    /// To members: somebody knocks. To who knocks, with their own name in `peer`: the knock was passed on.
    Knock {
        /// The locked room.
        room: String,
        /// Who knocks.
        peer: String,
        /// Their name.
        name: String,
        /// Their address, for friends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
    },
    /// The room was locked or opened.
    RoomLock {
        /// The room's id.
        room: String,
        /// Whether newcomers must knock.
        locked: bool,
        /// Which member did it.
        by: String,
    },
    /// The server ends; come back after this time. It is another one for each client.
    Draining {
        /// Milliseconds.
        retry_ms: u64,
    },
    /// A message was refused.
    Error {
        /// What a program decides by.
        code: ErrorCode,
        /// What a person reads.
        message: String,
        /// `type` of the message that was refused, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<String>,
    },
    /// Answers `ping`.
    Pong,
}

/// A person in a room, as one other member sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The session's name.
    pub peer: String,
    /// The person's name; as hostile as its owner.
    pub name: String,
    /// The address, told to accepted friends and to the same user's own tabs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, no known `type`, or a field is missing or of another type.
    BadMessage,
    /// `hello` was not the first message, or did not come in time, or came twice.
    HelloExpected,
    /// The ticket was not signed by this service.
    TicketInvalid,
    /// The ticket is older than a minute.
    TicketExpired,
    /// The ticket was already used.
    TicketUsed,
    /// The message has more than 64 KiB.
    TooLarge,
    /// Too many messages; this one was dropped.
    RateLimited,
    /// The client reads too slowly and messages for it were lost.
    TooSlow,
    /// Too many connections, sessions, rings or knocks.
    TooMany,
    /// Guests cannot do this, or the ticket is for another room.
    Forbidden,
    /// No such room, or not for this client. Guessing does not tell which.
    RoomNotFound,
    /// The room has no free place.
    RoomFull,
    /// It works only inside the room.
    NotInRoom,
    /// Nobody of that name in the room or at its door.
    NoSuchPeer,
    /// A member sent the knocking person away.
    NotAdmitted,
    /// Only accepted friends can be rung.
    NotFriends,
    /// The ring was answered, taken back or timed out.
    RingOver,
    /// Friends cannot be checked at the moment. Calls and rooms go on.
    DirectoryUnavailable,
}

/// Why something was not done: the code, and the words for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub ErrorCode, pub &'static str);

/// What most operations end with.
pub type Done = Result<(), Refused>;

/// Close codes of the WebSocket. 1000, 1001 and no code at all come from clients.
pub mod close {
    /// The client's `bye` was heard.
    pub const BYE: u16 = 1000;
    /// Not the WebSocket protocol.
    pub const PROTOCOL: u16 = 1002;
    /// A text that is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// A binary message.
    pub const UNSUPPORTED: u16 = 1003;
    /// A message of more than 64 KiB.
    pub const TOO_LARGE: u16 = 1009;
    /// The server ends; `draining` has said when to come back.
    pub const RESTART: u16 = 1012;
    /// No `hello` in time, or something else first.
    pub const NO_HELLO: u16 = 4000;
    /// The ticket was refused.
    pub const TICKET: u16 = 4001;
    /// The session went on in another connection.
    pub const REPLACED: u16 = 4002;
    /// Nothing was heard for 30 seconds.
    pub const DEAD: u16 = 4003;
    /// A user has too many sessions, or the server has.
    pub const TOO_MANY: u16 = 4004;
    /// The client reads too slowly; the session is lost.
    pub const TOO_SLOW: u16 = 4008;
    /// Far too many messages.
    pub const FLOOD: u16 = 4029;
}

impl ServerMessage {
    /// An error.
    pub fn error(code: ErrorCode, message: impl Into<String>, about: Option<&str>) -> Self {
        Self::Error { code, message: message.into(), about: about.map(str::to_owned) }
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: writing these into memory has no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl ClientMessage {
    /// Its `type`, for errors and metrics.
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

/// Keeps a null apart from a field that is not there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
