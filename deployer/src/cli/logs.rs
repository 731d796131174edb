//! The arguments of `logs`.

use clap::{Args, ValueEnum};

use peersync_config::Span;

/// Arguments of `logs`.
#[derive(Clone, Debug, Default, Args)]
pub struct LogsArgs {
    /// Keep running and print new entries as they arrive.
    #[arg(short, long)]
    pub follow: bool,
    /// How far back to begin, for example `30m`. If omitted: an hour, or for `install` everything that is kept.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Span>,
    /// Also show the numbers that the programs write for CloudWatch, one line a minute. They are left out otherwise, but not
    /// with `--output json`.
    #[arg(long)]
    pub metrics: bool,
    /// Show the logs of this component only. If omitted, those of all components.
    #[arg(value_enum, value_name = "COMPONENT")]
    pub component: Option<Component>,
}

/// A component of the stack that writes logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// The Lambda function `signup`.
    Signup,
    /// The Lambda function `login`.
    Login,
    /// The Lambda function `friends`.
    Friends,
    /// The Lambda function `rooms`.
    Rooms,
    /// The signaling host with everything on it.
    Signal,
    /// The installation of the host, and its security updates.
    Install,
    /// The relay on the host.
    Relay,
    /// The Cloudflare Tunnel on the host.
    Tunnel,
    /// The API gateway's access log.
    ApiAccess,
}
