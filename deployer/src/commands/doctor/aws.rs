//! The checks that call AWS: the region, the endpoint, the clock, the credentials and the permissions.

use peersync_engine::error::innermost_cause;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Check, Checklist, quotas};
use crate::commands::Context;
use crate::commands::relay::RelayHealth;
use peersync_aws::Clients;
use peersync_engine::{Address, Failure, Live, Observation, Outputs, Reporter, ResourceError, Silent, observe};
use peersync_resources::kinds::signal_instance::HostReport;
use peersync_resources::kinds::{api_account, signal_instance};
use peersync_resources::stack::{Network, Stack};

/// How long the endpoint may take to answer.
const ENDPOINT_DEADLINE: Duration = Duration::from_secs(10);
/// How long AWS may take to return the caller identity. A longer wait means that the credential lookup hangs.
const IDENTITY_DEADLINE: Duration = Duration::from_secs(30);
/// The largest clock skew at which AWS still accepts signatures.
const MOST_SKEW: Duration = Duration::from_secs(5 * 60);
/// The clock skew from which a warning is shown.
const MUCH_SKEW: Duration = Duration::from_secs(60);

/// The name of the check of the host's image.
const IMAGE: &str = "image";

/// Runs the checks in order; a check that depends on one that failed is not run.
pub(super) async fn checks(context: &Context, list: &mut Checklist) {
    let clients = match context.clients().await {
        Ok(clients) => clients,
        Err(error) => return list.add(Check::from_error("region", &error)),
    };
    list.add(Check::ok("region", clients.region.clone()));
    match endpoint(&clients).await {
        Ok((found, date)) => {
            list.add(Check::ok("endpoint", found));
            list.add(clock(date, SystemTime::now()));
        }
        Err(check) => return list.add(check),
    }
    let identity = match tokio::time::timeout(IDENTITY_DEADLINE, clients.identity()).await {
        Ok(Ok(identity)) => identity,
        Ok(Err(error)) => return list.add(Check::from_error("credentials", &error.into())),
        Err(_) => return list.add(no_credentials_in_time()),
    };
    list.add(credentials(&identity.arn, &identity.account));
    let Ok(config) = context.config() else { return };
    let stack = Arc::new(Stack::new(config.clone(), clients, identity, crate::artifacts::without_programs()));
    match peersync_resources::catalog::graph(&stack) {
        Ok(graph) => {
            let reporter: Arc<dyn Reporter> = Arc::new(Silent);
            let observation = observe(&graph, &reporter).await;
            permissions(&observation).into_iter().for_each(|check| list.add(check));
            stack.network.get().and_then(network).into_iter().for_each(|check| list.add(check));
            quotas::checks(&stack, &graph, &observation).await.into_iter().for_each(|check| list.add(check));
            // That it cannot be read is among the permissions.
            if let Ok(Some(trouble)) = api_account::trouble(&stack).await {
                list.add(log_role(trouble));
            }
            if let Some(Some(host)) = observation.live.get(&signal_instance::address()) {
                list.add(image(&stack, host).await);
                signal_instance::host_report(host).map(reported).into_iter().for_each(|check| list.add(check));
            }
            if let Some(health) = RelayHealth::ask(&stack, &outputs(&observation)).await {
                list.add(relay(&health));
            }
        }
        Err(error) => list.add(Check::from_error("permissions", &error.into())),
    }
}

/// Checks whether a host can be launched in the network; `None` if an emulator has none.
fn network(network: &Network) -> Option<Check> {
    if let Some(problem) = &network.problem {
        return Some(Check::from_error("network", &problem.clone().into()));
    }
    let zone = network.zone.as_ref().map(|zone| format!(", zone {zone}")).unwrap_or_default();
    Some(Check::ok("network", format!("{}{zone}", network.vpc.as_ref()?)))
}

fn outputs(observation: &Observation) -> Outputs {
    let mut outputs = Outputs::default();
    for (address, live) in &observation.live {
        if let Some(live) = live {
            outputs.insert(address.clone(), live.outputs.clone());
        }
    }
    outputs
}

/// Says what is the matter with the account's role for the logs of API Gateway.
fn log_role(trouble: String) -> Check {
    let hint = "until then the access log of every API in the region stays empty, and no stage can be given one: \
                `peersync-deploy up` sets a role that works";
    Check::warn("gateway logs", trouble, hint)
}

