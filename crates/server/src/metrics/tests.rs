//! The lines compared with the specification of the format.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]

use proptest::prelude::*;

use super::*;

/// The units of CloudWatch's `StandardUnit` that are used here.
const UNITS: [&str; 5] = ["Seconds", "Bytes", "Percent", "Count", "None"];

/// Checks a line by "Specification: Embedded metric format" of CloudWatch's user guide, and that it tells nothing but
/// numbers and fixed names.
fn check(line: &str, stack: &str) {
    assert!(!line.contains('\n') && line.len() < 256 * 1024, "{line}");
    let root: Value = serde_json::from_str(line).unwrap();
    let root = root.as_object().unwrap();
    let aws = root["_aws"].as_object().unwrap();
    assert!(aws["Timestamp"].is_i64() && aws.len() == 2, "{line}");
    let directives = aws["CloudWatchMetrics"].as_array().unwrap();
    assert_eq!(directives.len(), 1, "{line}");
    let directive = directives[0].as_object().unwrap();
    assert_eq!(directive.len(), 3, "{line}");
    assert_eq!(directive["Namespace"], json!(format!("PeerSync/{stack}")));
    // At least one set; an empty one means: no dimension.
    assert_eq!(directive["Dimensions"], json!([[]]), "each dimension more is a metric more");
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!(!metrics.is_empty() && metrics.len() <= 100, "{line}");
    let mut targets = vec!["_aws"];
    for metric in metrics {
        let (metric, name) = (metric.as_object().unwrap(), metric["Name"].as_str().unwrap());
        assert!((1..=1024).contains(&name.len()) && metric.len() == 2, "{line}");
        assert!(Metric::ALL.iter().any(|known| known.name() == name), "{name} is no fixed name");
        assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()), "{line}");
        targets.push(name);
        let numbers = match &root[name] {
            Value::Array(numbers) => numbers.clone(),
            number => vec![number.clone()],
        };
        assert!((1..=100).contains(&numbers.len()) && numbers.iter().all(Value::is_number), "{line}");
    }
    assert!(root.keys().all(|key| targets.contains(&key.as_str())), "{line}");
}

proptest! {
    #[test]
    fn every_line_keeps_to_the_embedded_metric_format(
        values in prop::collection::vec((0..Metric::ALL.len(), prop::collection::vec(any::<f64>(), 0..250)), 0..20),
        now in 0_i64..4_000_000_000,
    ) {
        // Each metric once, as the programs write them.
        let mut measured: Vec<Measured> = Vec::new();
        for (metric, values) in values {
            if !measured.iter().any(|(known, _)| *known == Metric::ALL[metric]) {
                measured.push((Metric::ALL[metric], values));
            }
        }
        let any = measured.iter().any(|(_, values)| values.iter().any(|value| value.is_finite()));
        let line = line("peersync-dev", &measured, now);
        prop_assert_eq!(line.is_some(), any);
        if let Some(line) = line {
            check(&line, "peersync-dev");
        }
    }
}

#[test]
fn line_of_a_minute_is_this() {
    let measured = [(Metric::CallsStarted, vec![2.0]), (Metric::RingToAnswer, vec![3.5, 8.0])];
    let line = line("peersync-dev", &measured, 1_800_000_000).unwrap();
    let expected = json!({
        "_aws": {
            "Timestamp": 1_800_000_000_000_i64,
            "CloudWatchMetrics": [{
                "Namespace": "PeerSync/peersync-dev",
                "Dimensions": [[]],
                "Metrics": [{ "Name": "CallsStarted", "Unit": "Count" }, { "Name": "RingToAnswer", "Unit": "Seconds" }],
            }],
        },
        "CallsStarted": 2.0,
        "RingToAnswer": [3.5, 8.0],
    });
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
}

#[test]
fn tally_tells_each_event_once_and_nothing_that_did_not_happen() {
    let tally = Tally::default();
    assert_eq!(tally.take(), []);
    tally.count(Metric::SignIns);
    tally.add(Metric::Errors, 3);
    (0..150).for_each(|_| tally.answered(4.0));
    let answers = (Metric::RingToAnswer, vec![4.0; MOST_VALUES]);
    assert_eq!(tally.take(), [(Metric::SignIns, vec![1.0]), (Metric::Errors, vec![3.0]), answers]);
    assert_eq!(tally.take(), []);
}

#[test]
fn all_metrics_have_a_place_and_a_name_of_their_own() {
    for (at, metric) in Metric::ALL.into_iter().enumerate() {
        assert_eq!(metric as usize, at);
        assert_eq!(Metric::ALL.iter().filter(|other| other.name() == metric.name()).count(), 1);
    }
}
