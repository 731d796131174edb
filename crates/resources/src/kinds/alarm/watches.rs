//! What the alarms watch: at most ten things, because ten alarms of an account are free.

use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};

use crate::kinds::rest_api;
use crate::stack::{FUNCTIONS, Stack};
use peersync_server::metrics::{Metric, namespace};

/// The alarm about half as many requests as the gateway allows, which may be a flood of a single client: the gateway's
/// limit is for all clients together, and beyond it everybody is refused.
const API_REQUESTS: &str = "api-requests";
/// The alarm about failures of the API. A function that fails, takes too long or is throttled answers with one of these too
/// ("Using AWS Lambda with Amazon API Gateway": 500 if Lambda rejects a call, 502 if the function fails).
const API_5XX: &str = "api-5xx";
/// The alarm about errors in the logs of all programs.
const LOGGED_ERRORS: &str = "logged-errors";
/// The alarm about mails that were not accepted: nobody can sign in.
const MAILS_FAILED: &str = "mails-failed";
/// The alarms about a program of the host that has written no metrics for five minutes.
const SIGNAL_SILENT: &str = "signal-silent";
const RELAY_SILENT: &str = "relay-silent";
/// The alarms about the checks of EC2.
const SIGNAL_SYSTEM: &str = "signal-system";
const SIGNAL_INSTANCE: &str = "signal-instance";
/// The alarm about a relay that will soon refuse new calls, because the traffic of the month is used up.
const RELAY_BUDGET: &str = "relay-budget";
/// The alarm about a certificate that was not renewed in time.
const CERTIFICATE: &str = "certificate";
/// All alarms.
const PARTS: [&str; 10] = [
    API_5XX,
    API_REQUESTS,
    LOGGED_ERRORS,
    MAILS_FAILED,
    SIGNAL_SILENT,
    RELAY_SILENT,
    SIGNAL_SYSTEM,
    SIGNAL_INSTANCE,
    RELAY_BUDGET,
    CERTIFICATE,
];
/// The alarms of earlier versions beside two for each function, which are deleted.
const FORMER_PARTS: [&str; 3] = ["functions-log-errors", "signal-log-errors", "relay-traffic"];

/// The length of most periods, in seconds.
const FIVE_MINUTES: i32 = 300;
/// Of the relayed traffic of a month, in percent: what is left lasts for another fifth of the time.
const MUCH_RELAYED: f64 = 80.0;
/// A certificate of Let's Encrypt is renewed when two thirds of its time are over, 30 or 15 days before its end. Whatever
/// fails is tried again at least once an hour.
const FEW_DAYS: f64 = 7.0;

/// What CloudWatch takes a period without data for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing happened.
    Fine,
    /// Whoever writes the metric does not run.
    Breaching,
}

impl Missing {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "notBreaching",
            Self::Breaching => "breaching",
        }
    }
}

