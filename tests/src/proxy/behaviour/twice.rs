//! What is there already: the emulators make it once more, or say that it was made.

use std::collections::HashSet;
use std::sync::Mutex;

use super::Behave;
use crate::proxy::call::{Answer, Call, between};
use crate::proxy::lock;

/// Methods and stages of an API, and distributions by their reference.
#[derive(Default)]
pub(super) struct AlreadyThere {
    made: Mutex<HashSet<String>>,
}

/// What a call makes or deletes; nothing where others see to that themselves.
fn subject(call: &Call) -> Option<String> {
    let path = call.uri.path();
    match call.operation.as_str() {
        "PutMethod" | "DeleteMethod" | "DeleteStage" => Some(path.to_owned()),
        "CreateStage" => Some(format!("{path}/{}", call.json_text("stageName")?)),
        "CreateDistribution" => Some(between(&call.text(), "<CallerReference>", "<")?.to_owned()),
        _ => None,
    }
}

impl Behave for AlreadyThere {
    fn before(&self, call: &Call) -> Option<Answer> {
        let subject = subject(call).filter(|_| !call.operation.starts_with("Delete"))?;
        let (code, message) = match call.service.as_str() {
            "cloudfront" => ("DistributionAlreadyExists", "The caller reference you are using is already in use."),
            _ => ("ConflictException", "It already exists for this resource"),
        };
        lock(&self.made).contains(&subject).then(|| Answer::error(call, 409, code, message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(subject) = subject(call).filter(|_| answer.ok()) else { return };
        if call.operation.starts_with("Delete") {
            lock(&self.made).remove(&subject);
        } else {
            lock(&self.made).insert(subject);
        }
    }
}
