//! The configuration: `peersync.toml`, its stages, and values from the environment.

mod model;
mod secret;
mod span;

pub use model::{
    Alarms, Api, Config, EmailJs, Ingress, Logs, Mail, MailProvider, Signaling, Site, Smtp, SmtpTls, StackSettings,
    Turn,
};
pub use secret::Secret;
pub use span::Span;
