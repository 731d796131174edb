//! The definition of the command line: types only. What the commands do is in `commands`.

pub mod connection;
mod logs;
mod plan;
mod policy;
mod secrets;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::logs::{Component, LogsArgs};
pub use self::plan::{PlanArgs, PlanFormat};
pub use self::policy::{PolicyArgs, Purpose};
pub use self::secrets::{SecretName, SecretsCommand, SecretsListArgs, SecretsRotateArgs};
use peersync_config::{Expiry, Span, StageName};

/// Deploys PeerSync, a private peer-to-peer video calling service, to your own AWS account.
#[derive(Clone, Debug, Parser)]
#[command(name = "peersync-deploy", bin_name = "peersync-deploy", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 usage or configuration error.")]
pub struct Cli {
    /// The options that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The options that every command takes.
#[derive(Clone, Debug, Default, Args)]
pub struct GlobalArgs {
    /// The configuration file. If omitted, `peersync.toml` in this folder is used, or the defaults if it does not
    /// exist.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The stage. If omitted: `PEERSYNC_STAGE`, then `dev`.
    #[arg(long, global = true, value_name = "STAGE")]
    pub stage: Option<StageName>,
    /// The AWS region. If omitted: the configuration's, then `AWS_REGION`, then the profile's.
    #[arg(long, global = true, value_name = "REGION", value_parser = connection::region)]
    pub region: Option<String>,
    /// The URL of an AWS emulator. If omitted: `AWS_ENDPOINT_URL`.
    #[arg(long, global = true, value_name = "URL", value_parser = connection::endpoint_url)]
    pub endpoint_url: Option<String>,
    /// The output format.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputFormat,
}

impl GlobalArgs {
    /// Returns the options that choose the stack, as they are given to another command.
    pub fn repeated(&self) -> Vec<String> {
        let config = self.config.as_ref().map(|file| file.display().to_string());
        let stage = self.stage.as_ref().map(|stage| stage.as_str().to_owned());
        let options = [
            ("--config", config),
            ("--stage", stage),
            ("--region", self.region.clone()),
            ("--endpoint-url", self.endpoint_url.clone()),
        ];
        let given = options.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?]));
        given.flatten().collect()
    }
}

/// The format of a command's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Text for people.
    #[default]
    Human,
    /// One JSON event per line on stdout; the last one is the result.
    Json,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make AWS match the configuration.
    Up(UpArgs),
    /// Show what `up` would do, without changing anything.
    Plan(PlanArgs),
    /// Remove the stack.
    Down(DownArgs),
    /// Remove the expired stacks of this account and region, or those of one stage.
    Teardown(TeardownArgs),
    /// List the stacks of this account and region.
    List(ListArgs),
    /// Show the state of every resource.
    Status(StatusArgs),
    /// Show the stack's URLs and names.
    Outputs(OutputsArgs),
    /// List the stack's secrets, without their values, and rotate generated keys.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Show the logs of the stack.
    Logs(LogsArgs),
    /// Open a shell on the signaling host, through the AWS CLI and its Session Manager plugin.
    Shell(ShellArgs),
    /// Check that everything `up` needs is in place.
    Doctor(DoctorArgs),
    /// Print the minimal IAM policy that the deployer needs for this stack.
    Policy(PolicyArgs),
    /// Print the resources and their dependencies as a graph.
    Graph(GraphArgs),
    /// Run the whole product on this computer.
    Local(LocalArgs),
    /// Check and show the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// Arguments of `up`.
#[derive(Clone, Debug, Default, Args)]
pub struct UpArgs {
    /// Do not ask for confirmation. Without a terminal, required if an existing resource is changed, replaced or
    /// deleted.
    #[arg(short, long)]
    pub yes: bool,
    /// When the stack expires: a duration from now such as `48h`, or a date. Overrides `stack.expires`.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Expiry>,
    /// Adopt this existing resource, which has one of the stack's names but not its tags. Can be given several times.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub adopt: Vec<String>,
    /// Do not check afterwards that page, API, WebSocket and relay answer, nor before a change of the way in the DNS of its domain.
    #[arg(long)]
    pub no_check: bool,
    /// Wait this long, for example `5m`, if another run is changing the stack. If omitted, fail at once.
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Span>,
}

/// Arguments of `down`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "Exit status: 4 if something remains.")]
pub struct DownArgs {
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub yes: bool,
    /// Delete the users' data without a backup.
    #[arg(long)]
    pub no_backup: bool,
    /// Wait this long, for example `5m`, if another run is changing the stack. If omitted, fail at once.
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Span>,
}

