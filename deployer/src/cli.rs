//! The command line: its types alone, apart from what the commands do.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use peersync_config::{Expiry, Span, StageName};

/// Puts PeerSync, a private peer-to-peer video calling service, into your own AWS account.
#[derive(Clone, Debug, Parser)]
#[command(name = "peersync-deploy", bin_name = "peersync-deploy", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 usage or configuration error.")]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Default, Args)]
pub struct GlobalArgs {
    /// The configuration; `peersync.toml` in this folder where left out, the defaults where that is not there.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The stage; otherwise `PEERSYNC_STAGE`, otherwise `dev`.
    #[arg(long, global = true, value_name = "STAGE")]
    pub stage: Option<StageName>,
    /// The region; otherwise that of the configuration, of `AWS_REGION` or of the profile.
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// An endpoint that stands for AWS; otherwise `AWS_ENDPOINT_URL`.
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// For people, or one JSON event a line on stdout, the last one the result.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputForm,
}

/// In which form a command tells what it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people.
    #[default]
    Human,
    /// One JSON event a line.
    Json,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make AWS match the configuration.
    Up(UpArgs),
    /// Show what `up` would do, and write nothing.
    Plan(PlanArgs),
    /// Remove the stack.
    Down(DownArgs),
    /// Remove every stack of this account and region that has expired.
    Teardown(TeardownArgs),
    /// Show the state of every resource.
    Status(StatusArgs),
    /// Show the addresses and names that the stack has given out.
    Outputs(OutputsArgs),
    /// Show the logs of the stack.
    Logs(LogsArgs),
    /// Check that everything `up` needs is there.
    Doctor(DoctorArgs),
    /// Print the IAM policy that the deployer needs for this stack, and no more.
    Policy(PolicyArgs),
    /// Print the resources and what each depends on.
    Graph(GraphArgs),
    /// Run the whole product on this computer.
    Local(LocalArgs),
    /// Check and show the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
}

/// Arguments of `up`.
#[derive(Clone, Debug, Default, Args)]
pub struct UpArgs {
    /// Do not ask. Without a terminal it is needed where something that exists is changed, replaced or deleted.
    #[arg(short, long)]
    pub yes: bool,
    /// When the stack may be removed: `48h` from now, or a date; over `stack.expires`.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Expiry>,
    /// Take over resources that have our names and not our tags.
    #[arg(long)]
    pub adopt: bool,
    /// Do not check at the end that the page and the API answer.
    #[arg(long)]
    pub no_check: bool,
}

/// Arguments of `plan`.
#[derive(Clone, Debug, Default, Args)]
pub struct PlanArgs {
    /// Exit with 3 where there is something to do.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show what `up --adopt` would do.
    #[arg(long)]
    pub adopt: bool,
}

/// Arguments of `down`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "Exit status: 4 where something remains.")]
pub struct DownArgs {
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Delete the users' data without a backup.
    #[arg(long)]
    pub no_backup: bool,
}

/// Arguments of `teardown`.
#[derive(Clone, Debug, Default, Args)]
pub struct TeardownArgs {
    /// Those whose time has come. There is no other choice; it is here so that nobody removes stacks by accident.
    #[arg(long, required = true)]
    pub expired: bool,
    /// Show them and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// Arguments of `status`.
#[derive(Clone, Debug, Default, Args)]
pub struct StatusArgs {}

/// Arguments of `outputs`.
#[derive(Clone, Debug, Default, Args)]
pub struct OutputsArgs {}

/// Arguments of `logs`.
#[derive(Clone, Debug, Default, Args)]
pub struct LogsArgs {
    /// Go on and show what comes.
    #[arg(short, long)]
    pub follow: bool,
    /// One part of the stack; all where left out.
    #[arg(value_enum, value_name = "COMPONENT")]
    pub component: Option<Component>,
}

/// A part of the stack that writes logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// The function `signup`.
    Signup,
    /// The function `login`.
    Login,
    /// The function `friends`.
    Friends,
    /// The function `rooms`.
    Rooms,
    /// The signaling host.
    Signal,
    /// The gateway's access log.
    ApiAccess,
}

/// Arguments of `doctor`.
#[derive(Clone, Debug, Default, Args)]
pub struct DoctorArgs {}

/// Arguments of `policy`.
#[derive(Clone, Debug, Default, Args)]
pub struct PolicyArgs {
    /// The account; asked from AWS where left out, and any where there are no credentials.
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub account: Option<String>,
}

/// Arguments of `graph`.
#[derive(Clone, Debug, Default, Args)]
pub struct GraphArgs {
    /// In which language.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: GraphFormat,
}

/// A language for pictures of graphs.
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
    /// Something other than running it.
    #[command(subcommand)]
    pub command: Option<LocalCommand>,
    /// Port of the pages; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Address to listen on; `0.0.0.0` for the whole network.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,
    /// Serve HTTPS with a certificate made here, so that cameras work from other computers.
    #[arg(long)]
    pub https: bool,
    /// Keep nothing when it ends.
    #[arg(long, conflicts_with = "data")]
    pub ephemeral: bool,
    /// Folder of the data; `.peersync` where left out.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Serve the pages from this folder and reload the browser on save; `./assets` where that is there.
    #[arg(long, value_name = "DIR")]
    pub assets: Option<PathBuf>,
    /// Ignore an emulator that answers on port 4566.
    #[arg(long)]
    pub embedded: bool,
    /// Create people to try it with.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub seed: Option<Seed>,
    /// Delay of each API request and WebSocket message: `200ms`.
    #[arg(long, value_name = "TIME")]
    pub latency: Option<Span>,
    /// Share of API requests and WebSocket messages that are lost: `0.05` or `5%`.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub drop: Option<f64>,
    /// Cut all WebSockets every so often: `30s`.
    #[arg(long, value_name = "TIME")]
    pub kill_signaling_every: Option<Span>,
}

/// What `local` does beside running.
#[derive(Clone, Debug, Subcommand)]
pub enum LocalCommand {
    /// Remove what `local` has put into an emulator, and the local data.
    Down(LocalDownArgs),
}

/// Arguments of `local down`.
#[derive(Clone, Debug, Default, Args)]
pub struct LocalDownArgs {
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Folder of the data; `.peersync` where left out.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// People to try the product with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Seed {
    /// A few people who are friends.
    Demo,
}

/// What is done with the configuration.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the whole file, all stages included.
    Check,
    /// Print the JSON Schema, for editors.
    Schema,
    /// Print the effective values of the stage, secrets hidden.
    Show(ConfigShowArgs),
}

/// Arguments of `config show`.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigShowArgs {
    /// In which form; JSON too with `--output json`.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ConfigFormat,
}

/// A form of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// As in the file.
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

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account is 12 digits".to_owned())
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is a number from 0 to 1, or a percentage from 0% to 100%".to_owned())
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
    fn shares_are_numbers_or_percentages() {
        assert_eq!(share("0.05"), Ok(0.05));
        assert_eq!(share("5%"), Ok(0.05));
        for wrong in ["-0.1", "1.5", "101%", "five", "", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
