//! Access-log lines of API Gateway that arrive after the stage and the log group were deleted: with the account's role, which
//! may create groups, API Gateway makes the group again, without tags (hashicorp/terraform issue 32693).

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use serde_json::json;

use super::Behave;
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;

/// How often the group of a stage comes back that had its access log until its deletion, and of one that was quiet by then.
const BUSY: usize = 3;
const QUIET: usize = 1;

#[derive(Default)]
struct Groups {
    /// The access log of each stage, by path.
    logs: HashMap<String, String>,
    /// How often a group will come back.
    late: HashMap<String, usize>,
    /// Groups that have come back, and have no tags.
    again: HashSet<String>,
}

/// Stages whose last lines are late.
#[derive(Default)]
pub(super) struct LateAccessLog {
    groups: Mutex<Groups>,
}

/// Returns the path of the group in an ARN, `/peersync/STACK/api-access`.
fn group_of(arn: &str) -> Option<String> {
    let name = arn.split(":log-group:").nth(1)?;
    Some(name.trim_end_matches(":*").to_owned())
}

impl Behave for LateAccessLog {
    fn before(&self, call: &Call) -> Option<Answer> {
        let mut groups = lock(&self.groups);
        match call.operation.as_str() {
            "DeleteLogGroup" => {
                let group = call.json_text("logGroupName")?;
                let left = groups.late.get_mut(&group).filter(|left| **left > 0)?;
                *left -= 1;
                // A group that comes back at once counts as never deleted.
                groups.again.insert(group);
                Some(Answer::empty(call))
            }
            "ListTagsForResource" if call.service == "logs" => {
                let group = group_of(&call.json_text("resourceArn")?)?;
                let mut answer = Answer::empty(call);
                answer.set_body(json!({ "tags": {} }).to_string());
                groups.again.contains(&group).then_some(answer)
            }
            _ => None,
        }
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if !answer.ok() {
            return;
        }
        let (mut groups, path) = (lock(&self.groups), call.uri.path().to_owned());
        match call.operation.as_str() {
            "UpdateStage" => {
                let patches = call.json("patchOperations").and_then(|patches| patches.as_array().cloned());
                for patch in patches.into_iter().flatten() {
                    let text = |name: &str| patch.get(name).and_then(|value| value.as_str()).unwrap_or_default();
                    match (text("op"), text("path")) {
                        ("replace", "/accessLogSettings/destinationArn") => {
                            groups.logs.insert(path.clone(), group_of(text("value")).unwrap_or_default());
                        }
                        ("remove", "/accessLogSettings") => {
                            let group = groups.logs.remove(&path).unwrap_or_default();
                            groups.late.insert(group, QUIET);
                        }
                        _ => {}
                    }
                }
            }
            "DeleteStage" => {
                if let Some(group) = groups.logs.remove(&path) {
                    groups.late.insert(group, BUSY);
                }
            }
            "DeleteLogGroup" | "CreateLogGroup" => {
                groups.again.remove(&call.json_text("logGroupName").unwrap_or_default());
            }
            "TagResource" if call.service == "logs" => {
                let group = call.json_text("resourceArn").and_then(|arn| group_of(&arn));
                groups.again.remove(&group.unwrap_or_default());
            }
            _ => {}
        }
    }
}
