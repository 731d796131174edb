//! Waits until a new host says that it is ready: `host/install.sh` reports in a tag of the host how far it is.

use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_ec2::types::Instance;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{READY as READY_FIELD, instance};
use crate::kinds::ec2::{self, REPORT_TAG};
use crate::stack::Stack;
use peersync_aws::retry::{self, Schedule};
use peersync_engine::{Action, Live, Progress, ResourceError, Step, rule};

/// The report of a host whose programs answer.
const READY: &str = "ready";
/// What the report of one begins with that has no certificate, which it can get only once it has the address.
pub(super) const WITHOUT_CERTIFICATE: &str = "ready without a certificate: ";
/// How long a new host may take: it installs its programs in one to three minutes.
const SCHEDULE: Schedule =
    Schedule { first: Duration::from_millis(500), longest: Duration::from_secs(5), deadline: Duration::from_secs(600) };
/// After how many failed attempts at one step a run gives up: with the pauses of `install.sh`, after three minutes.
const ATTEMPTS: u32 = 8;
/// What to do about a host that did not become ready.
const HINT: &str =
    "`peersync-deploy logs signal` has the whole installation; fix what failed, then run the command again";
/// What Linux says if another program has a port.
const IN_USE: &str = "Address already in use";
/// What to do about that.
const PORT_HINT: &str = "another program of the host's image has the port: name an image without it as `image` under [signaling], \
                         or none, and run the command again";
/// How many lines of the console an error shows.
const CONSOLE_LINES: usize = 20;

/// Returns whether the host has said that it is ready.
pub(super) fn is_ready(instance: &Instance) -> bool {
    report(instance).is_some_and(|report| says_ready(&report))
}

/// Returns whether the host counts as ready. On an emulator that runs no user data, nothing is ever reported.
pub(super) fn view(stack: &Stack, instance: &Instance) -> bool {
    report(instance).map_or(!stack.runs_hosts, |report| says_ready(&report))
}

/// What a host says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    /// What it has reported last.
    pub text: String,
    /// Whether that means that its programs answer.
    pub is_ready: bool,
}

impl HostReport {
    /// Whether its programs answer, and it has no certificate yet, or gets none.
    pub fn is_without_certificate(&self) -> bool {
        self.text.starts_with(WITHOUT_CERTIFICATE)
    }
}

/// Returns what the host has reported last; `None` if nothing.
pub fn host_report(host: &Live) -> Option<HostReport> {
    let text = printable(host.tags.as_ref()?.get(REPORT_TAG)?);
    Some(HostReport { is_ready: says_ready(&text), text })
}

/// Returns whether a step does nothing but wait until the host is ready.
pub fn only_waits(step: &Step) -> bool {
    step.action == Action::Update && step.changes.has(READY_FIELD) && step.changes.shown().count() == 1
}

pub(super) fn says_ready(report: &str) -> bool {
    report == READY || report.starts_with(WITHOUT_CERTIFICATE)
}

