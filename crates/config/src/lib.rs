//! The configuration: `peersync.toml`, its stages, and values from the environment.

mod age;
mod architecture;
mod check;
mod cloudflare;
mod expiry;
mod load;
mod mask;
mod model;
mod nearest;
mod places;
mod problem;
mod region;
mod rules;
mod schema;
mod secret;
mod span;
mod stack_name;
mod stage;
#[cfg(test)]
mod tests;

pub use age::MaxAge;
pub use architecture::Architecture;
pub use cloudflare::{CLOUDFLARE_API_TOKEN, CLOUDFLARE_PERMISSIONS};
pub use expiry::Expiry;
pub use load::{LoadOptions, Loaded, load, load_all};
pub use model::{
    Alarms, Api, Config, EmailJs, Ingress, Logs, Mail, MailProvider, Signaling, Site, Smtp, SmtpTls, StackSettings,
    Turn, TurnProvider,
};
pub use nearest::nearest;
pub use problem::{ConfigError, Problem};
pub use region::{is_region, region_refusal};
pub use schema::schema;
pub use secret::Secret;
pub use span::Span;
pub use stack_name::Naming;
pub use stage::{StageError, StageName};
