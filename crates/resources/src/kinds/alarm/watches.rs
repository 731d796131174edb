//! What the alarms watch.

use aws_sdk_cloudwatch::types::Statistic;

use crate::kinds::{metric_filter, rest_api};
use crate::stack::{FUNCTIONS, Stack};

/// The alarm about a relay that refuses new calls because the traffic of the month is used up.
const RELAY_BUDGET: &str = "relay-budget";
/// The alarm about a day with more traffic than a tenth of the month's.
const RELAY_TRAFFIC: &str = "relay-traffic";
/// The alarm about half as many requests as the gateway allows, which may be a flood of a single client: the gateway's
/// limit is for all clients together, and beyond it everybody is refused.
pub(super) const API_REQUESTS: &str = "api-requests";
/// The alarms about the relay.
pub(super) const RELAY_PARTS: [&str; 2] = [RELAY_BUDGET, RELAY_TRAFFIC];
/// The bytes of a gigabyte.
const GIGABYTE: f64 = 1e9;

/// The definition of an alarm.
#[derive(Clone)]
pub(super) struct Watch {
    /// The last part of the name, such as `signup-errors`.
    pub(super) part: String,
    pub(super) namespace: String,
    pub(super) metric: String,
    pub(super) dimension: Option<(&'static str, DimensionValue)>,
    pub(super) statistic: Statistic,
    /// The length of a period in seconds.
    pub(super) period: i32,
    /// The number of consecutive periods that must reach the threshold.
    pub(super) periods: i32,
    pub(super) threshold: f64,
    /// What CloudWatch does to the host, `recover` or `reboot`, in addition to notifying the topic.
    pub(super) remedy: Option<&'static str>,
}

/// The value of a dimension.
#[derive(Clone)]
pub(super) enum DimensionValue {
    Known(String),
    /// The id of the signaling host, which is known once it exists.
    SignalInstance,
}

/// Returns the alarms of a stack.
pub(super) fn watches(stack: &Stack) -> Vec<Watch> {
    let function = |function: &str, part: &str, metric: &str| Watch {
        part: format!("{function}-{part}"),
        namespace: "AWS/Lambda".to_owned(),
        metric: metric.to_owned(),
        dimension: Some(("FunctionName", DimensionValue::Known(stack.named(function)))),
        statistic: Statistic::Sum,
        period: 300,
        periods: 1,
        threshold: 5.0,
        remedy: None,
    };
    let host = |part: &str, metric: &str, periods, remedy| Watch {
        part: part.to_owned(),
        namespace: "AWS/EC2".to_owned(),
        metric: metric.to_owned(),
        dimension: Some(("InstanceId", DimensionValue::SignalInstance)),
        statistic: Statistic::Maximum,
        period: 60,
        periods,
        threshold: 1.0,
        remedy: Some(remedy),
    };
    let logged = |part: &str| Watch {
        part: format!("{part}-log-errors"),
        namespace: metric_filter::namespace(stack),
        metric: metric_filter::metric(part),
        dimension: None,
        statistic: Statistic::Sum,
        period: 300,
        periods: 1,
        threshold: 5.0,
        remedy: None,
    };
    let relay = |part: &str, metric: &str, period, threshold| Watch {
        part: part.to_owned(),
        namespace: metric_filter::namespace(stack),
        metric: metric.to_owned(),
        dimension: None,
        statistic: Statistic::Sum,
        period,
        periods: 1,
        threshold,
        remedy: None,
    };
    let a_tenth = f64::from(stack.config.turn.monthly_gb) * GIGABYTE / 10.0;
    let api = Watch {
        part: "api-5xx".to_owned(),
        namespace: "AWS/ApiGateway".to_owned(),
        metric: "5XXError".to_owned(),
        dimension: Some(("ApiName", DimensionValue::Known(rest_api::name(stack)))),
        ..function("api", "5xx", "5XXError")
    };
    let flood = Watch {
        part: API_REQUESTS.to_owned(),
        metric: "Count".to_owned(),
        threshold: stack.config.api.requests_per_second * f64::from(api.period) / 2.0,
        ..api.clone()
    };
    FUNCTIONS
        .into_iter()
        .flat_map(|name| [function(name, "errors", "Errors"), function(name, "throttles", "Throttles")])
        .chain([
            api,
            flood,
            // After different numbers of periods, so that the two actions do not conflict ("Create alarms to stop,
            // terminate, reboot, or recover an EC2 instance", CloudWatch user guide).
            host("signal-system", "StatusCheckFailed_System", 2, "recover"),
            host("signal-instance", "StatusCheckFailed_Instance", 3, "reboot"),
        ])
        .chain(metric_filter::PARTS.map(logged))
        .chain([
            relay(RELAY_BUDGET, metric_filter::RELAY_BUDGET_SPENT, 300, 1.0),
            relay(RELAY_TRAFFIC, metric_filter::RELAY_BYTES, 86_400, a_tenth),
        ])
        .collect()
}
