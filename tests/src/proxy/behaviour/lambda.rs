//! Functions: pending or being updated for a while, during which they refuse changes.

use std::collections::HashSet;
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
    /// Changes that were refused once because another client's change came first.
    met: HashSet<String>,
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
        let changes = call.operation.starts_with("UpdateFunction") || call.operation == "DeleteFunction";
        if call.service != "lambda" || !changes {
            return None;
        }
        let function = function_of(call)?;
        let mut functions = lock(&self.functions);
        let why = if functions.created.within(&function, self.time) {
            "The function is currently in the following state: Pending"
        } else if functions.updated.within(&function, self.time) {
            "An update is in progress for resource"
        } else if functions.met.insert(format!("{} {function}", call.operation)) {
            "Another update came first"
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
            ("State", Value::from("Pending"))
        } else if functions.updated.within(&function, self.time / 2) {
            // At first it has no status.
            ("LastUpdateStatus", Value::Null)
        } else if functions.updated.within(&function, self.time) {
            ("LastUpdateStatus", Value::from("InProgress"))
        } else {
            return;
        };
        drop(functions);
        let Some(mut body) = answer.json() else { return };
        let configuration =
            if call.operation == "GetFunction" { body.get_mut("Configuration") } else { Some(&mut body) };
        let Some(fields) = configuration.and_then(Value::as_object_mut) else { return };
        if fields.contains_key("FunctionName") {
            fields.insert(field.to_owned(), state);
            answer.set_body(body.to_string());
        }
    }
}

/// Functions whose last update has failed. Lambda continues with the version before, and accepts the next update
/// ("Lambda function states", Lambda developer guide).
#[derive(Default)]
pub(super) struct FailedUpdate {
    failed: Mutex<HashSet<String>>,
}

impl Behave for FailedUpdate {
    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(function) = function_of(call).filter(|_| call.service == "lambda" && answer.ok()) else { return };
        let mut failed = lock(&self.failed);
        match call.operation.as_str() {
            "CreateFunction" => _ = failed.insert(function),
            "UpdateFunctionCode" | "UpdateFunctionConfiguration" => _ = failed.remove(&function),
            "GetFunctionConfiguration" if failed.contains(&function) => {
                let Some(mut body) = answer.json() else { return };
                let Some(fields) = body.as_object_mut() else { return };
                fields.insert("LastUpdateStatus".to_owned(), Value::from("Failed"));
                fields.insert(
                    "LastUpdateStatusReason".to_owned(),
                    Value::from("The image or its key is not accessible."),
                );
                answer.set_body(body.to_string());
            }
            _ => {}
        }
    }
}

/// A last log line of a function after its log group was deleted: Lambda re-creates the group.
#[derive(Default)]
pub(super) struct LateLog {
    functions: Mutex<HashSet<String>>,
}

impl Behave for LateLog {
    /// A group that is re-created at once counts as never deleted.
    fn before(&self, call: &Call) -> Option<Answer> {
        let group = call.json_text("logGroupName").filter(|_| call.is("logs", "DeleteLogGroup"))?;
        let function = group.strip_prefix("/aws/lambda/")?;
        lock(&self.functions).contains(function).then(|| Answer::empty(call))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(function) = function_of(call).filter(|_| call.service == "lambda" && answer.ok()) else { return };
        match call.operation.as_str() {
            "CreateFunction" => _ = lock(&self.functions).insert(function),
            "DeleteFunction" => _ = lock(&self.functions).remove(&function),
            _ => {}
        }
    }
}
