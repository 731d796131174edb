//! What the dashboard shows, from top to bottom: whether all is well, calls and people, the API, the host.

use serde_json::{Value, json};

use crate::kinds::{alarm, rest_api};
use crate::stack::{FUNCTIONS, Stack};
use peersync_server::metrics::{Metric, namespace};
use peersync_server::routes::REPORTS_TARGET;

/// The width and the height of a graph, of which three are beside each other.
const SIZE: (u32, u32) = (8, 6);
/// The height of what is above the graphs: the heading and the alarms.
const TOP: u32 = 4;
/// The period of most graphs, in seconds.
const MINUTES: u32 = 300;
/// The period of what happens a few times a day, in seconds.
const HOUR: u32 = 3600;

/// Returns the body of the dashboard of a stack whose host has this id.
pub(super) fn body(stack: &Stack, host: &str) -> Value {
    let mark = json!({ "markdown": stack.global_mark() });
    let alarms = json!({ "title": "Alarms", "alarms": alarm::wanted_arns(stack) });
    let mut widgets = vec![
        json!({ "type": "text", "x": 0, "y": 0, "width": 24, "height": 1, "properties": mark }),
        json!({ "type": "alarm", "x": 0, "y": 1, "width": 24, "height": TOP - 1, "properties": alarms }),
    ];
    let rows = [calls(stack), people(stack), api(stack), functions(stack), of_host(stack, host)];
    let relay = stack.relay().map(|_| relay(stack));
    for (row, graphs) in (0..).zip(rows.into_iter().chain(relay)) {
        widgets.extend((0..).zip(graphs).map(|(column, graph)| placed(graph, column, row)));
    }
    json!({ "widgets": widgets })
}

fn placed(mut widget: Value, column: u32, row: u32) -> Value {
    let (width, height) = SIZE;
    if let Some(widget) = widget.as_object_mut() {
        let place = [("x", width * column), ("y", TOP + height * row), ("width", width), ("height", height)];
        widget.extend(place.map(|(name, value)| (name.to_owned(), value.into())));
    }
    widget
}

fn calls(stack: &Stack) -> [Value; 3] {
    let ways = [
        own(stack, Metric::CallsStarted, "started", "Sum"),
        own(stack, Metric::CallsDirect, "direct", "Sum"),
        own(stack, Metric::CallsRelayed, "relayed", "Sum"),
        own(stack, Metric::CallsFailed, "failed", "Sum"),
    ];
    let answers =
        [own(stack, Metric::RingToAnswer, "9 of 10", "p90"), own(stack, Metric::RingToAnswer, "median", "p50")];
    let by_reason = format!("filter target = '{REPORTS_TARGET}' | stats count(*) as reports by fields.failure");
    [
        graph(stack, "Calls", HOUR, &ways),
        graph(stack, "From ring to answer, seconds", HOUR, &answers),
        query(stack, "Why calls failed, as browsers tell", "table", &stack.function_log_group("rooms"), &by_reason),
    ]
}

fn people(stack: &Stack) -> [Value; 3] {
    let accounts = [own(stack, Metric::SignIns, "sign-ins", "Sum"), own(stack, Metric::SignUps, "sign-ups", "Sum")];
    let mails = [own(stack, Metric::MailsSent, "sent", "Sum"), own(stack, Metric::MailsFailed, "failed", "Sum")];
    [
        graph(stack, "Open sockets", MINUTES, &[own(stack, Metric::Sockets, "sockets", "Maximum")]),
        graph(stack, "Accounts", HOUR, &accounts),
        graph(stack, "Mail", HOUR, &mails),
    ]
}

fn api(stack: &Stack) -> [Value; 3] {
    let api = rest_api::name(stack);
    let gateway = |metric: &str, label: &str, statistic: &str| json!(["AWS/ApiGateway", metric, "ApiName", api, { "label": label, "stat": statistic }]);
    let errors = [gateway("4XXError", "4xx", "Sum"), gateway("5XXError", "5xx", "Sum")];
    let latency = [gateway("Latency", "99 of 100", "p99"), gateway("Latency", "median", "p50")];
    [
        graph(stack, "API: requests", MINUTES, &[gateway("Count", "requests", "Sum")]),
        graph(stack, "API: errors", MINUTES, &errors),
        graph(stack, "API: milliseconds", MINUTES, &latency),
    ]
}

fn functions(stack: &Stack) -> [Value; 3] {
    let functions = |metric: &str| {
        FUNCTIONS.map(|function| {
            let name = stack.named(function);
            json!(["AWS/Lambda", metric, "FunctionName", name, { "label": function, "stat": "Sum" }])
        })
    };
    [
        graph(stack, "Functions: failures", MINUTES, &functions("Errors")),
        graph(stack, "Functions: held back", MINUTES, &functions("Throttles")),
        graph(stack, "Errors in all logs", MINUTES, &[own(stack, Metric::Errors, "errors", "Sum")]),
    ]
}

fn of_host(stack: &Stack, host: &str) -> [Value; 3] {
    let ec2 = |metric: &str, label: &str, statistic: &str| json!(["AWS/EC2", metric, "InstanceId", host, { "label": label, "stat": statistic }]);
    let network = [ec2("NetworkIn", "in", "Sum"), ec2("NetworkOut", "out", "Sum")];
    let uptime = [own(stack, Metric::Uptime, "uptime", "Maximum")];
    [
        graph(stack, "Host: processor, percent", MINUTES, &[ec2("CPUUtilization", "used", "Average")]),
        graph(stack, "Host: bytes", MINUTES, &network),
        graph(stack, "Server: seconds since its start", MINUTES, &uptime),
    ]
}

fn relay(stack: &Stack) -> [Value; 3] {
    let usage = "filter target = 'relay' and message = 'usage' \
        | stats max(allocations) as clients, sum(refused) as refusals by bin(5m)";
    let used = [own(stack, Metric::RelayBudgetUsed, "used", "Maximum")];
    [
        graph(stack, "Relay: bytes", HOUR, &[own(stack, Metric::RelayedBytes, "relayed", "Sum")]),
        graph(stack, "Relay: traffic of the month, percent", HOUR, &used),
        query(stack, "Relay: clients and refusals", "timeSeries", &stack.log_group("signal"), usage),
    ]
}

/// Returns a line with a metric of the programs.
fn own(stack: &Stack, metric: Metric, label: &str, statistic: &str) -> Value {
    json!([namespace(&stack.name()), metric.name(), { "label": label, "stat": statistic }])
}

fn graph(stack: &Stack, title: &str, period: u32, lines: &[Value]) -> Value {
    json!({
        "type": "metric",
        "properties": {
            "title": title,
            "region": stack.clients.region,
            "period": period,
            "metrics": lines,
            "yAxis": { "left": { "min": 0 } },
        },
    })
}

fn query(stack: &Stack, title: &str, view: &str, group: &str, query: &str) -> Value {
    let query = format!("SOURCE '{group}' | {query}");
    json!({
        "type": "log",
        "properties": { "title": title, "region": stack.clients.region, "view": view, "query": query },
    })
}
