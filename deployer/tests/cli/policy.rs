//! The command `policy`, which works without AWS.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;

use super::{Folder, json};

#[test]
fn policy_is_limited_to_the_stack() {
    let folder = Folder::empty();
    const COMMAND: [&str; 7] = ["policy", "--account", "123456789012", "--region", "eu-central-1", "--stage", "prod"];
    let policy = json(&folder.run(&COMMAND));
    assert_eq!(policy["Version"], "2012-10-17");
    let mut all = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let actions = texts(&statement["Action"]);
        let action = Regex::new("^[a-z0-9-]+:[A-Z][A-Za-z*]+$").unwrap();
        assert!(!actions.is_empty() && actions.iter().all(|text| action.is_match(text)), "{actions:?}");
        assert!(!actions.iter().any(|action| action.ends_with(":*")), "{actions:?}");
        for resource in texts(&statement["Resource"]) {
            // Log groups have our names; only read actions may go beyond them.
            let own = resource.contains("/peersync-prod-") || resource.contains("/peersync/peersync-prod/");
            let looks = actions.iter().all(|action| action.starts_with("logs:Describe"));
            assert!(own || looks || !resource.contains(":log-group:"), "{resource}: {actions:?}");
        }
        all.extend(actions);
    }
    for action in ["sts:GetCallerIdentity", "logs:CreateLogGroup", "logs:FilterLogEvents"] {
        assert!(all.contains(action), "{action}");
    }
    let part = |number| [&COMMAND[..], &["--part", number]].concat();
    let parts: Vec<_> = ["1", "2", "3", "4", "5"].iter().map(|number| json(&folder.run(&part(number)))).collect();
    let of_parts = parts.iter().flat_map(|part| part["Statement"].as_array().unwrap().clone());
    assert_eq!(of_parts.collect::<Vec<_>>(), *policy["Statement"].as_array().unwrap());
    assert!(parts.iter().all(|part| part.to_string().len() <= 6_144), "each fits into a managed policy");
    assert_eq!(folder.run(&part("6")).status.code(), Some(2));
    assert!(policy.to_string().contains("arn:aws:logs:eu-central-1:123456789012:log-group:/peersync/peersync-prod/*"));
}

#[test]
fn policy_for_a_pipeline_takes_a_pattern_of_stages() {
    let folder = Folder::empty();
    let policy = |more: &[&str]| {
        folder.run(&[&["policy", "--account", "123456789012", "--region", "eu-central-1"], more].concat())
    };
    let pipeline = json(&policy(&["--stages", "pr-*"])).to_string();
    assert!(pipeline.contains("table/peersync-pr-*-Users") && !pipeline.contains("peersync-dev"));
    assert!(pipeline.contains(r#""StringLike":{"aws:ResourceTag/peersync:stack":"peersync-pr-*"}"#));
    let teardown = json(&policy(&["--for", "teardown"])).to_string();
    assert!(teardown.contains("table/*-*-Users") && !teardown.contains("CreateTable"));
    let of_one = json(&policy(&["--for", "teardown", "--stage", "dev"])).to_string();
    assert!(of_one.contains("table/peersync-dev-Users") && !of_one.contains("table/*"));
    for wrong in [&["--stages", "prod"][..], &["--stages", "PR-*"], &["--stages", "pr-*", "--stage", "dev"]] {
        assert_eq!(policy(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn policy_without_account_and_region_prints_notes() {
    let output = Folder::empty().run(&["policy"]);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("`--account 123456789012`") && notes.contains("`--region eu-central-1`"), "{notes}");
    assert!(json(&output)["Statement"].is_array());
    let china = Folder::empty().run(&["policy", "--account", "123456789012", "--region", "cn-north-1"]);
    assert_eq!(china.status.code(), Some(2));
}
