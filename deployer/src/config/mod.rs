//! The configuration: `peersync.toml`, its stages, and values from the environment.

mod expiry;
mod load;
mod model;
mod problem;
mod secret;
mod span;
mod stage;

pub use expiry::Expiry;
pub use load::{LoadOptions, load, require_secrets};
pub use model::{
    Alarms, Api, Config, EmailJs, Ingress, Logs, Mail, MailProvider, Signaling, Site, Smtp, SmtpTls, StackSettings,
    Turn,
};
pub use problem::{ConfigError, Problem};
pub use secret::Secret;
pub use span::Span;
pub use stage::{StageError, StageName};
