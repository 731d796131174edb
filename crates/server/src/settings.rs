//! Settings of the programs, read once at the start from environment variables. `local` fills the same structure
//! directly.

mod entrance;
mod relay;
mod turn;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use entrance::Entrance;
pub use relay::{RelaySettings, RelayTls, TurnPorts};
pub use turn::{CLOUDFLARE_URL, TurnProvider, TurnSettings};

/// Why the environment is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The variable is missing or empty.
    #[error("the environment variable {0} is not set; run `peersync-deploy up`, which sets it")]
    Missing(&'static str),
    /// The variable has an invalid value.
    #[error("the environment variable {name} is not {expected}; run `peersync-deploy up`, which corrects it")]
    Invalid {
        /// The name of the variable.
        name: &'static str,
        /// What its value must be.
        expected: &'static str,
    },
}

/// The settings of the programs that are not secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The stack's name, `{name}-{stage}`; also the issuer of its tickets.
    pub stack: String,
    /// The stage's name, reported by `/health`.
    pub stage: String,
    /// Which of the functions this process is; [`Function::All`] outside of AWS.
    pub function: Function,
    /// The names of the tables.
    pub tables: Tables,
    /// The URL of the pages, without a trailing slash. Links in mails begin with it or, in `local`, with the
    /// [`Site`](crate::site::Site) that the edge has determined, never with data of a request.
    pub site_url: String,
    /// The URL of the API, without a trailing slash.
    pub api_base_url: String,
    /// The URL of the signaling server, `wss://…/ws`.
    pub signal_url: String,
    /// Origins that browsers may send requests from, in addition to [`Settings::site_url`].
    pub allowed_origins: Vec<String>,
    /// The prefix of the secrets' names in Parameter Store, without a trailing slash.
    pub parameter_prefix: String,
    /// How mail is sent.
    pub mail: MailSettings,
    /// The STUN and TURN servers that browsers are told.
    pub turn: TurnSettings,
    /// The maximum number of people in a room. Default 4.
    pub room_capacity: u32,
    /// The address on which the signaling server listens. Default `0.0.0.0:8080`.
    pub listen: SocketAddr,
    /// What is in front of the signaling server. Default [`Entrance::Edge`].
    pub entrance: Entrance,
    /// The file into which the signaling server writes the token of the Cloudflare Tunnel, if the host has one.
    pub tunnel_file: Option<PathBuf>,
    /// Where `cloudflared` tells the address of its quick tunnel, if the host has one.
    pub tunnel_metrics: Option<SocketAddr>,
}

/// The function of the API that a process runs as. All serve the same router; they differ in what their role allows,
/// and so in the secrets that they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Creates accounts.
    Signup,
    /// Signs in and out, and serves the caller's own account.
    Login,
    /// Friends, friend requests, search.
    Friends,
    /// Rooms and tickets.
    Rooms,
    /// The signaling server.
    Signal,
    /// The STUN and TURN server beside it.
    Relay,
    /// All in one process.
    All,
}

impl Function {
    /// Returns whether it sends mail.
    pub fn mails(self) -> bool {
        matches!(self, Self::Signup | Self::Login | Self::Friends | Self::All)
    }

    /// Returns whether it issues or verifies tickets.
    pub fn tickets(self) -> bool {
        matches!(self, Self::Rooms | Self::Signal | Self::All)
    }

    /// Returns whether it issues credentials for the TURN server.
    pub fn issues_relay_credentials(self) -> bool {
        matches!(self, Self::Rooms | Self::All)
    }

    /// Returns whether it believes the edge about the address of a client.
    pub fn behind_edge(self) -> bool {
        self != Self::Relay
    }

    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "signup" => Self::Signup,
            "login" => Self::Login,
            "friends" => Self::Friends,
            "rooms" => Self::Rooms,
            "signal" => Self::Signal,
            "relay" => Self::Relay,
            "all" => Self::All,
            _ => return None,
        })
    }
}

/// The names of the DynamoDB tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Accounts. Key: `email`.
    pub users: String,
    /// Friendships. Key: `userEmail` and `targetEmail`.
    pub user_connections: String,
    /// Items that expire: sessions, sign-in links, rooms, counters. Key: `key`.
    pub ephemeral: String,
}

