//! The command `doctor`: checks everything that `up` needs before it is needed. Each check prints one line with its
//! verdict and, if it is not good, a hint on how to fix it. It only reads.

mod aws;
mod offline;
mod quotas;

use serde::Serialize;
use serde_json::json;

use super::{CommandError, Context, Exit, output};
use crate::cli::DoctorArgs;
use crate::report::Invocation;

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Everything is as it should be.
    Ok,
    /// `up` works, but there is something the user should know.
    Warn,
    /// `up` would fail.
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What was checked, such as `credentials`.
    check: &'static str,
    /// The verdict.
    verdict: Verdict,
    /// What was found.
    found: String,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Check {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), hint: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, found: found.into(), hint: Some(hint.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(check, found, hint) }
    }

    /// Converts an error, which brings its own hint.
    fn from_error(check: &'static str, error: &CommandError) -> Self {
        let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
        let hint = error.fix().map(str::to_owned);
        Self { check, verdict: Verdict::Fail, found: format!("{}{causes}", error.summary()), hint }
    }

    fn line(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        let hint = self.hint.as_ref().map(|hint| format!("\n      hint: {hint}")).unwrap_or_default();
        format!("{verdict}  {:<14} {}{hint}", self.check, self.found)
    }
}

/// Runs the checks.
///
/// # Errors
/// This command does not fail: problems are in the report and in the exit code 1.
pub async fn run(context: &Context, _: &DoctorArgs) -> Result<Exit, CommandError> {
    let list = Checklist { json: context.json(), invocation: context.invocation(), failed: 0, warned: 0 };
    let list = checks(context, list).await;
    let exit = if list.failed == 0 { Exit::Done } else { Exit::Failed };
    if list.json {
        let status = if exit == Exit::Done { "done" } else { "failed" };
        output::event(&json!({
            "event": "result", "command": "doctor", "status": status, "failed": list.failed, "warned": list.warned,
        }));
    } else if list.failed > 0 {
        output::note(&format!("{} of the checks failed", list.failed));
    }
    Ok(exit)
}

async fn checks(context: &Context, mut list: Checklist) -> Checklist {
    offline::programs(context).into_iter().for_each(|check| list.add(check));
    let configured = offline::configuration(context);
    let usable = configured.iter().all(|check| check.verdict != Verdict::Fail);
    configured.into_iter().for_each(|check| list.add(check));
    let Some(config) = context.config().ok().filter(|_| usable) else { return list };
    offline::secrets(config).into_iter().for_each(|check| list.add(check));
    list.add(offline::mail(config).await);
    aws::checks(context, &mut list).await;
    list
}

/// Prints the checks as they complete, and counts the failures.
pub(super) struct Checklist {
    json: bool,
    /// Writes out the commands in hints.
    invocation: Invocation,
    failed: usize,
    warned: usize,
}

impl Checklist {
    fn add(&mut self, check: Check) {
        let check = Check { hint: check.hint.map(|hint| self.invocation.complete(&hint)), ..check };
        match check.verdict {
            Verdict::Ok => {}
            Verdict::Warn => self.warned += 1,
            Verdict::Fail => self.failed += 1,
        }
        if self.json {
            output::event(&json!({
                "event": "check", "check": check.check, "verdict": check.verdict, "found": check.found, "hint": check.hint,
            }));
        } else {
            output::data(&check.line());
        }
    }
}
