//! Fixups for MiniStack.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Map, Value};

use super::Fixup;
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;
use crate::proxy::operation::decoded;

/// Tags of an API or a stage that were set after its creation: MiniStack keeps them, but does not return them.
#[derive(Debug, Default)]
pub(super) struct Tags {
    /// By path, `/restapis/ID/stages/api`.
    set: Mutex<HashMap<String, Map<String, Value>>>,
}

impl Tags {
    fn learn(&self, call: &Call) {
        let arn = decoded(call.uri.path());
        let path = arn.rsplit_once("::").map(|(_, path)| path.to_owned());
        let tags = call.json("tags").and_then(|tags| tags.as_object().cloned());
        if let Some((path, tags)) = path.zip(tags) {
            lock(&self.set).entry(path).or_default().extend(tags);
        }
    }

    fn tell(&self, path: &str, described: &mut Value) {
        let set = lock(&self.set);
        if let Some((set, described)) = set.get(path).zip(described.as_object_mut()) {
            let tags = described.entry("tags").or_insert_with(|| Value::Object(Map::new()));
            tags.as_object_mut().into_iter().for_each(|tags| tags.extend(set.clone()));
        }
    }
}

impl Fixup for Tags {
    fn answer(&self, call: &Call, answer: &mut Answer) {
        if call.service != "apigateway" || !answer.ok() {
            return;
        }
        if call.operation == "TagResource" {
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
