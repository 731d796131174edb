//! Fixups for MiniStack.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Map, Value};

use super::{Fixup, without_interface};
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;
use crate::proxy::operation::decoded;

/// The end of the name of the public parameter of images for arm64.
const ARM64_IMAGE: &str = "al2023-ami-kernel-default-arm64";
/// The image that it names.
pub const ARM64_IMAGE_ID: &str = "ami-0a64a64a64a64a64a";

/// What the corrections must remember.
#[derive(Debug, Default)]
pub(super) struct MiniStack {
    /// Tags of an API or a stage that were set or removed after its creation: MiniStack keeps that, but does not return it.
    /// The tags that were set, and the keys of those that were removed, by path, `/restapis/ID/stages/api`.
    changed: Mutex<HashMap<String, HashMap<String, Option<Value>>>>,
    /// How often each alarm was changed: MiniStack does not tell when one was.
    alarms: Mutex<HashMap<String, u32>>,
}

impl MiniStack {
    fn learn(&self, call: &Call) {
        let arn = decoded(call.uri.path());
        let Some((_, path)) = arn.rsplit_once("::") else { return };
        let mut changed = lock(&self.changed);
        let changed = changed.entry(path.to_owned()).or_default();
        if let Some(tags) = call.json("tags").and_then(|tags| tags.as_object().cloned()) {
            changed.extend(tags.into_iter().map(|(key, value)| (key, Some(value))));
        }
        let parameters = call.uri.query().unwrap_or_default().split('&');
        let removed = parameters.filter_map(|parameter| parameter.strip_prefix("tagKeys="));
        changed.extend(removed.map(|key| (decoded(key), None)));
    }

    fn tell(&self, path: &str, described: &mut Value) {
        let changed = lock(&self.changed);
        let Some((changed, described)) = changed.get(path).zip(described.as_object_mut()) else { return };
        let tags = described.entry("tags").or_insert_with(|| Value::Object(Map::new()));
        let Some(tags) = tags.as_object_mut() else { return };
        for (key, value) in changed {
            match value {
                Some(value) => drop(tags.insert(key.clone(), value.clone())),
                None => drop(tags.remove(key)),
            }
        }
    }
}

/// MiniStack has images for x86_64 alone.
fn names_arm64_image(call: &Call) -> bool {
    call.is("ssm", "GetParameter") && call.json_text("Name").is_some_and(|name| name.ends_with(ARM64_IMAGE))
}

impl MiniStack {
    /// Adds the time of the last change to each alarm.
    fn tell_times(&self, text: &str) -> String {
        let changes = lock(&self.alarms);
        let parts = text.split_inclusive("</AlarmArn>").map(|part| {
            let Some(arn) = part.strip_suffix("</AlarmArn>") else { return part.to_owned() };
            let name = arn.rsplit_once(":alarm:").map_or("", |(_, name)| name);
            let (minute, second) = changes.get(name).map_or((0, 0), |number| (number / 60, number % 60));
            const TIME: &str = "AlarmConfigurationUpdatedTimestamp";
            format!("{part}<{TIME}>2026-01-01T00:{minute:02}:{second:02}Z</{TIME}>")
        });
        parts.collect()
    }
}

impl Fixup for MiniStack {
    fn request(&self, call: &Call) -> Call {
        let mut fixed = call.clone();
        if call.is("ec2", "RunInstances") {
            fixed.set_body(without_interface(call));
        }
        if names_arm64_image(call) {
            fixed.set_body(call.text().replace("-arm64", "-x86_64"));
        }
        fixed
    }

    fn answer(&self, call: &Call, answer: &mut Answer) {
        if names_arm64_image(call)
            && let Some(mut body) = answer.json()
            && let Some(value) = body.pointer_mut("/Parameter/Value")
        {
            *value = ARM64_IMAGE_ID.into();
            answer.set_body(body.to_string());
        }
        if !answer.ok() {
            return;
        }
        match (call.service.as_str(), call.operation.as_str()) {
            ("monitoring", "PutMetricAlarm") => {
                *lock(&self.alarms).entry(call.parameter("AlarmName").unwrap_or_default()).or_default() += 1;
                return;
            }
            ("monitoring", "DescribeAlarms") => return answer.set_body(self.tell_times(&answer.text())),
            ("apigateway", _) => {}
            _ => return,
        }
        if matches!(call.operation.as_str(), "TagResource" | "UntagResource") {
            return self.learn(call);
        }
        let Some(mut body) = answer.json() else { return };
        match call.operation.as_str() {
            "GetRestApis" => {
                for api in body.get_mut("item").and_then(Value::as_array_mut).into_iter().flatten() {
                    let id = api.get("id").and_then(Value::as_str).unwrap_or_default();
                    self.tell(&format!("/restapis/{id}"), api);
                }
            }
            "GetStage" => self.tell(call.uri.path(), &mut body),
            _ => return,
        }
        answer.set_body(body.to_string());
    }
}
