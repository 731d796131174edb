//! What each program calls, once: the policies of the roles are made from it, and tests compare it with the calls that
//! the programs really make.

use peersync_runtime::secrets::Secrets;
use peersync_runtime::settings::Settings;

use crate::config::{Config, MailProvider};

/// What a program may do with one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAccess {
    /// Last part of the table's name, `Users`.
    pub table: &'static str,
    /// Actions of DynamoDB, without `dynamodb:`. A transaction needs those of its parts.
    pub actions: &'static [&'static str],
    /// Whether it queries the table's index.
    pub index: bool,
}

/// What a program may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// With the tables.
    pub tables: &'static [TableAccess],
    /// Parameters it reads, without the stack's prefix.
    pub parameters: Vec<&'static str>,
    /// Whether it sends mail by Amazon SES.
    pub ses: bool,
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
    TableAccess { table: "Users", actions: &["GetItem", "BatchGetItem", "Query", "ConditionCheckItem"], index: true },
    on("UserConnections", &["GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem", "ConditionCheckItem"]),
    on("Ephemeral", &["GetItem", "PutItem", "UpdateItem", "DeleteItem"]),
];

const ROOMS: &[TableAccess] = &[on("Users", &["GetItem"]), on("Ephemeral", &["GetItem", "PutItem", "UpdateItem"])];

/// The signaling server reads rooms, and who is whose friend.
const SIGNAL: &[TableAccess] = &[on("UserConnections", &["GetItem", "Query"]), on("Ephemeral", &["GetItem"])];

/// What a function calls: `signup`, `login`, `friends`, `rooms`; or the signaling server: `signal`.
pub fn function_permissions(config: &Config, function: &str) -> Access {
    let (tables, mails) = match function {
        "signup" => (SIGNUP, true),
        "login" => (LOGIN, true),
        "friends" => (FRIENDS, true),
        "rooms" => (ROOMS, false),
        "signal" => (SIGNAL, false),
        _ => (&[] as &[TableAccess], false),
    };
    let ses = mails && config.mail.provider == MailProvider::Ses;
    Access { tables, parameters: parameters(config, function), ses }
}

/// The parameters that the program asks for, by what it says itself.
fn parameters(config: &Config, function: &str) -> Vec<&'static str> {
    let provider = match config.mail.provider {
        MailProvider::None => "none",
        MailProvider::Smtp => "smtp",
        MailProvider::Emailjs => "emailjs",
        MailProvider::Ses => "ses",
    };
    let settings = Settings::from_variables(|name| match name {
        "PEERSYNC_FUNCTION" => Some(function.to_owned()),
        "MAIL_PROVIDER" => Some(provider.to_owned()),
        // Needed by the settings, and of no meaning here.
        "PEERSYNC_STACK" | "SITE_URL" => Some("any".to_owned()),
        _ => None,
    });
    settings.map(|settings| Secrets::names(&settings)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::FUNCTIONS;

    #[test]
    fn every_function_is_known_and_reads_the_key_of_the_edge() {
        for function in FUNCTIONS.into_iter().chain(["signal"]) {
            let access = function_permissions(&Config::default(), function);
            assert!(!access.tables.is_empty(), "{function}");
            assert!(access.parameters.contains(&"origin-key"), "{function}");
            assert!(!access.ses, "{function}");
        }
    }

    #[test]
    fn only_who_sends_mail_may_send_it_and_only_with_its_provider() {
        let mut config = Config::default();
        config.mail.provider = MailProvider::Ses;
        let sends: Vec<&str> =
            FUNCTIONS.into_iter().filter(|function| function_permissions(&config, function).ses).collect();
        assert_eq!(sends, ["signup", "login", "friends"]);
        config.mail.provider = MailProvider::Smtp;
        assert!(function_permissions(&config, "login").parameters.contains(&"smtp-pass"));
        assert!(!function_permissions(&config, "rooms").parameters.contains(&"smtp-pass"));
    }

    #[test]
    fn nobody_scans_a_table_and_nobody_manages_one() {
        for function in FUNCTIONS.into_iter().chain(["signal"]) {
            for table in function_permissions(&Config::default(), function).tables {
                for action in table.actions {
                    assert!(action.ends_with("Item") || *action == "Query", "{function} {action}");
                }
            }
        }
    }
}
