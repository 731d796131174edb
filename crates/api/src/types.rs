//! What requests and answers look like. The document and the tests are made from these types too.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A refused or failed request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What was wrong.
    pub error: ErrorDetail,
}

/// What was wrong.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// For programs; never changes.
    pub code: String,
    /// For people.
    pub message: String,
}

/// `GET /health`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Version of the program.
    pub version: String,
    /// SHA-256 of the program's file, in hex.
    pub build: String,
    /// The stage that it serves.
    pub stage: String,
}

/// `POST /signup`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SignupRequest {
    /// 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// Where the sign-in link goes.
    #[schema(format = "email", max_length = 254)]
    pub email: String,
}

/// `POST /login`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct LoginRequest {
    /// Where the sign-in link goes.
    #[schema(format = "email", max_length = 254)]
    pub email: String,
}

/// A sign-in mail was asked for. The same for every address.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Mailed {
    /// Number to be typed where the link is opened in another browser.
    #[serde(rename = "match")]
    #[schema(minimum = 10, maximum = 99)]
    pub number: i64,
    /// Whether the mail went out.
    #[serde(rename = "mailSent")]
    pub mail_sent: bool,
}

/// `POST /login/verify`: `token`, or `email` and `code`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct VerifyRequest {
    /// From the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The number shown where the link was asked for; needed in another browser.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub number: Option<Number>,
    /// Together with `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Six digits from the mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A number, as number or as its digits.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Number {
    /// As a number.
    Number(i64),
    /// As digits, the way a text field gives them.
    Digits(String),
}

impl Number {
    /// The number; `None` where the digits are none.
    pub fn get(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Digits(digits) => digits.trim().parse().ok(),
        }
    }
}

/// The signed-in user.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Me {
    /// Address.
    pub email: String,
    /// Name that others see.
    pub name: String,
    /// Whether left out of searches.
    pub hidden: bool,
    /// When the account was made, seconds since 1970.
    #[serde(rename = "createdAt")]
    pub created_at: i64,
}

/// `POST /logout`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct LogoutRequest {
    /// On every device.
    #[serde(default)]
    pub everywhere: bool,
}

/// `PATCH /me`: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct ChangeMe {
    /// New name, 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 64)]
    pub name: Option<String>,
    /// Whether to be left out of searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
}

/// `GET /users`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FoundUsers {
    /// At most 20.
    pub users: Vec<FoundUser>,
}

/// Somebody who was found.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FoundUser {
    /// Identifies the person in `POST /send-friend-request`.
    pub id: String,
    /// Name.
    pub name: String,
    /// Address with all but one letter masked; in full where it was searched for.
    pub email: String,
    /// What the searcher's own row says: `none`, `requested`, `received`, `accepted`, `rejected`, `blocked`.
    pub status: String,
}

/// `POST /send-friend-request`: one of both.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct FriendRequest {
    /// Address of anybody, with or without an account.
    #[serde(default, rename = "toEmail", skip_serializing_if = "Option::is_none")]
    pub to_email: Option<String>,
    /// `id` of somebody who was found by name.
    #[serde(default, rename = "toId", skip_serializing_if = "Option::is_none")]
    pub to_id: Option<String>,
}

/// What came of a friend request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FriendRequested {
    /// `requested`; `accepted` where the other had asked already.
    pub status: String,
    /// Whether a mail about it went out. There is none where one went out within the last day.
    #[serde(rename = "mailSent")]
    pub mail_sent: bool,
}

/// `POST /respond-friend-request`: `fromEmail` with a session, or the `token` of the mailed link.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FriendAnswer {
    /// Who asked.
    #[serde(default, rename = "fromEmail", skip_serializing_if = "Option::is_none")]
    pub from_email: Option<String>,
    /// From the mailed link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What to do.
    pub action: Action,
}

/// `POST /look-friend-request`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FriendLook {
    /// From the mailed link.
    pub token: String,
}

/// Who sent a friend request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Asker {
    /// Address.
    pub email: String,
    /// Name.
    pub name: String,
}

/// What to do about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Become friends.
    Accept,
    /// Do not.
    Reject,
}

/// How things stand now.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Standing {
    /// `accepted`, `rejected`.
    pub status: String,
}

/// `GET /friends`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Friends {
    /// All friends.
    pub friends: Vec<Friend>,
}

/// A friend, or somebody who would like to be one.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Friend {
    /// Address.
    pub email: String,
    /// Name.
    pub name: String,
    /// Since when, seconds since 1970.
    pub since: i64,
}

/// `GET /friend-requests`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FriendRequests {
    /// Who asks.
    pub requests: Vec<Friend>,
}

/// `POST /block`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct BlockRequest {
    /// Address of whom to block.
    #[schema(format = "email", max_length = 254)]
    pub email: String,
}

/// `POST /create-room`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RoomRequest {
    /// 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// Whether newcomers must knock from the start.
    #[serde(default)]
    pub locked: bool,
}

/// A room.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RoomAnswer {
    /// 128 random bits; who knows it may come in.
    pub id: String,
    /// Name.
    pub name: String,
    /// Whether newcomers must knock.
    pub locked: bool,
    /// Whether the caller made it.
    pub owner: bool,
    /// When it ends, seconds since 1970.
    #[serde(rename = "expiresAt")]
    pub expires_at: i64,
    /// People that fit in.
    pub capacity: u32,
}

/// `POST /ticket`: guests need `room` and `name`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct TicketRequest {
    /// Id of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Name of a guest; that of a user comes from the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What the WebSocket needs.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TicketAnswer {
    /// Address of the WebSocket.
    pub url: String,
    /// For the first message; good for 60 seconds, once.
    pub ticket: String,
    /// For `RTCPeerConnection`.
    #[serde(rename = "iceServers")]
    pub ice_servers: Vec<IceServer>,
    /// Seconds that the credentials in `iceServers` are good for.
    pub ttl: i64,
}

/// A STUN or TURN server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct IceServer {
    /// Its addresses.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// `POST /reports`: guests need `room`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ReportRequest {
    /// What stood in the way.
    pub failure: Failure,
    /// What the caller's own browser has.
    #[serde(default)]
    pub local: Reach,
    /// What the other one's has.
    #[serde(default)]
    pub remote: Reach,
    /// Id of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
}

/// Declares an enum whose values have the same name in JSON and in the log.
macro_rules! words {
    ($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
        pub enum $kind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl $kind {
            /// The name, as in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

words! {
    /// Why there is no connection.
    Failure {
        /// The other browser sent no description.
        NoAnswer = "no_answer",
        /// The caller's browser found no address of its own.
        NoAddresses = "no_addresses",
        /// The relay's traffic of the month is used up.
        RelayBudget = "relay_budget",
        /// There is no STUN or TURN server.
        NoRelay = "no_relay",
        /// The caller reaches no STUN or TURN server.
        NoWayOut = "no_way_out",
        /// The other one reaches none.
        TheirNetwork = "their_network",
        /// Both reach one, and nothing gets through.
        Blocked = "blocked",
        /// The API answers, but the WebSocket is refused.
        SocketRefused = "socket_refused",
        /// The WebSocket opens, but no welcome comes in time.
        ServerSlow = "server_slow",
    }
}

words! {
    /// The farthest-reaching kind of ICE candidate of one side.
    #[derive(Default)]
    Reach {
        /// None.
        #[default]
        None = "none",
        /// Addresses of its own.
        Host = "host",
        /// Addresses that a STUN server has seen.
        Srflx = "srflx",
        /// Addresses of a relay.
        Relay = "relay",
    }
}