/// Returns how far the installation of a host is, as it has reported, without control characters: whoever takes over a program
/// of the host writes what terminals show.
pub(super) fn report(instance: &Instance) -> Option<String> {
    ec2::tags(instance.tags()).remove(REPORT_TAG).map(|report| printable(&report))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Returns whether a host that is installing has tried a step so often that a run need not wait for it. It goes on trying.
fn is_hopeless(report: &str) -> bool {
    let attempt = report.split_once(": attempt ").and_then(|(_, rest)| rest.split(':').next()?.parse::<u32>().ok());
    attempt.is_some_and(|attempt| attempt >= ATTEMPTS)
}

/// Waits until the host is ready. On an emulator that runs no user data, nothing is ever reported and nothing is waited for.
///
/// # Errors
/// A step of the installation fails again and again, or the host is not ready in time: with its last report, and the end
/// of its console. The host cannot be read.
pub(super) async fn until_ready(stack: &Stack, progress: &Progress, id: &str) -> Result<(), ResourceError> {
    refusal(stack, progress, id).await?.map_or(Ok(()), Err)
}

/// Waits as [`until_ready`] does, and returns why the host is not ready if it is not in time.
///
/// # Errors
/// The host cannot be read, which says nothing about it.
pub(super) async fn refusal(
    stack: &Stack,
    progress: &Progress,
    id: &str,
) -> Result<Option<ResourceError>, ResourceError> {
    until_reported(progress, SCHEDULE, !stack.runs_hosts, || read_report(stack, id), console(stack, id)).await
}

/// Reads how far the installation of a host is.
///
/// # Errors
/// The host cannot be read.
pub(super) async fn read_report(stack: &Stack, id: &str) -> Result<Option<String>, ResourceError> {
    Ok(instance::read(stack, id).await?.as_ref().and_then(report))
}

/// Waits as [`refusal`] does, by what `read` returns as the report and `console` as the end of the console. A report of before
/// the wait says nothing about whether the next attempt fails too.
async fn until_reported<Read: Future<Output = Result<Option<String>, ResourceError>>>(
    progress: &Progress,
    schedule: Schedule,
    runs_nothing: bool,
    read: impl Fn() -> Read,
    console: impl Future<Output = Option<String>>,
) -> Result<Option<ResourceError>, ResourceError> {
    let before = OnceLock::new();
    let reason = "the signaling host to install its programs and answer";
    let waited = retry::within(progress, schedule, reason, || async {
        let report = read().await?;
        let is_old = before.get_or_init(|| report.clone()) == &report;
        let outcome = match &report {
            Some(report) if says_ready(report) => Some(true),
            Some(report) => (!is_old && is_hopeless(report)).then_some(false),
            None => runs_nothing.then_some(true),
        };
        Ok(rule!("instance-ready-before-takeover", outcome, without: Some(true)))
    });
    if waited.await? == Some(true) {
        return Ok(None);
    }
    let last = read().await?;
    Ok(Some(not_ready(last, console.await)))
}

fn not_ready(report: Option<String>, console: Option<String>) -> ResourceError {
    let report = report.unwrap_or_else(|| "it has reported nothing".to_owned());
    let console = console.map(|console| format!("\nthe end of its console:\n{console}")).unwrap_or_default();
    let hint = if report.contains(IN_USE) { PORT_HINT } else { HINT };
    ResourceError::new("the signaling host did not become ready").caused_by(format!("{report}{console}")).hint(hint)
}

/// Returns the last lines of the console of a host; `None` if there is nothing in it or it cannot be read.
async fn console(stack: &Stack, id: &str) -> Option<String> {
    let answer = stack.clients.ec2.get_console_output().instance_id(id).latest(true).send().await.ok()?;
    let text = STANDARD.decode(answer.output?.trim()).ok()?;
    tail(&String::from_utf8_lossy(&text))
}

/// Returns the last lines that say something, without control characters.
fn tail(text: &str) -> Option<String> {
    let shown = |line: &str| printable(line).trim_end().to_owned();
    let lines: Vec<String> = text.lines().map(shown).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(CONSOLE_LINES);
    lines.get(from..).filter(|lines| !lines.is_empty()).map(|lines| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use aws_sdk_ec2::types::{Instance, Tag};

    use super::{CONSOLE_LINES, is_hopeless, report, tail, until_reported, view};
    use crate::kinds::ec2::REPORT_TAG;
    use crate::stack::Stack;
    use peersync_aws::retry::Schedule;
    use peersync_engine::{Progress, ResourceError, Silent};

    #[tokio::test]
    async fn host_that_reports_nothing_is_given_up_after_the_deadline_with_its_console() {
        let (first, longest, deadline) =
            (Duration::from_millis(1), Duration::from_millis(5), Duration::from_millis(20));
        let schedule = Schedule { first, longest, deadline };
        let progress = Progress::of_nobody(Arc::new(Silent));
        let console = || async { tail("[  4.2] cloud-init: no network\r\n") };
        for (report, said) in [
            (None, "it has reported nothing"),
            (Some("waiting for the relay program: attempt 1"), "waiting for the relay program: attempt 1"),
        ] {
            let read = || async { Ok(report.map(str::to_owned)) };
            let error = until_reported(&progress, schedule, false, read, console()).await.unwrap().unwrap();
            let error = format!("{} {}", error.summary, error.causes().join(" "));
            for part in ["did not become ready", said, "the end of its console:", "cloud-init: no network"] {
                assert!(error.contains(part), "{error}");
            }
        }
        // It gets its certificate only once the address is its own.
        for report in ["ready", "ready without a certificate: waiting: again at 2026-11-29T22:10:00Z: elsewhere"] {
            let ready = || async { Ok(Some(report.to_owned())) };
            assert!(until_reported(&progress, schedule, false, ready, console()).await.unwrap().is_none());
        }
        let taken =
            || async { Ok(Some("waiting for the relay to run: attempt 8: relay: Address already in use".to_owned())) };
        let error = until_reported(&progress, schedule, false, taken, console()).await.unwrap().unwrap();
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("`image` under [signaling]")), "{error:?}");
        // On an emulator that runs no user data.
        assert!(until_reported(&progress, schedule, true, || async { Ok(None) }, console()).await.unwrap().is_none());
    }

    fn patient() -> Schedule {
        let (first, longest) = (Duration::from_millis(1), Duration::from_millis(5));
        Schedule { first, longest, deadline: Duration::from_secs(60) }
    }

    #[tokio::test]
    async fn host_that_cannot_be_read_is_not_said_to_be_unready() {
        let progress = Progress::of_nobody(Arc::new(Silent));
        let read = || async { Err(ResourceError::new("failed to read the signaling host")) };
        let error = until_reported(&progress, patient(), false, read, async { None }).await.unwrap_err();
        assert_eq!(error.summary, "failed to read the signaling host");
    }

    /// What failed may have been fixed since the last attempt.
    #[tokio::test]
    async fn step_that_failed_often_before_the_wait_is_given_another_attempt() {
        let progress = Progress::of_nobody(Arc::new(Silent));
        for (next, ready) in [("ready", true), ("waiting for cloudflared: attempt 10", false)] {
            let reads = AtomicU32::new(0);
            let read = || async {
                let is_old = reads.fetch_add(1, Ordering::Relaxed) < 3;
                Ok(Some(if is_old { "waiting for cloudflared: attempt 9" } else { next }.to_owned()))
            };
            let refused = until_reported(&progress, patient(), false, read, async { None }).await.unwrap();
            assert_eq!(refused.is_none(), ready, "{next}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn host_counts_as_ready_once_it_says_so_or_where_no_host_can_say_anything() {
        let host = |report: Option<&str>| {
            let tag = report.map(|report| vec![Tag::builder().key(REPORT_TAG).value(report).build()]);
            Instance::builder().set_tags(tag).build()
        };
        let mut stack = (*Stack::for_tests(peersync_config::Config::default()).await).clone();
        for runs_hosts in [true, false] {
            stack.runs_hosts = runs_hosts;
            assert_eq!(view(&stack, &host(None)), !runs_hosts);
            assert!(!view(&stack, &host(Some("waiting for cloudflared: attempt 9"))));
            assert!(view(&stack, &host(Some("ready"))));
            assert!(view(&stack, &host(Some("ready without a certificate: caa: again at 2026-11-29T22:10:00Z: no"))));
        }
    }

    #[test]
    fn run_gives_up_on_a_step_that_fails_again_and_again() {
        for (report, hopeless) in [
            ("waiting for the relay program: attempt 7", false),
            ("waiting for the relay program: attempt 8", true),
            ("waiting for the relay program: attempt 100", true),
            ("waiting for the relay to run: attempt 7: relay: TCP 0.0.0.0:443: Address already in use", false),
            ("waiting for the relay to run: attempt 8: relay: TCP 0.0.0.0:443: Address already in use", true),
            ("waiting for the relay program: attempt many", false),
            ("ready", false),
        ] {
            assert_eq!(is_hopeless(report), hopeless, "{report}");
        }
    }

    #[test]
    fn report_is_read_without_control_characters() {
        let written = "waiting for the relay to run: attempt 2: \u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\r\nrelay: Zürich";
        let host = Instance::builder().tags(Tag::builder().key(REPORT_TAG).value(written).build()).build();
        let expected = "waiting for the relay to run: attempt 2: [2J]0;title31mrelay: Zürich";
        assert_eq!(report(&host).as_deref(), Some(expected));
    }

    #[test]
    fn console_is_shown_from_its_end_without_control_characters() {
        let text: String = (0..100).map(|line| format!("\u{1b}line {line}\r\n\n")).collect();
        let shown = tail(&text).unwrap_or_default();
        assert_eq!(shown.lines().count(), CONSOLE_LINES);
        assert!(shown.starts_with("line 80\n") && shown.ends_with("line 99"), "{shown:?}");
        assert_eq!(tail("\n\u{1b}\n"), None);
    }
}