/// Tells how old the image of the host is. That the newest one cannot be found is among the permissions.
async fn image(stack: &Stack, host: &Live) -> Check {
    let found = signal_instance::find_newer_image(stack, host).await;
    let age = signal_instance::image_age(stack, host);
    let age = age.map_or_else(|| "its age is unknown".to_owned(), |age| format!("{} old", signal_instance::days(age)));
    match (found, signal_instance::outdated(stack, host)) {
        (Err(error), _) => Check::from_error(IMAGE, &error.into()),
        (Ok(()), None) => Check::ok(IMAGE, age),
        (Ok(()), Some(reason)) => {
            let hint = "`peersync-deploy up` replaces the host by one with the newest image; calls go on meanwhile";
            Check::warn(IMAGE, format!("{reason}, and AWS has published a newer one"), hint)
        }
    }
}

/// Tells what the host says about itself.
fn reported(report: HostReport) -> Check {
    if report.is_ready && !report.is_without_certificate() {
        return Check::ok("host", report.text);
    }
    let hint = "check `peersync-deploy logs signal`, which has the installation; the host tries again by itself, and \
                `peersync-deploy up` waits for it";
    Check::warn("host", report.text, hint)
}

/// Checks whether the relay of the deployed stack answers this computer.
fn relay(health: &RelayHealth) -> Check {
    if health.is_good() {
        return Check::ok("relay", health.text());
    }
    let hint = "check whether this network lets UDP and TCP out to these ports, and `peersync-deploy logs signal`; a new \
                host needs a few minutes";
    Check::warn("relay", health.text(), hint)
}

