//! The lines with metrics, in CloudWatch's embedded format, as people read them.

use serde_json::Value;

/// Returns the names and numbers of a line with metrics; `None` for any other line.
pub(super) fn of(message: &str) -> Option<String> {
    let line: Value = serde_json::from_str(message.trim_end()).ok()?;
    let described = line.get("_aws")?.get("CloudWatchMetrics")?.as_array()?;
    let metrics = described.iter().filter_map(|one| one.get("Metrics")?.as_array()).flatten();
    let names = metrics.filter_map(|metric| metric.get("Name")?.as_str());
    let numbers = names.filter_map(|name| Some(format!("{name} {}", values(line.get(name)?))));
    Some(format!("metrics: {}", numbers.collect::<Vec<_>>().join(", ")))
}

/// Returns one number or several.
fn values(value: &Value) -> String {
    match value.as_array() {
        Some(several) => several.iter().map(number).collect::<Vec<_>>().join(" "),
        None => number(value),
    }
}

fn number(value: &Value) -> String {
    value.as_f64().map(|number| number.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn only_lines_with_metrics_are_read() {
        let described = r#""_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"Sockets"},{"Name":"Absent"}]}]}"#;
        let line = format!("{{{described},\"Sockets\":12.0}}\n");
        assert_eq!(of(&line).as_deref(), Some("metrics: Sockets 12"));
        for other in ["", "peersync: ready", r#"{"level":"INFO","message":"Sockets"}"#, r#"{"_aws":1}"#, "{"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
