//! Existing and deleted resources: the emulators create and delete them once more, and AWS refuses.

use std::collections::HashSet;
use std::sync::Mutex;

use super::Behave;
use crate::proxy::call::{Answer, Call, between};
use crate::proxy::lock;

/// Methods and stages of an API, distributions by their reference, the expiry of tables, and rules of groups.
#[derive(Default)]
pub(super) struct AlreadyThere {
    things: Mutex<Things>,
}

#[derive(Default)]
struct Things {
    made: HashSet<String>,
    deleted: HashSet<String>,
}

/// Returns what a call creates or deletes; `None` if the emulator refuses a repetition itself.
fn subject(call: &Call) -> Option<String> {
    let path = call.uri.path();
    match call.operation.as_str() {
        "PutMethod" | "DeleteMethod" | "DeleteStage" => Some(path.to_owned()),
        "CreateStage" => Some(format!("{path}/{}", call.json_text("stageName")?)),
        "UpdateTimeToLive" | "DeleteTable" => Some(format!("expiry of {}", call.json_text("TableName")?)),
        "CreateDistribution" => Some(between(&call.text(), "<CallerReference>", "<")?.to_owned()),
        operation if operation.contains("SecurityGroupIngress") => Some(format!("inbound {}", rules(call))),
        operation if operation.contains("SecurityGroupEgress") => Some(format!("outbound {}", rules(call))),
        _ => None,
    }
}

/// Returns the group and the rules of a call.
fn rules(call: &Call) -> String {
    let about = call.parameters().into_iter().filter(|(key, _)| !["Action", "Version"].contains(&key.as_str()));
    about.map(|(key, value)| format!("{key}={value} ")).collect()
}

fn deletes(call: &Call) -> bool {
    ["Delete", "Revoke"].iter().any(|verb| call.operation.starts_with(verb))
}

impl Behave for AlreadyThere {
    fn before(&self, call: &Call) -> Option<Answer> {
        let (subject, things) = (subject(call)?, lock(&self.things));
        let error = |status, code, message| Some(Answer::error(call, status, code, message));
        if deletes(call) {
            return match call.service.as_str() {
                _ if !things.deleted.contains(&subject) => None,
                "apigateway" => error(404, "NotFoundException", "Invalid identifier specified"),
                "ec2" => error(400, "InvalidPermission.NotFound", "The specified rule does not exist."),
                _ => None,
            };
        }
        match call.service.as_str() {
            _ if !things.made.contains(&subject) => None,
            "cloudfront" => {
                error(409, "DistributionAlreadyExists", "The caller reference you are using is already in use.")
            }
            "dynamodb" => error(400, "ValidationException", "TimeToLive is already enabled"),
            "ec2" => error(400, "InvalidPermission.Duplicate", "The specified rule already exists."),
            _ => error(409, "ConflictException", "It already exists for this resource"),
        }
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(subject) = subject(call).filter(|_| answer.ok()) else { return };
        let mut things = lock(&self.things);
        let Things { made, deleted } = &mut *things;
        let (to, from) = if deletes(call) { (deleted, made) } else { (made, deleted) };
        from.remove(&subject);
        to.insert(subject);
    }
}
