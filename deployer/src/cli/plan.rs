//! The command line of `plan`.

use clap::{Args, ValueEnum};
use peersync_config::Expiry;

/// Arguments of `plan`.
#[derive(Clone, Debug, Default, Args)]
pub struct PlanArgs {
    /// Exit with status 3 if changes are pending.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show what `up` would do with the same option.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Expiry>,
    /// Show what `up` would do with the same option.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub adopt: Vec<String>,
    /// The form of the plan. Not with `--output json`.
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub format: PlanFormat,
}

/// The form of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Text for a terminal.
    #[default]
    Text,
    /// Markdown for a comment on a pull request, at most 65,536 characters.
    Markdown,
}
