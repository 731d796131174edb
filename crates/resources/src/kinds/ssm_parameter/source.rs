//! Where the value of each parameter comes from.

use crate::kinds::parameter_store::{
    CLOUDFLARE, DIGESTS, ORIGIN_KEY, TICKET_KEY, TUNNEL_TOKEN, TURN_SECRET, TURN_SERVER_SECRET,
};
use peersync_config::{Config, Ingress, MailProvider, Secret, TurnProvider};
use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE};

/// The source of a parameter's value.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// An environment variable, if the configuration names one; with the configuration key for messages.
    Configured(&'static str, fn(&Config) -> Option<&Secret>),
    /// The deployer generates it.
    Generated,
    /// It is the previous value of the origin key, which no plan creates: it is deleted once the edge no longer sends
    /// it.
    Previous,
    /// The deployer writes the digests into it, so that no plan compares it.
    Digests,
    /// The host keeps something in it, if it has a name of its own: its certificate, and its account at the authority.
    Host,
    /// Cloudflare, which knows it of the tunnel that `up` has created.
    Tunnel,
    /// The deployer writes into it where the tunnel is, before it creates that.
    Places,
}

/// The names of the parameters.
pub(super) const PARTS: [&str; 14] = [
    "smtp-pass",
    "emailjs-private-key",
    TURN_SECRET,
    TURN_SERVER_SECRET,
    "turn-key-id",
    "turn-api-token",
    TUNNEL_TOKEN,
    TICKET_KEY,
    ORIGIN_KEY,
    "origin-key-previous",
    DIGESTS,
    ACME_ACCOUNT,
    ACME_CERTIFICATE,
    CLOUDFLARE,
];

/// Returns the source of the value of a parameter.
pub(super) fn source(config: &Config, part: &str) -> Source {
    match part {
        "smtp-pass" => Source::Configured("password under [mail.smtp]", smtp_password),
        "emailjs-private-key" => Source::Configured("private_key under [mail.emailjs]", emailjs_key),
        TURN_SERVER_SECRET => Source::Configured("secret under [turn]", turn_secret),
        "turn-key-id" => Source::Configured("key_id under [turn]", turn_key_id),
        "turn-api-token" => Source::Configured("api_token under [turn]", turn_api_token),
        TUNNEL_TOKEN if config.managed_tunnel().is_some() => Source::Tunnel,
        CLOUDFLARE => Source::Places,
        TUNNEL_TOKEN => Source::Configured("tunnel_token under [signaling]", tunnel_token),
        "origin-key-previous" => Source::Previous,
        DIGESTS => Source::Digests,
        ACME_ACCOUNT | ACME_CERTIFICATE => Source::Host,
        _ => Source::Generated,
    }
}

/// Returns whether the stack uses a parameter whose value the deployer generates.
pub(super) fn is_generated(config: &Config, part: &str) -> bool {
    part != TURN_SECRET || config.turn_provider() == TurnProvider::Host
}

fn smtp_password(config: &Config) -> Option<&Secret> {
    config.mail.smtp.password.as_ref().filter(|_| config.mail.provider == MailProvider::Smtp)
}

fn emailjs_key(config: &Config) -> Option<&Secret> {
    config.mail.emailjs.private_key.as_ref().filter(|_| config.mail.provider == MailProvider::Emailjs)
}

fn turn_secret(config: &Config) -> Option<&Secret> {
    config.turn.secret.as_ref().filter(|_| config.turn_provider() == TurnProvider::Own)
}

fn turn_key_id(config: &Config) -> Option<&Secret> {
    config.turn.key_id.as_ref().filter(|_| config.turn_provider() == TurnProvider::Cloudflare)
}

fn turn_api_token(config: &Config) -> Option<&Secret> {
    config.turn.api_token.as_ref().filter(|_| config.turn_provider() == TurnProvider::Cloudflare)
}

fn tunnel_token(config: &Config) -> Option<&Secret> {
    config.signaling.tunnel_token.as_ref().filter(|_| config.signaling.ingress == Ingress::Cloudflare)
}