impl Tables {
    /// Returns the tables of a stack.
    pub fn of(stack: &str) -> Self {
        Self {
            users: format!("{stack}-Users"),
            user_connections: format!("{stack}-UserConnections"),
            ephemeral: format!("{stack}-Ephemeral"),
        }
    }
}

/// How mail is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailSettings {
    /// The service that sends it.
    pub provider: MailProvider,
    /// The sender, `PeerSync <you@example.org>`. Default: the SMTP user.
    pub from: String,
    /// Settings for [`MailProvider::Smtp`].
    pub smtp: SmtpSettings,
    /// Settings for [`MailProvider::Emailjs`].
    pub emailjs: EmailjsSettings,
}

/// The service that sends mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailProvider {
    /// None: requests for mail report that it was not sent.
    #[default]
    None,
    /// An SMTP server such as Gmail's or the mailbox of `local`.
    Smtp,
    /// EmailJS.
    Emailjs,
    /// Amazon SES.
    Ses,
}

/// An SMTP server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Its host name.
    pub host: String,
    /// Its port. Default 587.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// The user. Without one the client does not authenticate.
    pub user: Option<String>,
    /// A root certificate (PEM) to trust in addition to the system's, for a private server.
    pub root_certificate: Option<String>,
}

/// How the connection to the SMTP server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpTls {
    /// The connection begins in plain text and must be upgraded to TLS.
    #[default]
    Starttls,
    /// The connection uses TLS from the first byte.
    Tls,
    /// The connection is not encrypted. Only for a server on the same machine.
    None,
}

/// An EmailJS account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailjsSettings {
    /// The URL of its API. Default [`EMAILJS_URL`].
    pub url: String,
    /// The id of the service.
    pub service_id: String,
    /// The id of the template.
    pub template_id: String,
    /// The account's public key.
    pub public_key: String,
}

/// The URL of the EmailJS API (<https://www.emailjs.com/docs/rest-api/send/>).
pub const EMAILJS_URL: &str = "https://api.emailjs.com/api/v1.0/email/send";

impl Default for EmailjsSettings {
    fn default() -> Self {
        Self {
            url: EMAILJS_URL.to_owned(),
            service_id: String::new(),
            template_id: String::new(),
            public_key: String::new(),
        }
    }
}

