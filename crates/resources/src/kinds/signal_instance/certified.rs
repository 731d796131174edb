//! Waits until a host that has taken over has its certificate, if the one before had none for its domain. Until then it serves
//! people by the way of before, and nobody is told another one.

use std::time::Duration;

use serde_json::Value;

use super::certificate::CertificateTrouble;
use super::user_data::SIGNAL_ENVIRONMENT;
use super::{ready, views};
use crate::stack::Stack;
use peersync_aws::retry::{self, Schedule};
use peersync_engine::{LiveField, Progress, ResourceError, rule};

/// How long a host may take to obtain its certificate: less than a minute, unless the name has just been changed.
const SCHEDULE: Schedule =
    Schedule { first: Duration::from_millis(500), longest: Duration::from_secs(5), deadline: Duration::from_secs(600) };

/// Waits until the host has its certificate, if one of those before serves people by the address, and without one for the
/// domain. Behind a tunnel nobody was led to the address, so that nobody could have led the domain there.
///
/// # Errors
/// The host gets none in time, or the authority refuses.
pub(super) async fn until_certified(
    stack: &Stack,
    progress: &Progress,
    id: &str,
    before: impl IntoIterator<Item = String>,
) -> Result<(), ResourceError> {
    let Some(domain) = stack.config.signaling.certified_domain() else { return Ok(()) };
    for host in before {
        let LiveField::Known(files) = views::user_data_view(stack, &host).await? else { continue };
        if serves_otherwise(&files, domain) {
            let runs_nothing = !stack.runs_hosts;
            let read = || ready::read_report(stack, id);
            return until_reported(progress, SCHEDULE, domain, runs_nothing, read).await;
        }
    }
    Ok(())
}

/// Returns whether a host with this user data serves people by its address, and without a certificate for the domain.
fn serves_otherwise(files: &Value, domain: &str) -> bool {
    let entrance = views::variable(files, SIGNAL_ENVIRONMENT, "ENTRANCE");
    entrance.is_some_and(|entrance| entrance != "tunnel") && views::is_without(files, domain)
}

/// Waits by what `read` returns as the report. On an emulator that runs no user data, nothing is reported.
async fn until_reported<Read: Future<Output = Result<Option<String>, ResourceError>>>(
    progress: &Progress,
    schedule: Schedule,
    domain: &str,
    runs_nothing: bool,
    read: impl Fn() -> Read,
) -> Result<(), ResourceError> {
    let reason = "the new signaling host to obtain its certificate, while people go on by the former way";
    let waited = retry::until(progress, schedule, reason, || async {
        let report = read().await?;
        let trouble = report.as_deref().and_then(CertificateTrouble::parse);
        let outcome = match (trouble, report) {
            (Some(trouble), _) => trouble.is_refusal().then_some(Some(trouble)),
            (None, Some(report)) => ready::says_ready(&report).then_some(None),
            (None, None) => runs_nothing.then_some(None),
        };
        Ok(rule!("certificate-before-the-new-way-is-told", outcome, without: Some(None)))
    });
    let trouble = match waited.await {
        Ok(None) => return Ok(()),
        Ok(Some(refused)) => refused,
        Err(error) => read().await?.as_deref().and_then(CertificateTrouble::parse).ok_or(error)?,
    };
    let error = ResourceError::new("the new signaling host has no certificate, and people go on by the former way");
    Err(error.caused_by(trouble.reason()).hint(trouble.hint(domain)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::tests::files;
    use super::*;
    use peersync_config::Ingress;
    use peersync_engine::Silent;

    #[tokio::test]
    async fn certificate_is_awaited_only_while_the_address_leads_to_a_host_without_it() {
        for (ingress, domain, awaited) in [
            (Ingress::Cloudfront, None, true),
            (Ingress::Cloudfront, Some("signal.example.org"), false),
            (Ingress::Cloudfront, Some("calls.example.org"), true),
            (Ingress::Direct, Some("signal.example.org"), false),
            (Ingress::Direct, Some("calls.example.org"), true),
            // Nobody is led to its address.
            (Ingress::Cloudflare, Some("signal.example.org"), false),
            (Ingress::Cloudflare, None, false),
        ] {
            let files = files(ingress, domain).await;
            assert_eq!(serves_otherwise(&files, "signal.example.org"), awaited, "{ingress:?} {domain:?}");
        }
    }

    /// Waits while a host reports these, the last one for ever.
    async fn waited(reports: &[Option<&str>], runs_nothing: bool) -> Result<(), ResourceError> {
        let (first, longest, deadline) =
            (Duration::from_millis(1), Duration::from_millis(5), Duration::from_millis(50));
        let left = Mutex::new(reports.iter().rev().map(|report| report.map(str::to_owned)).collect::<Vec<_>>());
        let read = || async {
            let mut left = left.lock().unwrap();
            let next = if left.len() > 1 { left.pop() } else { left.first().cloned() };
            Ok(next.flatten())
        };
        let progress = Progress::of_nobody(Arc::new(Silent));
        until_reported(&progress, Schedule { first, longest, deadline }, "a.example", runs_nothing, read).await
    }

    #[tokio::test]
    async fn certificate_that_is_refused_or_late_ends_the_wait_with_the_reason_and_the_fix() {
        const LATE: &str = "ready without a certificate: waiting: again at 2026-11-29T22:10:00Z: it leads elsewhere";
        const REFUSED: &str = "ready without a certificate: caa: again at 2026-11-29T22:10:00Z: CAA forbids issuance";
        waited(&[Some(LATE), Some(LATE), Some("ready")], false).await.unwrap();
        waited(&[None], true).await.unwrap();
        for (reports, reason, hint) in [
            (&[Some(LATE)][..], "it leads elsewhere", "`peersync-deploy logs relay`"),
            (&[Some(LATE), Some(REFUSED), Some("ready")], "CAA forbids issuance", "CAA records of a.example"),
        ] {
            let error = waited(reports, false).await.unwrap_err();
            assert!(error.causes().join(" ").contains(reason), "{error:?}");
            assert!(error.hint.as_deref().is_some_and(|text| text.contains(hint)), "{error:?}");
        }
        assert!(waited(&[None], false).await.is_err(), "on AWS a host reports");
    }
}
