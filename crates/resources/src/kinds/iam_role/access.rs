//! What each program calls: the policies of the roles are made from it.

use peersync_server::access::{TableAccess, tables};
use peersync_server::secrets::Secrets;
use peersync_server::settings::Settings;

use peersync_config::{Config, MailProvider};

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

/// What a function calls: `signup`, `login`, `friends`, `rooms`; or the signaling server: `signal`.
pub fn function_permissions(config: &Config, function: &str) -> Access {
    let settings = settings(config, function);
    let mails = settings.as_ref().is_some_and(|settings| settings.function.mails());
    Access {
        tables: tables(function),
        parameters: settings.as_ref().map(Secrets::names).unwrap_or_default(),
        ses: mails && config.mail.provider == MailProvider::Ses,
    }
}

/// What the program goes by, from which it says itself what it asks for; `None` for a name that no program has.
fn settings(config: &Config, function: &str) -> Option<Settings> {
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
    settings.ok()
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
