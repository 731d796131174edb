//! Secrets: read from Parameter Store again and again while a program runs ([`LiveSecrets`]), never printed.
//!
//! Where two sides must agree on a key, two keys are valid at a time while it changes, see `rotation`.

mod live;
mod rotation;

use crate::settings::{Function, MailProvider, Settings, TurnProvider};

pub use crate::secret::Secret;
pub use live::{FOLLOW_INTERVAL, LiveSecrets, ParameterStore, SecretReader};
pub use rotation::{Former, PREVIOUS, PREVIOUS_SECONDS, SETTLED_SECONDS, TURN_PREVIOUS_SECONDS};

/// The secrets of the stack that a program needs.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The password of the SMTP user.
    pub smtp_pass: Option<Secret>,
    /// EmailJS's private key.
    pub emailjs_private_key: Option<Secret>,
    /// The secret shared with the TURN server.
    pub turn_secret: Option<Secret>,
    /// When `turn_secret` was written, in seconds since 1970; 0 if that is unknown.
    pub turn_secret_written: i64,
    /// The secret shared with the TURN server before the last rotation.
    pub turn_secret_previous: Option<Secret>,
    /// When `turn_secret_previous` was written, in seconds since 1970; 0 if that is unknown.
    pub turn_secret_previous_written: i64,
    /// The id of the key of Cloudflare's TURN.
    pub turn_key_id: Option<Secret>,
    /// The API token of that key.
    pub turn_api_token: Option<Secret>,
    /// The token of the Cloudflare Tunnel.
    pub tunnel_token: Option<Secret>,
    /// The key by which the edge proves itself.
    pub origin_key: Option<Secret>,
    /// The key that the edge may still send while it changes to a new one.
    pub origin_key_previous: Option<Secret>,
    /// The key that signs tickets, base64url.
    pub ticket_key: Option<Secret>,
    /// When `ticket_key` was written, in seconds since 1970; 0 if that is unknown.
    pub ticket_key_written: i64,
    /// The key that signed tickets before the last rotation.
    pub ticket_key_previous: Option<Secret>,
    /// When `ticket_key_previous` was written, in seconds since 1970; 0 if that is unknown.
    pub ticket_key_previous_written: i64,
    /// Keys that this program has read before and that were replaced since.
    pub former: Former,
}

