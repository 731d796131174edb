//! The AWS access that each program needs, from which the policies of the roles are built.

use peersync_server::access::{TableAccess, tables};
use peersync_server::secrets::Secrets;
use peersync_server::settings::Settings;

use crate::stack::EDGE_PORT;
use peersync_config::{Config, Ingress, MailProvider, TurnProvider};

/// The AWS access of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The actions on the tables.
    pub tables: &'static [TableAccess],
    /// The parameters that it reads, without the stack's prefix.
    pub parameters: Vec<&'static str>,
    /// Whether it sends mail with Amazon SES.
    pub ses: bool,
}

/// Returns the access of a function (`signup`, `login`, `friends` or `rooms`) of the signaling server (`signal`) or of
/// the relay (`relay`).
pub fn function_permissions(config: &Config, function: &str) -> Access {
    let settings = settings(config, function);
    let mails = settings.as_ref().is_some_and(|settings| settings.function.mails());
    Access {
        tables: tables(function),
        parameters: settings.as_ref().map(Secrets::names).unwrap_or_default(),
        ses: mails && config.mail.provider == MailProvider::Ses,
    }
}

/// Returns the settings of a program, from which the program derives the secrets it reads; `None` for an unknown name.
fn settings(config: &Config, function: &str) -> Option<Settings> {
    let provider = match config.mail.provider {
        MailProvider::None => "none",
        MailProvider::Smtp => "smtp",
        MailProvider::Emailjs => "emailjs",
        MailProvider::Ses => "ses",
    };
    let turn = match config.turn_provider() {
        TurnProvider::Host => "host",
        TurnProvider::Own => "own",
        TurnProvider::Cloudflare => "cloudflare",
        TurnProvider::None => "none",
    };
    let (ingress, is_host) = (config.signaling.ingress, function == "signal");
    let settings = Settings::from_variables(|name| match name {
        "PEERSYNC_FUNCTION" => Some(function.to_owned()),
        "ENTRANCE" if is_host && ingress == Ingress::Direct => Some("relay".to_owned()),
        "EDGE_PORT" if is_host && ingress == Ingress::Direct => Some(EDGE_PORT.to_string()),
        "ENTRANCE" if is_host && ingress == Ingress::Cloudflare => Some("tunnel".to_owned()),
        "TUNNEL_FILE" if is_host && ingress == Ingress::Cloudflare => Some("any".to_owned()),
        "MAIL_PROVIDER" => Some(provider.to_owned()),
        "TURN_PROVIDER" => Some(turn.to_owned()),
        // Required by the settings, but their values do not matter for the access.
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
    fn every_program_has_tables_and_reads_the_origin_key() {
        for function in FUNCTIONS.into_iter().chain(["signal"]) {
            let access = function_permissions(&Config::default(), function);
            assert!(!access.tables.is_empty(), "{function}");
            assert!(access.parameters.contains(&"origin-key"), "{function}");
            assert!(!access.ses, "{function}");
        }
    }

    #[test]
    fn host_reads_the_secrets_of_its_ingress_only() {
        let mut config = Config::default();
        let mut of = |ingress| {
            config.signaling.ingress = ingress;
            function_permissions(&config, "signal").parameters
        };
        let (origin, ticket) = (["origin-key", "origin-key-previous"], ["ticket-key", "ticket-key-previous"]);
        assert_eq!(of(Ingress::Cloudfront), [origin, ticket].concat());
        assert_eq!(of(Ingress::Direct), [origin, ticket].concat(), "it serves the edge too while the way in changes");
        assert_eq!(of(Ingress::Cloudflare), [&ticket[..], &["tunnel-token"]].concat());
        config.signaling.ingress = Ingress::Cloudflare;
        assert!(function_permissions(&config, "rooms").parameters.contains(&"origin-key"));
    }

    #[test]
    fn only_rooms_and_relay_read_what_their_turn_provider_needs() {
        let mut config = Config::default();
        let mut of = |provider, program: &str| {
            config.turn.provider = Some(provider);
            let parameters = function_permissions(&config, program).parameters;
            parameters.into_iter().filter(|name| name.starts_with("turn-")).collect::<Vec<_>>()
        };
        let pair = ["turn-secret", "turn-secret-previous"];
        assert_eq!(of(TurnProvider::Host, "rooms"), pair);
        assert_eq!(of(TurnProvider::Host, "relay"), pair);
        assert_eq!(of(TurnProvider::Own, "rooms"), ["turn-server-secret"]);
        assert_eq!(of(TurnProvider::Cloudflare, "rooms"), ["turn-key-id", "turn-api-token"]);
        assert!(of(TurnProvider::None, "rooms").is_empty());
        for program in ["signup", "login", "friends", "signal"] {
            assert!(of(TurnProvider::Host, program).is_empty(), "{program}");
        }
        assert_eq!(function_permissions(&Config::default(), "relay").parameters, pair, "and nothing else");
    }

    #[test]
    fn only_functions_that_send_mail_have_access_to_the_mail_provider() {
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
    fn no_program_may_manage_tables_and_only_login_may_scan_them() {
        for function in FUNCTIONS.into_iter().chain(["signal", "relay"]) {
            for table in function_permissions(&Config::default(), function).tables {
                for action in table.actions {
                    // Once after an update, it moves the accounts of earlier versions to one spelling.
                    let moves = function == "login" && table.table != "Ephemeral" && *action == "Scan";
                    assert!(moves || action.ends_with("Item") || *action == "Query", "{function} {action}");
                }
            }
        }
    }
}
