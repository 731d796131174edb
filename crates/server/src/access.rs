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
}

const fn on(table: &'static str, actions: &'static [&'static str]) -> TableAccess {
    TableAccess { table, actions, index: false }
}

const SIGNUP: &[TableAccess] = &[on("Users", &["PutItem"]), on("Ephemeral", &["PutItem", "UpdateItem"])];

const LOGIN: &[TableAccess] = &[
    on("Users", &["GetItem", "UpdateItem", "DeleteItem"]),
    on("UserConnections", &["GetItem", "Query", "DeleteItem", "ConditionCheckItem"]),
    on("Ephemeral", &["GetItem", "PutItem", "UpdateItem", "DeleteItem"]),
];

const FRIENDS: &[TableAccess] = &[
    TableAccess { table: "Users", actions: &["Query"], index: true },
    on("Users", &["GetItem", "BatchGetItem", "ConditionCheckItem"]),
    on("UserConnections", &["GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem", "ConditionCheckItem"]),
    on("Ephemeral", &["GetItem", "PutItem", "UpdateItem", "DeleteItem"]),
];

const ROOMS: &[TableAccess] = &[on("Users", &["GetItem"]), on("Ephemeral", &["GetItem", "PutItem", "UpdateItem"])];

/// The signaling server reads rooms and friendships.
const SIGNAL: &[TableAccess] = &[on("UserConnections", &["GetItem", "Query"]), on("Ephemeral", &["GetItem"])];

/// Returns the table access of a function (`signup`, `login`, `friends`, `rooms`) or of the signaling server
/// (`signal`); empty for any other name.
pub fn tables(program: &str) -> &'static [TableAccess] {
    match program {
        "signup" => SIGNUP,
        "login" => LOGIN,
        "friends" => FRIENDS,
        "rooms" => ROOMS,
        "signal" => SIGNAL,
        _ => &[],
    }
}
