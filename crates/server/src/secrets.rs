//! Secrets: read from Parameter Store once per start, never printed.

use std::fmt;

use subtle::ConstantTimeEq as _;

use crate::settings::{Function, MailProvider, Settings};
use crate::tickets::{TicketKey, TicketKeys};

/// A text that is never printed: its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns a secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not depend on where the texts differ, only on their length.
    pub fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// The secrets of the stack that a program needs.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The password of the SMTP user.
    pub smtp_pass: Option<Secret>,
    /// EmailJS's private key.
    pub emailjs_private_key: Option<Secret>,
    /// The secret shared with the TURN server.
    pub turn_secret: Option<Secret>,
    /// The key by which the edge proves itself.
    pub origin_key: Option<Secret>,
    /// The key that signs tickets, base64url.
    pub ticket_key: Option<Secret>,
    /// The key that signed tickets before the last rotation.
    pub ticket_key_previous: Option<Secret>,
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
        let mut names = vec!["origin-key"];
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
        if matches!(settings.function, Function::Rooms | Function::All) {
            names.push("turn-secret");
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
            let (Some(name), Some(value)) = (parameter.name, parameter.value) else { continue };
            secrets.put(name.strip_prefix(&prefix).unwrap_or(&name), value);
        }
        Ok(secrets)
    }

    fn put(&mut self, name: &str, value: String) {
        let secret = match name {
            "smtp-pass" => &mut self.smtp_pass,
            "emailjs-private-key" => &mut self.emailjs_private_key,
            "turn-secret" => &mut self.turn_secret,
            "origin-key" => &mut self.origin_key,
            "ticket-key" => &mut self.ticket_key,
            "ticket-key-previous" => &mut self.ticket_key_previous,
            _ => return,
        };
        *secret = Some(Secret(value));
    }

    /// Returns the keys for tickets.
    ///
    /// # Errors
    /// The key is missing, or is not one that the deployer generated.
    pub fn ticket_keys(&self, issuer: &str) -> Result<TicketKeys, SecretsError> {
        let current = self.ticket_key.as_ref().ok_or(SecretsError::Missing("ticket-key"))?;
        let current = TicketKey::parse(current.reveal()).ok_or(SecretsError::Malformed("ticket-key"))?;
        let previous = match &self.ticket_key_previous {
            Some(key) => Some(TicketKey::parse(key.reveal()).ok_or(SecretsError::Malformed("ticket-key-previous"))?),
            None => None,
        };
        Ok(TicketKeys::new(issuer, current, previous))
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
    fn only_the_same_text_matches() {
        let secret = Secret::new("abcdef");
        assert!(secret.matches("abcdef"));
        for other in ["abcdeg", "bbcdef", "abcde", "abcdefg", ""] {
            assert!(!secret.matches(other), "{other}");
        }
    }

    #[test]
    fn function_reads_only_the_secrets_it_uses() {
        let variables = |function: &'static str, provider: &'static str| {
            Settings::from_variables(move |name| {
                Some(
                    match name {
                        "PEERSYNC_STACK" => "a",
                        "SITE_URL" => "https://a.example",
                        "PEERSYNC_FUNCTION" => function,
                        "MAIL_PROVIDER" => provider,
                        _ => return None,
                    }
                    .to_owned(),
                )
            })
            .unwrap()
        };
        assert_eq!(Secrets::names(&variables("signup", "smtp")), ["origin-key", "smtp-pass"]);
        assert_eq!(Secrets::names(&variables("login", "ses")), ["origin-key"]);
        assert_eq!(
            Secrets::names(&variables("rooms", "smtp")),
            ["origin-key", "ticket-key", "ticket-key-previous", "turn-secret"]
        );
    }
}