/// Why the secrets could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Parameter Store refused or was unreachable; only the error's code is kept.
    #[error("the secrets could not be read from Parameter Store ({0}); does the role allow ssm:GetParameters?")]
    Read(String),
    /// A required secret does not exist.
    #[error("the parameter {0} does not exist; `peersync-deploy up` creates it")]
    Missing(&'static str),
    /// The ticket key does not have the form that the deployer generates.
    #[error("the parameter {0} is not base64url of 32 bytes; delete it and run `peersync-deploy up`")]
    Malformed(&'static str),
}

impl Secrets {
    /// Returns the names (without the prefix) that a program reads. Its role allows exactly these.
    pub fn names(settings: &Settings) -> Vec<&'static str> {
        let mut names = Vec::new();
        if settings.entrance.has_edge() && settings.function.behind_edge() {
            names.extend(["origin-key", "origin-key-previous"]);
        }
        if settings.function.mails() {
            match settings.mail.provider {
                MailProvider::Smtp => names.push("smtp-pass"),
                MailProvider::Emailjs => names.push("emailjs-private-key"),
                MailProvider::None | MailProvider::Ses => {}
            }
        }
        if settings.function.tickets() {
            names.extend(["ticket-key", "ticket-key-previous"]);
        }
        if settings.function == Function::Relay {
            names.extend(["turn-secret", "turn-secret-previous"]);
        } else if settings.function.issues_relay_credentials() {
            match settings.turn.provider {
                TurnProvider::Host => names.extend(["turn-secret", "turn-secret-previous"]),
                TurnProvider::Own => names.push("turn-server-secret"),
                TurnProvider::Cloudflare => names.extend(["turn-key-id", "turn-api-token"]),
                TurnProvider::None => {}
            }
        }
        if settings.tunnel_file.is_some() {
            names.push("tunnel-token");
        }
        names
    }

    /// Reads them in one call. A secret that does not exist stays `None`.
    ///
    /// # Errors
    /// [`SecretsError::Read`].
    pub async fn load(client: &aws_sdk_ssm::Client, settings: &Settings) -> Result<Self, SecretsError> {
        let prefix = format!("{}/", settings.parameter_prefix);
        let names = Self::names(settings).into_iter().map(|name| format!("{prefix}{name}")).collect();
        let answer = client.get_parameters().set_names(Some(names)).with_decryption(true).send().await;
        let answer = answer.map_err(|error| SecretsError::Read(crate::aws::error_code(&error)))?;
        let mut secrets = Self::default();
        for parameter in answer.parameters.unwrap_or_default() {
            let written = parameter.last_modified_date.map_or(0, |moment| moment.secs());
            let (Some(name), Some(value)) = (parameter.name, parameter.value) else { continue };
            secrets.put(name.strip_prefix(&prefix).unwrap_or(&name), value, written);
        }
        Ok(secrets)
    }

    fn put(&mut self, name: &str, value: String, written: i64) {
        let secret = match name {
            "smtp-pass" => &mut self.smtp_pass,
            "emailjs-private-key" => &mut self.emailjs_private_key,
            // Nobody reads both.
            "turn-secret" | "turn-server-secret" => {
                self.turn_secret_written = written;
                &mut self.turn_secret
            }
            "turn-secret-previous" => {
                self.turn_secret_previous_written = written;
                &mut self.turn_secret_previous
            }
            "turn-key-id" => &mut self.turn_key_id,
            "turn-api-token" => &mut self.turn_api_token,
            "tunnel-token" => &mut self.tunnel_token,
            "origin-key" => &mut self.origin_key,
            "origin-key-previous" => &mut self.origin_key_previous,
            "ticket-key" => {
                self.ticket_key_written = written;
                &mut self.ticket_key
            }
            "ticket-key-previous" => {
                self.ticket_key_previous_written = written;
                &mut self.ticket_key_previous
            }
            _ => return,
        };
        *secret = Some(Secret::new(value));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn secret_is_not_printed_by_debug() {
        let secrets = Secrets { smtp_pass: Some(Secret::new("hunter2")), ..Secrets::default() };
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn function_reads_only_the_secrets_it_uses() {
        let names = |variables: &[(&'static str, &'static str)]| {
            let fixed = [("PEERSYNC_STACK", "a"), ("SITE_URL", "https://a.example")];
            let look_up = move |name: &str| {
                let mut all = fixed.iter().chain(variables);
                all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            Secrets::names(&Settings::from_variables(look_up).unwrap())
        };
        let origin = ["origin-key", "origin-key-previous"];
        let ticket = ["ticket-key", "ticket-key-previous"];
        let signup = names(&[("PEERSYNC_FUNCTION", "signup"), ("MAIL_PROVIDER", "smtp")]);
        assert_eq!(signup, [&origin[..], &["smtp-pass"]].concat());
        assert_eq!(names(&[("PEERSYNC_FUNCTION", "login"), ("MAIL_PROVIDER", "ses")]), origin);
        let rooms = names(&[("PEERSYNC_FUNCTION", "rooms"), ("MAIL_PROVIDER", "smtp")]);
        assert_eq!(rooms, [&origin[..], &ticket].concat());
        for (provider, own) in [
            ("none", &[][..]),
            ("host", &["turn-secret", "turn-secret-previous"]),
            ("own", &["turn-server-secret"]),
            ("cloudflare", &["turn-key-id", "turn-api-token"]),
        ] {
            let of = |function| names(&[("PEERSYNC_FUNCTION", function), ("TURN_PROVIDER", provider)]);
            assert_eq!(of("rooms"), [&origin[..], &ticket, own].concat());
            assert_eq!(of("login"), origin, "only what issues the credentials reads the secret");
            assert_eq!(of("relay"), ["turn-secret", "turn-secret-previous"], "the relay reads nothing else");
        }
        assert_eq!(names(&[("PEERSYNC_FUNCTION", "signal")]), [origin, ticket].concat());
        let relayed = [("PEERSYNC_FUNCTION", "signal"), ("ENTRANCE", "relayed-edge")];
        assert_eq!(names(&relayed), [origin, ticket].concat());
        let proxied = [("PEERSYNC_FUNCTION", "signal"), ("ENTRANCE", "tunnel"), ("TUNNEL_FILE", "/t")];
        assert_eq!(names(&proxied), [&ticket[..], &["tunnel-token"]].concat());
    }
}