/// Arguments of `teardown`.
#[derive(Clone, Debug, Default, Args)]
pub struct TeardownArgs {
    /// Required safeguard: only expired stacks are removed.
    #[arg(long, required = true)]
    pub expired: bool,
    /// List the expired stacks without removing them.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub yes: bool,
    /// Wait this long, for example `5m`, if another run is changing one of the stacks. If omitted, fail at once.
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Span>,
}

/// Arguments of `list`.
#[derive(Clone, Debug, Default, Args)]
pub struct ListArgs {
    /// List the stacks of every region that the account has enabled.
    #[arg(long)]
    pub all_regions: bool,
}

/// Arguments of `status`.
#[derive(Clone, Debug, Default, Args)]
pub struct StatusArgs {}

/// Arguments of `outputs`.
#[derive(Clone, Debug, Default, Args)]
pub struct OutputsArgs {}

/// Arguments of `shell`.
#[derive(Clone, Debug, Default, Args)]
pub struct ShellArgs {}

/// Arguments of `doctor`.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {}

/// Arguments of `graph`.
#[derive(Clone, Debug, Default, Args)]
pub struct GraphArgs {
    /// The graph language.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: GraphFormat,
}

/// A language that describes graphs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Mermaid.
    #[default]
    Mermaid,
    /// Graphviz.
    Dot,
}

/// Arguments of `local`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LocalArgs {
    /// A subcommand, if something other than running is asked for.
    #[command(subcommand)]
    pub command: Option<LocalCommand>,
    /// Port of the web pages; 0 picks a free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Address to listen on; `0.0.0.0` makes it reachable from the whole network.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,
    /// Serve HTTPS with a locally generated certificate, so that cameras work on other computers.
    #[arg(long)]
    pub https: bool,
    /// Address of the relay, which connects calls that cannot go directly. If omitted: that of `--host`.
    #[arg(long, value_name = "ADDRESS")]
    pub relay_host: Option<IpAddr>,
    /// Ports of the relay: all accept TCP, the first one UDP too. If omitted: 3478, or a free one if that is taken.
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    pub relay_port: Vec<u16>,
    /// Open the mailbox only with the URL that is printed, for tunnels that are not HTTP, such as `ssh -R`.
    #[arg(long)]
    pub private_mail: bool,
    /// Discard all data on exit.
    #[arg(long, conflicts_with = "data")]
    pub ephemeral: bool,
    /// Data folder. If omitted: `.peersync`.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Serve the pages from this folder and reload the browser when a file is saved. If omitted: `./assets`, if it
    /// exists.
    #[arg(long, value_name = "DIR")]
    pub assets: Option<PathBuf>,
    /// Ignore an AWS emulator that answers on port 4566.
    #[arg(long)]
    pub embedded: bool,
    /// Create accounts to try the product with.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub seed: Option<Seed>,
    /// Delay every API request and WebSocket message by this long, for example `200ms`.
    #[arg(long, value_name = "TIME")]
    pub latency: Option<Span>,
    /// Fraction of API requests and WebSocket messages to drop: `0.05` or `5%`.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub drop: Option<f64>,
    /// Close all WebSockets at this interval, for example `30s`.
    #[arg(long, value_name = "TIME")]
    pub kill_signaling_every: Option<Span>,
}

/// The subcommands of `local`.
#[derive(Clone, Debug, Subcommand)]
pub enum LocalCommand {
    /// Remove what `local` created in an AWS emulator, and the local data.
    Down(LocalDownArgs),
}

/// Arguments of `local down`.
#[derive(Clone, Debug, Default, Args)]
pub struct LocalDownArgs {
    /// Do not ask for confirmation.
    #[arg(short, long)]
    pub yes: bool,
    /// Data folder. If omitted: `.peersync`.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Sets of accounts to try the product with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Seed {
    /// A few people who are each other's friends.
    Demo,
}

/// The subcommands of `config`.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the whole file, including all stages.
    Check,
    /// Print the JSON Schema, for use in editors.
    Schema,
    /// Print the effective values for the stage; secrets are hidden.
    Show(ConfigShowArgs),
}

/// Arguments of `config show`.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigShowArgs {
    /// The format. `--output json` implies JSON.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ConfigFormat,
}

/// A format of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// TOML, as in the file.
    #[default]
    Toml,
    /// JSON.
    Json,
}

/// Arguments of `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, action = ArgAction::Set)]
    pub shell: Shell,
}

fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a fraction is a number from 0 to 1, or a percentage from 0% to 100%".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn fractions_are_numbers_or_percentages() {
        assert_eq!(share("0.05"), Ok(0.05));
        assert_eq!(share("5%"), Ok(0.05));
        for wrong in ["-0.1", "1.5", "101%", "five", "", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
