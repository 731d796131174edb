//! Tables, which take time, and their backups, which take more.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Behave, Moments};
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;

/// Point-in-time recovery right after creation.
pub(super) struct BackupsUnavailable {
    time: Duration,
    created: Mutex<Moments>,
}

impl BackupsUnavailable {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, created: Mutex::default() }
    }
}

impl Behave for BackupsUnavailable {
    fn before(&self, call: &Call) -> Option<Answer> {
        let table = call.json_text("TableName").filter(|_| call.is("dynamodb", "UpdateContinuousBackups"))?;
        let message = format!("Backups are being enabled for the table: {table}. Please retry later");
        let early = lock(&self.created).within(&table, self.time);
        early.then(|| Answer::error(call, 400, "ContinuousBackupsUnavailableException", &message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.is("dynamodb", "CreateTable")
            && answer.ok()
            && let Some(table) = call.json_text("TableName")
        {
            lock(&self.created).set(table);
        }
    }
}

/// Backups that take a while, and are refused at first.
pub(super) struct BackupInProgress {
    time: Duration,
    made: Mutex<Moments>,
    refused: Mutex<HashMap<String, usize>>,
}

impl BackupInProgress {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, made: Mutex::default(), refused: Mutex::default() }
    }
}

impl Behave for BackupInProgress {
    fn before(&self, call: &Call) -> Option<Answer> {
        let table = call.json_text("TableName").filter(|_| call.is("dynamodb", "CreateBackup"))?;
        let mut refused = lock(&self.refused);
        let count = refused.entry(table.clone()).or_default();
        *count += 1;
        let (code, message) = match *count {
            1 => ("ContinuousBackupsUnavailableException", "Backups are being enabled for the table"),
            2 => ("TableInUseException", "Table is being updated"),
            _ => return None,
        };
        Some(Answer::error(call, 400, code, &format!("{message}: {table}. Please retry later")))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(mut body) = answer.json().filter(|_| answer.ok() && call.service == "dynamodb") else { return };
        let details = match call.operation.as_str() {
            "CreateBackup" => "/BackupDetails",
            "DescribeBackup" => "/BackupDescription/BackupDetails",
            _ => return,
        };
        let Some(details) = body.pointer_mut(details).and_then(Value::as_object_mut) else { return };
        let Some(arn) = details.get("BackupArn").and_then(Value::as_str).map(str::to_owned) else { return };
        let mut made = lock(&self.made);
        if call.operation == "CreateBackup" {
            made.set(arn.clone());
        }
        if made.within(&arn, self.time) {
            details.insert("BackupStatus".to_owned(), Value::from("CREATING"));
            answer.set_body(body.to_string());
        }
    }
}

#[derive(Default)]
struct Tables {
    created: Moments,
    updated: Moments,
    /// Tables whose index was created.
    indexed: Moments,
    deleted: Moments,
}

/// Tables between two states.
pub(super) struct TableInProgress {
    time: Duration,
    tables: Mutex<Tables>,
}

/// Operations that a table in progress refuses.
const CHANGES: [&str; 6] =
    ["UpdateTable", "DeleteTable", "UpdateTimeToLive", "UpdateContinuousBackups", "TagResource", "UntagResource"];

impl TableInProgress {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, tables: Mutex::default() }
    }

    fn state(&self, table: &str) -> Option<&'static str> {
        let tables = lock(&self.tables);
        if tables.deleted.within(table, self.time) {
            Some("DELETING")
        } else if tables.created.within(table, self.time) {
            Some("CREATING")
        } else {
            tables.updated.within(table, self.time).then_some("UPDATING")
        }
    }
}

fn table_of(call: &Call) -> Option<String> {
    let by_arn = || Some(super::last_part(&call.json_text("ResourceArn")?).to_owned());
    call.json_text("TableName").or_else(by_arn)
}

impl Behave for TableInProgress {
    fn before(&self, call: &Call) -> Option<Answer> {
        if call.service != "dynamodb" {
            return None;
        }
        let table = table_of(call)?;
        let state = self.state(&table)?;
        if call.operation == "DescribeTable" && state == "DELETING" {
            // The emulator has already deleted it.
            let described = json!({ "Table": { "TableName": table, "TableStatus": state } });
            let mut answer = Answer::empty(call);
            answer.set_body(described.to_string());
            return Some(answer);
        }
        let refused = CHANGES.contains(&&*call.operation) || (state == "DELETING" && call.operation == "CreateTable");
        let message = format!("Attempt to change a resource which is still in use: Table is {state}: {table}");
        refused.then(|| Answer::error(call, 400, "ResourceInUseException", &message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(table) = table_of(call).filter(|_| call.service == "dynamodb") else { return };
        if answer.ok() {
            let mut tables = lock(&self.tables);
            match call.operation.as_str() {
                "CreateTable" => tables.created.set(table.clone()),
                "UpdateTable" => {
                    tables.updated.set(table.clone());
                    if call.text().contains("\"Create\"") {
                        tables.indexed.set(table.clone());
                    }
                }
                "DeleteTable" => tables.deleted.set(table.clone()),
                _ => {}
            }
        }
        if call.operation == "DescribeTable" && lock(&self.tables).indexed.within(&table, self.time * 2) {
            show_indexes_in_progress(answer);
        }
        let Some(state) = self.state(&table) else { return };
        let path = match call.operation.as_str() {
            "DescribeTable" => "/Table/TableStatus",
            "CreateTable" | "UpdateTable" | "DeleteTable" => "/TableDescription/TableStatus",
            _ => return,
        };
        if let Some(mut body) = answer.json().filter(|_| answer.ok())
            && let Some(status) = body.pointer_mut(path)
        {
            *status = Value::String(state.to_owned());
            answer.set_body(body.to_string());
        }
    }
}

/// An index is filled for some time after its table is active.
fn show_indexes_in_progress(answer: &mut Answer) {
    let Some(mut body) = answer.json().filter(|_| answer.ok()) else { return };
    let indexes = body.pointer_mut("/Table/GlobalSecondaryIndexes").and_then(Value::as_array_mut);
    for index in indexes.into_iter().flatten().filter_map(Value::as_object_mut) {
        index.insert("IndexStatus".to_owned(), Value::from("CREATING"));
    }
    answer.set_body(body.to_string());
}

/// One table at a time.
pub(super) struct Simultaneous {
    time: Duration,
    changed: Mutex<Option<Instant>>,
}

impl Simultaneous {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, changed: Mutex::default() }
    }
}

impl Behave for Simultaneous {
    fn before(&self, call: &Call) -> Option<Answer> {
        if call.service != "dynamodb" || !["CreateTable", "DeleteTable"].contains(&&*call.operation) {
            return None;
        }
        let mut changed = lock(&self.changed);
        if changed.is_some_and(|changed| changed.elapsed() < self.time) {
            let message = "Subscriber limit exceeded: There is a limit to the number of tables that can be created, \
                           updated, or deleted simultaneously";
            return Some(Answer::error(call, 400, "LimitExceededException", message));
        }
        *changed = Some(Instant::now());
        None
    }
}
