//! Functions: pending or in an update for a while, and then not to be updated again.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::{Behave, Moments};
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;

#[derive(Default)]
struct Functions {
    created: Moments,
    updated: Moments,
}

/// Functions between two states.
pub(super) struct FunctionInProgress {
    time: Duration,
    functions: Mutex<Functions>,
}

impl FunctionInProgress {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, functions: Mutex::default() }
    }
}

fn function_of(call: &Call) -> Option<String> {
    let by_path = || call.segment(2).map(|name| super::last_part(&name).to_owned());
    if call.operation == "CreateFunction" { call.json_text("FunctionName") } else { by_path() }
}

impl Behave for FunctionInProgress {
    fn before(&self, call: &Call) -> Option<Answer> {
        if call.service != "lambda" || !call.operation.starts_with("UpdateFunction") {
            return None;
        }
        let function = function_of(call)?;
        let functions = lock(&self.functions);
        let why = if functions.created.within(&function, self.time) {
            "The function is currently in the following state: Pending"
        } else if functions.updated.within(&function, self.time) {
            "An update is in progress for resource"
        } else {
            return None;
        };
        let message = format!("The operation cannot be performed at this time. {why}: {function}");
        Some(Answer::error(call, 409, "ResourceConflictException", &message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(function) = function_of(call).filter(|_| call.service == "lambda" && answer.ok()) else { return };
        let mut functions = lock(&self.functions);
        match call.operation.as_str() {
            "CreateFunction" => functions.created.set(function.clone()),
            "UpdateFunctionCode" | "UpdateFunctionConfiguration" => functions.updated.set(function.clone()),
            _ => {}
        }
        let (field, state) = if functions.created.within(&function, self.time) {
            ("State", "Pending")
        } else if functions.updated.within(&function, self.time) {
            ("LastUpdateStatus", "InProgress")
        } else {
            return;
        };
        drop(functions);
        let Some(mut body) = answer.json() else { return };
        let configuration =
            if call.operation == "GetFunction" { body.get_mut("Configuration") } else { Some(&mut body) };
        let Some(fields) = configuration.and_then(Value::as_object_mut) else { return };
        if fields.contains_key("FunctionName") {
            fields.insert(field.to_owned(), Value::String(state.to_owned()));
            answer.set_body(body.to_string());
        }
    }
}
