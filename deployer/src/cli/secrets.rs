//! The command line of `secrets`.

use clap::{Args, Subcommand, ValueEnum};

use peersync_config::Span;

/// The subcommands of `secrets`.
#[derive(Clone, Debug, Subcommand)]
pub enum SecretsCommand {
    /// List names, sources and ages.
    List(SecretsListArgs),
    /// Replace a generated key; the old one stays valid until the new one is known everywhere.
    Rotate(SecretsRotateArgs),
}

/// Arguments of `secrets list`.
#[derive(Clone, Debug, Default, Args)]
pub struct SecretsListArgs {}

/// Arguments of `secrets rotate`.
#[derive(Clone, Debug, Args)]
pub struct SecretsRotateArgs {
    /// The secret. Those from the environment are changed there and brought by `up`.
    #[arg(value_enum, value_name = "NAME")]
    pub name: SecretName,
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub yes: bool,
    /// Wait this long, for example `5m`, if another run is changing the stack. If omitted, fail at once.
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Span>,
}

/// A secret of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecretName {
    /// The password of the SMTP user, from the environment.
    SmtpPass,
    /// EmailJS's private key, from the environment.
    EmailjsPrivateKey,
    /// The generated key that signs credentials for the relay on the host.
    TurnSecret,
    /// The key that signs credentials for a TURN server of your own, from the environment.
    TurnServerSecret,
    /// The id of the key of Cloudflare's TURN, from the environment.
    TurnKeyId,
    /// The API token of that key, from the environment.
    TurnApiToken,
    /// The token of the Cloudflare Tunnel: from Cloudflare for a tunnel that `up` has created, from the environment for your own.
    TunnelToken,
    /// The generated key that signs tickets for the signaling server.
    TicketKey,
    /// The generated key by which CloudFront proves itself.
    OriginKey,
}

impl SecretName {
    /// Returns the name as in Parameter Store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SmtpPass => "smtp-pass",
            Self::EmailjsPrivateKey => "emailjs-private-key",
            Self::TurnSecret => "turn-secret",
            Self::TurnServerSecret => "turn-server-secret",
            Self::TurnKeyId => "turn-key-id",
            Self::TurnApiToken => "turn-api-token",
            Self::TunnelToken => "tunnel-token",
            Self::TicketKey => "ticket-key",
            Self::OriginKey => "origin-key",
        }
    }
}
