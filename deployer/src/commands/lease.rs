//! The lease on the stack: held by each command that changes the stack while it does so.

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;

use super::CommandError;
use super::run::Run;
use crate::report::{Busy, words};
use peersync_aws::lease::Holder;
use peersync_config::Span;
use peersync_operations::{Claim, DeployError, HeldLease};
use peersync_resources::stack::Stack;

/// How often programs and logs are told that a run still waits.
const STILL: Duration = Duration::from_secs(10);
/// Variables in which pipelines name the present job, most by its URL: GitLab, Jenkins, CircleCI, Buildkite, CodeBuild.
const JOBS: [&str; 5] = ["CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL", "CODEBUILD_BUILD_ID"];
/// The longest name of a place that is stored, in characters.
const LONGEST_PLACE: usize = 200;

/// Takes the lease on a stack, and stops the run if it is lost.
///
/// # Errors
/// Another run holds it, and does not give it back within `wait`; or AWS denies access.
pub(super) async fn take(
    run: &Run,
    stack: &Stack,
    command: &'static str,
    wait: Option<Span>,
) -> Result<HeldLease, CommandError> {
    let display = Display { run, shown: Mutex::default() };
    let waiting = |holder: &Holder, waited: Duration| display.show(holder, waited);
    let claim = Claim { command, place: place(), wait: wait.map(|wait| wait.0), waiting: &waiting };
    let lease = HeldLease::take(stack, &claim, &run.interrupt, &run.reporter()).await?;
    lease.stops(&run.interrupt);
    run.report.event(&json!({ "event": "lease", "state": "taken" }));
    Ok(lease)
}

/// Gives the lease back.
///
/// # Errors
/// It was lost before.
pub(super) async fn give_back(run: &Run, lease: HeldLease) -> Result<(), DeployError> {
    if let Some(error) = lease.give_back(&run.reporter()).await? {
        let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
        run.report.warning(&format!("{error}{causes}; it expires by itself within a minute"));
    }
    Ok(())
}

/// Fails if another run holds the lease and this one is not to wait for it: to be called before the user is asked.
///
/// # Errors
/// Another run holds it, or AWS denies access.
pub(super) async fn refuse_held(run: &Run, stack: &Stack, wait: Option<Span>) -> Result<(), CommandError> {
    if wait.is_some() {
        return Ok(());
    }
    match run.report.attributed(peersync_operations::lease_holder(stack)).await? {
        Some(holder) => Err(DeployError::Held { stack: stack.name(), holder: Box::new(holder), waited: None }.into()),
        None => Ok(()),
    }
}

/// Shows whom a run waits for, and for how long.
struct Display<'a> {
    run: &'a Run,
    shown: Mutex<Option<Shown>>,
}

struct Shown {
    holder: Holder,
    /// When it is mentioned next.
    next: Duration,
    /// Shows it at a terminal.
    _busy: Busy,
}

impl Display<'_> {
    fn show(&self, holder: &Holder, waited: Duration) {
        let report = &self.run.report;
        let mut shown = self.shown.lock();
        match shown.as_mut().filter(|shown| shown.holder == *holder) {
            Some(shown) if waited < shown.next => return,
            Some(shown) => {
                shown.next = waited + STILL;
                report.still(&format!("still waiting for {holder} [{} elapsed]", words::elapsed(waited)));
            }
            None => {
                // The old line ends before the new one begins.
                *shown = None;
                let busy = report.busy(&format!("waiting for {holder}"));
                *shown = Some(Shown { holder: holder.clone(), next: waited + STILL, _busy: busy });
            }
        }
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        report.event(&json!({ "event": "lease", "state": "waiting", "holder": holder, "waited_ms": waited_ms }));
    }
}

/// Returns where this run is: the job of a pipeline, or this computer.
pub(super) fn place() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let place = job(variable).unwrap_or_else(|| {
        let host = hostname::get().map(|host| host.to_string_lossy().into_owned());
        format!("{} (process {})", host.unwrap_or_else(|_| "a computer without a name".to_owned()), std::process::id())
    });
    // A parameter must not contain `{{`.
    place.chars().filter(|letter| !"{}".contains(*letter)).take(LONGEST_PLACE).collect()
}

fn job(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let github = || {
        let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?))
    };
    github().or_else(|| JOBS.iter().find_map(|name| variable(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_of_a_pipeline_is_named_by_its_address() {
        let github = |name: &str| {
            let value = match name {
                "GITHUB_SERVER_URL" => "https://github.com",
                "GITHUB_REPOSITORY" => "ada/calls",
                "GITHUB_RUN_ID" => "42",
                _ => return None,
            };
            Some(value.to_owned())
        };
        assert_eq!(job(github).as_deref(), Some("https://github.com/ada/calls/actions/runs/42"));
        let gitlab = |name: &str| (name == "CI_JOB_URL").then(|| "https://gitlab.com/ada/calls/-/jobs/7".to_owned());
        assert_eq!(job(gitlab).as_deref(), Some("https://gitlab.com/ada/calls/-/jobs/7"));
        assert_eq!(job(|_| None), None);
    }
}