fn no_credentials_in_time() -> Check {
    Check::fail(
        "credentials",
        format!("timed out after {} s waiting for AWS to return the caller identity", IDENTITY_DEADLINE.as_secs()),
        "set AWS_PROFILE, or run `aws sso login`, or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
}

/// Returns the endpoint's URL and what its clock says, if it answers.
async fn endpoint(clients: &Clients) -> Result<(String, Option<SystemTime>), Check> {
    let url = match &clients.endpoint_url {
        Some(url) => url.clone(),
        None => format!("https://sts.{}.amazonaws.com/", clients.region),
    };
    let proxy = clients.http.proxy_of(&url);
    let by = proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
    let hint = match proxy {
        None => "check the region's name, the network, the proxy (HTTPS_PROXY) and `--endpoint-url`",
        Some(_) => {
            "check the region's name and the proxy: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT if it asks for a password, \
             NO_PROXY for what it must not be asked for, AWS_CA_BUNDLE for the file with its certificate if it opens TLS"
        }
    };
    let away = |reason: String| Check::fail("endpoint", format!("{url} is unreachable{by}: {reason}"), hint);
    let client = clients.http.client(ENDPOINT_DEADLINE);
    let client = client.map_err(|error| Check::from_error("endpoint", &error.into()))?;
    let answer = client.get(&url).send().await.map_err(|error| away(innermost_cause(&error.without_url())))?;
    let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
    Ok((format!("{url} answers{by}"), date.and_then(http_date)))
}

fn http_date(text: &str) -> Option<SystemTime> {
    let date = aws_smithy_types::DateTime::from_str(text, aws_smithy_types::date_time::Format::HttpDate).ok()?;
    SystemTime::try_from(date).ok()
}

/// Returns the innermost cause; the outer ones only repeat the URL.
fn clock(theirs: Option<SystemTime>, ours: SystemTime) -> Check {
    let Some(theirs) = theirs else {
        return Check::warn("clock", "the endpoint's answer does not state the time", "ignore this if `up` works");
    };
    let (skew, direction) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let found = format!("{} s {direction}", skew.as_secs());
    let hint = "set the clock: `sudo timedatectl set-ntp true`, or the system's settings";
    if skew >= MOST_SKEW {
        Check::fail("clock", format!("{found}: AWS rejects requests"), hint)
    } else if skew >= MUCH_SKEW {
        Check::warn("clock", found, hint)
    } else {
        Check::ok("clock", "right")
    }
}

fn credentials(arn: &str, account: &str) -> Check {
    if arn.ends_with(":root") && account != "000000000000" {
        return Check::warn(
            "credentials",
            format!("the root user of account {account}"),
            "use a role with the permissions that `peersync-deploy policy` prints",
        );
    }
    Check::ok("credentials", format!("{arn} in account {account}"))
}

/// Checks the permissions with the reads that `up` itself begins with.
fn permissions(observation: &Observation) -> Vec<Check> {
    let read = observation.live.len();
    let mut kinds: BTreeMap<(&str, String), (usize, &ResourceError)> = BTreeMap::new();
    for (address, error) in &observation.errors {
        kinds.entry((address.kind, error.to_string())).or_insert((0, error)).0 += 1;
    }
    let mut checks: Vec<Check> =
        kinds.into_iter().map(|((kind, _), (count, error))| unread(kind, count, error)).collect();
    if read > 0 || checks.is_empty() {
        let found = observation.live.iter().filter(|(_, live)| live.is_some()).map(|(address, _)| address).collect();
        checks.insert(0, Check::ok("permissions", readable(read, found)));
    }
    checks
}

fn readable(read: usize, found: Vec<&Address>) -> String {
    let there = if found.is_empty() { "none exist yet".to_owned() } else { format!("{} exist", found.len()) };
    format!("{read} resources can be read, {there}")
}

fn unread(kind: &'static str, count: usize, error: &ResourceError) -> Check {
    let kind = kind.replace('_', " ");
    if error.failure == Failure::NotOffered {
        let hint = "this does not happen on AWS; `local` works without it";
        return Check::warn("permissions", format!("{kind}: this endpoint does not offer it"), hint);
    }
    let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
    let found = format!("{kind} ({count}): {error}{causes}");
    let hint = error.hint.clone().unwrap_or_else(|| {
        "give your role the permissions that `peersync-deploy policy` prints, then run the command again".to_owned()
    });
    Check::fail("permissions", found, hint)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::commands::CommandError;

    fn verdict(theirs: u64, ours: u64) -> Verdict {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        clock(Some(at(theirs)), at(ours)).verdict
    }

    #[test]
    fn clock_skew_is_reported_in_both_directions() {
        let now = 1_800_000_000;
        assert_eq!(verdict(now, now + 2), Verdict::Ok);
        assert_eq!(verdict(now + 2, now), Verdict::Ok);
        assert_eq!(verdict(now, now + 90), Verdict::Warn);
        assert_eq!(verdict(now + 90, now), Verdict::Warn);
        assert_eq!(verdict(now, now + 400), Verdict::Fail);
        assert_eq!(verdict(now + 400, now), Verdict::Fail);
        assert_eq!(clock(None, SystemTime::now()).verdict, Verdict::Warn);
    }

    #[tokio::test]
    async fn image_that_is_too_old_is_a_warning() {
        let config = peersync_config::Config { stage: "test".to_owned(), ..Default::default() };
        let mut stack = (*crate::artifacts::stack_for_tests(config).await).clone();
        stack.now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_996_799);
        stack.newest_image.get_or_init(|| "ami-new".to_owned());
        let host = |published: &str| signal_instance::host_for_tests("ami-old", published);
        insta::assert_snapshot!(image(&stack, &host("2026-11-10T00:00:00Z")).await.line(), @"ok    image          19 days old");
        insta::assert_snapshot!(image(&stack, &host("2026-10-15T00:00:00Z")).await.line(), @r"
        warn  image          the image is 45 days old; image_max_age is 30 days, and AWS has published a newer one
              hint: `peersync-deploy up` replaces the host by one with the newest image; calls go on meanwhile
        ");
        let line = image(&stack, &Live::default()).await.line();
        insta::assert_snapshot!(line, @"ok    image          its age is unknown");
    }

    #[test]
    fn host_that_is_not_ready_is_a_warning() {
        let check = |text: &str, is_ready| reported(HostReport { text: text.to_owned(), is_ready });
        assert_eq!(check("ready", true).verdict, Verdict::Ok);
        insta::assert_snapshot!(check("waiting for cloudflared: attempt 9", false).line(), @r"
        warn  host           waiting for cloudflared: attempt 9
              hint: check `peersync-deploy logs signal`, which has the installation; the host tries again by itself, and `peersync-deploy up` waits for it
        ");
    }

    #[test]
    fn http_dates_are_parsed() {
        let date = http_date("Fri, 15 Jan 2027 08:00:00 GMT");
        assert_eq!(date, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn failed_reads_are_grouped_by_resource_kind() {
        let mut observation = Observation::default();
        observation.live.insert(Address::new("log_group", "signup"), None);
        for name in ["users", "friends"] {
            let error =
                ResourceError::new("failed to read the table").caused_by("AccessDenied: no").failure(Failure::Denied);
            observation.errors.push((Address::new("dynamodb_table", name), error));
        }
        observation.errors.push((
            Address::new("cloudfront_distribution", "site"),
            ResourceError::new("failed to list distributions").failure(Failure::NotOffered),
        ));
        let checks = permissions(&observation);
        let lines: Vec<(Verdict, &str)> = checks.iter().map(|check| (check.verdict, check.found.as_str())).collect();
        assert_eq!(
            lines,
            [
                (Verdict::Ok, "1 resources can be read, none exist yet"),
                (Verdict::Warn, "cloudfront distribution: this endpoint does not offer it"),
                (Verdict::Fail, "dynamodb table (2): failed to read the table: AccessDenied: no"),
            ]
        );
    }

    #[test]
    fn command_errors_become_failed_checks() {
        let error = CommandError::usage("no region is set").hint("set one");
        let check = Check::from_error("region", &error);
        assert_eq!(check.line(), "fail  region         no region is set\n      hint: set one");
    }
}