/// The definition of an alarm.
#[derive(Clone)]
pub(super) struct Watch {
    /// The last part of the name, such as `api-5xx`.
    pub(super) part: String,
    /// Whether the stack has it.
    pub(super) is_wanted: bool,
    pub(super) namespace: String,
    pub(super) metric: String,
    pub(super) dimension: Option<(&'static str, DimensionValue)>,
    pub(super) statistic: Statistic,
    /// The length of a period in seconds.
    pub(super) period: i32,
    /// The number of consecutive periods that must breach the threshold.
    pub(super) periods: i32,
    pub(super) comparison: ComparisonOperator,
    pub(super) threshold: f64,
    pub(super) missing: Missing,
    /// What CloudWatch does to the host, `recover` or `reboot`, in addition to notifying the topic.
    pub(super) remedy: Option<&'static str>,
}

impl Watch {
    /// Returns whether it watches what a program of the host writes about itself.
    pub(super) fn is_of_host(&self) -> bool {
        [SIGNAL_SILENT, RELAY_SILENT, RELAY_BUDGET, CERTIFICATE].contains(&self.part.as_str())
    }
}

/// The value of a dimension.
#[derive(Clone)]
pub(super) enum DimensionValue {
    Known(String),
    /// The id of the signaling host, which is known once it exists.
    SignalInstance,
}

/// Returns the last parts of the names of all alarms, those of earlier versions included.
pub(super) fn parts() -> impl Iterator<Item = String> {
    PARTS.into_iter().map(str::to_owned).chain(former_parts())
}

fn former_parts() -> impl Iterator<Item = String> {
    let of_function = |function| ["errors", "throttles"].map(|metric| format!("{function}-{metric}"));
    FUNCTIONS.into_iter().flat_map(of_function).chain(FORMER_PARTS.map(str::to_owned))
}

/// Returns the alarms of a stack, and those that it no longer has.
pub(super) fn watches(stack: &Stack) -> Vec<Watch> {
    let (relays, has_certificate) = (stack.relay().is_some(), stack.config.signaling.has_certificate());
    let own = |part: &str, metric: Metric, is_wanted| Watch {
        part: part.to_owned(),
        is_wanted: is_wanted && stack.config.alarms.enabled,
        namespace: namespace(&stack.name()),
        metric: metric.name().to_owned(),
        dimension: None,
        statistic: Statistic::Sum,
        period: FIVE_MINUTES,
        periods: 1,
        comparison: ComparisonOperator::GreaterThanOrEqualToThreshold,
        threshold: 5.0,
        missing: Missing::Fine,
        remedy: None,
    };
    let silent = |part, metric, is_wanted| Watch {
        statistic: Statistic::SampleCount,
        comparison: ComparisonOperator::LessThanThreshold,
        threshold: 1.0,
        missing: Missing::Breaching,
        ..own(part, metric, is_wanted)
    };
    let of_aws = |part, namespace: &str, metric: &str, dimension| Watch {
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        dimension: Some(dimension),
        ..own(part, Metric::Errors, true)
    };
    let host = |part, metric, periods, remedy| Watch {
        statistic: Statistic::Maximum,
        period: 60,
        periods,
        threshold: 1.0,
        remedy: Some(remedy),
        ..of_aws(part, "AWS/EC2", metric, ("InstanceId", DimensionValue::SignalInstance))
    };
    let api = || ("ApiName", DimensionValue::Known(rest_api::name(stack)));
    let former = former_parts().map(|part| own(&part, Metric::Errors, false));
    let current = [
        of_aws(API_5XX, "AWS/ApiGateway", "5XXError", api()),
        Watch {
            threshold: stack.config.api.requests_per_second * f64::from(FIVE_MINUTES) / 2.0,
            ..of_aws(API_REQUESTS, "AWS/ApiGateway", "Count", api())
        },
        own(LOGGED_ERRORS, Metric::Errors, true),
        // Addresses that do not exist fail too, one at a time.
        Watch { period: 900, threshold: 3.0, ..own(MAILS_FAILED, Metric::MailsFailed, true) },
        silent(SIGNAL_SILENT, Metric::Uptime, true),
        silent(RELAY_SILENT, Metric::RelayedBytes, relays),
        // After different numbers of periods, so that the two actions do not conflict ("Create alarms to stop, terminate,
        // reboot, or recover an EC2 instance", CloudWatch user guide).
        host(SIGNAL_SYSTEM, "StatusCheckFailed_System", 2, "recover"),
        host(SIGNAL_INSTANCE, "StatusCheckFailed_Instance", 3, "reboot"),
        Watch {
            statistic: Statistic::Maximum,
            threshold: MUCH_RELAYED,
            ..own(RELAY_BUDGET, Metric::RelayBudgetUsed, relays)
        },
        Watch {
            statistic: Statistic::Minimum,
            comparison: ComparisonOperator::LessThanThreshold,
            threshold: FEW_DAYS,
            ..own(CERTIFICATE, Metric::CertificateDays, has_certificate)
        },
    ];
    current.into_iter().chain(former).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::{Config, Ingress, TurnProvider};

    #[tokio::test]
    async fn stack_has_at_most_ten_alarms_and_those_that_fit_its_host() {
        for (ingress, domain, provider, expected) in [
            (Ingress::Direct, true, TurnProvider::Host, 10),
            (Ingress::Cloudfront, true, TurnProvider::Host, 10),
            (Ingress::Cloudfront, false, TurnProvider::Host, 9),
            (Ingress::Cloudfront, false, TurnProvider::None, 7),
            (Ingress::Direct, true, TurnProvider::None, 8),
        ] {
            let mut config = Config::default();
            config.signaling.ingress = ingress;
            config.signaling.domain = domain.then(|| "signal.example.org".to_owned());
            config.turn.provider = Some(provider);
            let stack = Stack::for_tests(config).await;
            let wanted: Vec<_> = watches(&stack).into_iter().filter(|one| one.is_wanted).map(|one| one.part).collect();
            assert_eq!(wanted.len(), expected, "{ingress:?} {provider:?}: {wanted:?}");
        }
    }

    #[tokio::test]
    async fn alarms_that_are_switched_off_and_those_of_earlier_versions_are_looked_for_and_not_wanted() {
        let mut config = Config::default();
        config.alarms.enabled = false;
        let stack = Stack::for_tests(config).await;
        let all: Vec<_> = watches(&stack);
        assert!(all.iter().all(|one| !one.is_wanted));
        assert_eq!(all.iter().map(|one| one.part.clone()).collect::<Vec<_>>(), parts().collect::<Vec<_>>());
    }

    /// The relay writes 0 for a host that gets no certificate.
    #[tokio::test]
    async fn host_without_a_certificate_raises_the_alarm_about_it() {
        let mut config = Config::default();
        config.signaling.ingress = Ingress::Direct;
        config.signaling.domain = Some("signal.example.org".to_owned());
        let stack = Stack::for_tests(config).await;
        let watch = watches(&stack).into_iter().find(|one| one.metric == "CertificateDays").unwrap();
        assert!(watch.is_wanted && watch.periods == 1);
        assert_eq!(
            (watch.statistic, watch.comparison),
            (Statistic::Minimum, ComparisonOperator::LessThanThreshold),
            "the values of both hosts count while one is replaced"
        );
        assert!(0.0 < watch.threshold && watch.threshold < 30.0);
    }
}
