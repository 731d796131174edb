//! The arguments of `policy`.

use clap::{Args, ValueEnum};

/// Arguments of `policy`.
#[derive(Clone, Debug, Default, Args)]
pub struct PolicyArgs {
    /// The account ID. If omitted, AWS is asked; without credentials the policy covers any account.
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub account: Option<String>,
    /// What the role may do.
    #[arg(long = "for", value_enum, default_value_t, value_name = "PURPOSE")]
    pub purpose: Purpose,
    /// Cover every stage that matches this pattern, such as `pr-*`, and no other: for a pipeline.
    #[arg(long, value_name = "PATTERN", value_parser = stage_pattern, conflicts_with = "stage")]
    pub stages: Option<String>,
    /// Cover this KMS key too: the customer managed key with which the region encrypts EBS volumes by default, if it has one.
    #[arg(long, value_name = "ARN", value_parser = key)]
    pub ebs_key: Option<String>,
    /// Print this part of the policy, from 1: each fits into a managed policy of IAM. If omitted, the whole policy.
    #[arg(long, value_name = "NUMBER")]
    pub part: Option<usize>,
}

/// What a role is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Every command.
    #[default]
    Up,
    /// Commands that change nothing: `plan`, `status`, `outputs`, `logs`, `doctor`.
    Plan,
    /// `teardown`, for all stacks of the account unless a stage is given.
    Teardown,
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account ID has 12 digits".to_owned())
    }
}

fn key(text: &str) -> Result<String, String> {
    if text.starts_with("arn:") && text.contains(":kms:") && text.contains(":key/") {
        Ok(text.to_owned())
    } else {
        Err("the ARN of a key ends with `:key/` and its id; an alias does not count in policies".to_owned())
    }
}

fn stage_pattern(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '*';
    if !text.chars().all(allowed) {
        return Err("a pattern of stages has lower-case letters, digits, hyphens and `*`".to_owned());
    }
    if !text.contains('*') {
        return Err(format!("it is no pattern: use `--stage {text}` for one stage, or a `*` for any characters"));
    }
    Ok(text.to_owned())
}
