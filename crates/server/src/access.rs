//! What each program does with the tables. The deployer generates the roles' policies from it, and a test compares it
//! with the calls that the programs really make.

/// What a program may do with one table, or with its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAccess {
    /// The last part of the table's name, such as `Users`.
    pub table: &'static str,
    /// DynamoDB actions without the prefix `dynamodb:`. A transaction needs the actions of its parts.
    pub actions: &'static [&'static str],
    /// Whether the actions are on the table's index instead of the table itself.
    pub index: bool,
    /// What the partition keys of the items must begin with; `None` for all items.
    pub keys: Option<&'static str>,
}

const fn on(table: &'static str, actions: &'static [&'static str]) -> TableAccess {
    TableAccess { table, actions, index: false, keys: None }
}

const SIGNUP: &[TableAccess] =
    &[on("Users", &["GetItem", "UpdateItem"]), on("Ephemeral", &["GetItem", "BatchGetItem", "PutItem", "UpdateItem"])];

const LOGIN: &[TableAccess] = &[
    on("Users", &["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan"]),
    on("UserConnections", &["GetItem", "PutItem", "Query", "DeleteItem", "ConditionCheckItem", "Scan"]),
    on("Ephemeral", &["GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem"]),
];

const FRIENDS: &[TableAccess] = &[
    TableAccess { table: "Users", actions: &["Query"], index: true, keys: None },
    on("Users", &["GetItem", "BatchGetItem", "ConditionCheckItem"]),
    on("UserConnections", &["GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem", "ConditionCheckItem"]),
    on("Ephemeral", &["GetItem", "PutItem", "UpdateItem", "DeleteItem"]),
];

const ROOMS: &[TableAccess] = &[on("Users", &["GetItem"]), on("Ephemeral", &["GetItem", "PutItem", "UpdateItem"])];

/// What the partition keys of rooms begin with.
pub const ROOM: &str = "room#";
/// What the partition keys of notices begin with.
pub const NOTICES: &str = "notices#";

/// The signaling server reads accounts, friendships, rooms, and notices of changes.
const SIGNAL: &[TableAccess] = &[
    on("Users", &["GetItem", "BatchGetItem"]),
    on("UserConnections", &["GetItem", "BatchGetItem", "Query"]),
    TableAccess { table: "Ephemeral", actions: &["GetItem"], index: false, keys: Some(ROOM) },
    TableAccess { table: "Ephemeral", actions: &["BatchGetItem"], index: false, keys: Some(NOTICES) },
];

/// What the partition keys of the relay's counters begin with: one item for each month, with the bytes that were relayed.
pub const RELAY_USAGE: &str = "relay-usage#";

/// What the partition keys of what the relay must not honour any more begin with.
pub const WITHDRAWN: &str = "withdrawn#";

/// The relay counts what it has relayed in a month, so that a restart does not forget it, and reads whose credentials were
/// withdrawn.
const RELAY: &[TableAccess] = &[
    TableAccess { table: "Ephemeral", actions: &["UpdateItem"], index: false, keys: Some(RELAY_USAGE) },
    TableAccess { table: "Ephemeral", actions: &["BatchGetItem"], index: false, keys: Some(WITHDRAWN) },
];

/// What the partition key of the address of the signaling server behind a quick tunnel begins with.
pub const SIGNAL_ADDRESS: &str = "signal-address#";

/// The name of what the signaling server does beside the rest if the host has a quick tunnel: it publishes its address.
pub const QUICK_TUNNEL: &str = "quick-tunnel";
const PUBLISHER: &[TableAccess] =
    &[TableAccess { table: "Ephemeral", actions: &["UpdateItem"], index: false, keys: Some(SIGNAL_ADDRESS) }];

/// The parameter with the account at the authority that issues the host's certificate, without the stack's prefix.
pub const ACME_ACCOUNT: &str = "acme-account";
/// The parameter with the host's certificate and its key, without the stack's prefix.
pub const ACME_CERTIFICATE: &str = "acme-certificate";
/// The value of both while the host has kept nothing: a parameter cannot be empty.
pub const NOTHING_KEPT: &str = "none";

/// Returns the table access of a function (`signup`, `login`, `friends`, `rooms`), of the signaling server
/// (`signal`), of what it also does with a quick tunnel ([`QUICK_TUNNEL`]) or of the relay (`relay`); empty for any other
/// name.
pub fn tables(program: &str) -> &'static [TableAccess] {
    match program {
        "signup" => SIGNUP,
        "login" => LOGIN,
        "friends" => FRIENDS,
        "rooms" => ROOMS,
        "signal" => SIGNAL,
        "relay" => RELAY,
        QUICK_TUNNEL => PUBLISHER,
        _ => &[],
    }
}