impl Settings {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_environment() -> Result<Self, SettingError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads variables through `look_up`. Empty ones count as missing.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_variables(look_up: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingError> {
        let variables = Variables(&look_up);
        let stack = variables.required("PEERSYNC_STACK")?;
        let tables = Tables::of(&stack);
        let site_url = variables.required("SITE_URL")?.trim_end_matches('/').to_owned();
        Ok(Self {
            stage: variables.or("PEERSYNC_STAGE", ""),
            function: variables.parsed("PEERSYNC_FUNCTION", "a function's name", Function::All, Function::parse)?,
            tables: Tables {
                users: variables.or("USERS_TABLE", &tables.users),
                user_connections: variables.or("USER_CONNECTIONS_TABLE", &tables.user_connections),
                ephemeral: variables.or("EPHEMERAL_TABLE", &tables.ephemeral),
            },
            api_base_url: variables.or("API_BASE_URL", &format!("{site_url}/api")),
            signal_url: variables.or("SIGNAL_URL", ""),
            allowed_origins: variables.list("ALLOWED_ORIGINS"),
            parameter_prefix: variables.or("PARAMETER_PREFIX", &format!("/peersync/{stack}")),
            mail: variables.mail()?,
            turn: variables.turn()?,
            room_capacity: variables.parsed("ROOM_CAPACITY", "a number", 4, |text| text.parse().ok())?,
            listen: variables.parsed(
                "LISTEN",
                "an address like 0.0.0.0:8080",
                ([0, 0, 0, 0], 8080).into(),
                |text| text.parse().ok(),
            )?,
            entrance: variables.entrance()?,
            tunnel_file: variables.get("TUNNEL_FILE").map(PathBuf::from),
            tunnel_metrics: variables.tunnel_metrics()?,
            stack,
            site_url,
        })
    }

    /// Returns whether a browser may send requests from this origin.
    pub fn allows_origin(&self, origin: &str) -> bool {
        origin == self.site_url || self.allowed_origins.iter().any(|allowed| allowed == origin)
    }
}

struct Variables<'a>(&'a dyn Fn(&'static str) -> Option<String>);

impl Variables<'_> {
    fn get(&self, name: &'static str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<String, SettingError> {
        self.get(name).ok_or(SettingError::Missing(name))
    }

    fn or(&self, name: &'static str, default: &str) -> String {
        self.get(name).unwrap_or_else(|| default.to_owned())
    }

    fn list(&self, name: &'static str) -> Vec<String> {
        let parts = self.get(name).unwrap_or_default();
        parts
            .split(',')
            .map(|part| part.trim().trim_end_matches('/').to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SettingError> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => parse(&text).ok_or(SettingError::Invalid { name, expected }),
        }
    }

    fn mail(&self) -> Result<MailSettings, SettingError> {
        let provider =
            self.parsed("MAIL_PROVIDER", "one of none, smtp, emailjs, ses", MailProvider::None, |text| match text {
                "none" => Some(MailProvider::None),
                "smtp" => Some(MailProvider::Smtp),
                "emailjs" => Some(MailProvider::Emailjs),
                "ses" => Some(MailProvider::Ses),
                _ => None,
            })?;
        let tls = self.parsed("SMTP_TLS", "one of starttls, tls, none", SmtpTls::Starttls, |text| match text {
            "starttls" => Some(SmtpTls::Starttls),
            "tls" => Some(SmtpTls::Tls),
            "none" => Some(SmtpTls::None),
            _ => None,
        })?;
        let smtp = SmtpSettings {
            host: self.or("SMTP_HOST", ""),
            port: self.parsed("SMTP_PORT", "a port number", 587, |text| text.parse().ok())?,
            tls,
            user: self.get("SMTP_USER"),
            root_certificate: None,
        };
        Ok(MailSettings {
            provider,
            from: self.or("MAIL_FROM", smtp.user.as_deref().unwrap_or("")),
            smtp,
            emailjs: EmailjsSettings {
                url: self.or("EMAILJS_URL", EMAILJS_URL),
                service_id: self.or("EMAILJS_SERVICE_ID", ""),
                template_id: self.or("EMAILJS_TEMPLATE_ID", ""),
                public_key: self.or("EMAILJS_PUBLIC_KEY", ""),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Settings, SettingError> {
        Settings::from_variables(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
    }

    #[test]
    fn stack_and_site_are_the_only_required_variables() {
        let settings = read(&[("PEERSYNC_STACK", "peersync-dev"), ("SITE_URL", "https://a.example/")]).unwrap();
        assert_eq!(settings.tables, Tables::of("peersync-dev"));
        assert_eq!(settings.api_base_url, "https://a.example/api");
        assert_eq!(settings.parameter_prefix, "/peersync/peersync-dev");
        assert_eq!(settings.function, Function::All);
        assert!(settings.allows_origin("https://a.example"));
        assert!(!settings.allows_origin("https://a.example.evil"));
    }

    #[test]
    fn error_names_the_variable_but_not_its_value() {
        assert_eq!(read(&[("PEERSYNC_STACK", "a")]), Err(SettingError::Missing("SITE_URL")));
        let base = [("PEERSYNC_STACK", "a"), ("SITE_URL", "https://a.example")];
        for (name, value) in [
            ("MAIL_PROVIDER", "pigeon"),
            ("SMTP_PORT", "70000"),
            ("SMTP_TLS", "maybe"),
            ("PEERSYNC_FUNCTION", "x"),
            ("TURN_PROVIDER", "twilio"),
            ("ENTRANCE", "back-door"),
        ] {
            let error = read(&[base[0], base[1], (name, value)]).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert!(!error.to_string().contains(value), "a value is repeated: {error}");
        }
    }

    #[test]
    fn lists_are_split_and_trimmed() {
        let settings = read(&[
            ("PEERSYNC_STACK", "a"),
            ("SITE_URL", "https://a.example"),
            ("ALLOWED_ORIGINS", " https://b.example/, ,http://localhost:3000"),
        ]);
        assert_eq!(settings.unwrap().allowed_origins, ["https://b.example", "http://localhost:3000"]);
    }
}
