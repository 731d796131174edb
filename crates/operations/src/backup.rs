//! Backs up the users' data before its tables are deleted: as an on-demand backup of DynamoDB, which stays in the
//! account, encrypted, until somebody deletes it; or, if the endpoint has no backups, as a file of JSON lines on this
//! computer.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_sdk_dynamodb::types::{AttributeValue, BackupStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use peersync_aws::retry::{Schedule, until, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{Progress, ResourceError, rule};
use peersync_resources::kinds::dynamodb_table;
use peersync_resources::stack::Stack;

/// The tables with users' data. The third table holds only what expires by itself within a month.
const TABLES: [&str; 2] = ["Users", "UserConnections"];
/// The error codes for a table whose backups are being enabled, or that is being changed.
const BUSY: &[&str] = &["ContinuousBackupsUnavailableException", "TableInUseException", "BackupInUseException"];
/// The folder for backup files, in the current folder.
const FOLDER: &str = "peersync-backups";

/// The backup of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The table.
    pub table: String,
    /// Where the backup is.
    pub location: BackupLocation,
    /// The region of the table.
    pub region: String,
}

/// The location of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupLocation {
    /// In DynamoDB, under this ARN.
    DynamoDb(String),
    /// In this file, one item per line, in DynamoDB's own JSON.
    File(PathBuf),
}

impl Backup {
    /// Returns where the backup is and how to restore it, for people.
    pub fn explain(&self) -> String {
        let Self { table, region, .. } = self;
        let part = TABLES.into_iter().find(|part| table.ends_with(&format!("-{part}"))).unwrap_or_default();
        let address = dynamodb_table::address(part);
        match &self.location {
            BackupLocation::DynamoDb(arn) => format!(
                "{table} is backed up in DynamoDB as {arn}; restore it with `aws dynamodb restore-table-from-backup \
                 --region {region} --target-table-name {table} --backup-arn {arn}` and adopt it with \
                 `peersync-deploy up --adopt {address}`"
            ),
            BackupLocation::File(file) => {
                let file = file.display();
                format!(
                    "{table} is backed up in {file}; restore it after `peersync-deploy up` with `while read -r item; do \
                     aws dynamodb put-item --region {region} --table-name {table} --item \"$item\"; done < {file}`"
                )
            }
        }
    }

    /// Returns the event for programs.
    pub fn json(&self) -> Value {
        let (kind, location) = match &self.location {
            BackupLocation::DynamoDb(arn) => ("dynamodb", arn.clone()),
            BackupLocation::File(file) => ("file", file.display().to_string()),
        };
        json!({ "event": "backup", "table": self.table, "kind": kind, "place": location })
    }
}

/// Backs up the tables that hold any data. `present` returns whether a table exists.
///
/// # Errors
/// Fails if a backup fails; then nothing may be deleted.
pub async fn back_up(
    stack: &Stack,
    present: impl Fn(&str) -> bool,
    progress: &Progress,
) -> Result<Vec<Backup>, ResourceError> {
    let moment = moment(SystemTime::now());
    let mut backups = Vec::new();
    for table in TABLES.map(|table| stack.named(table)) {
        if present(&table) && holds_anything(stack, &table).await? {
            let location = keep(stack, &table, &moment, progress).await?;
            backups.push(Backup { table, location, region: stack.clients.region.clone() });
        }
    }
    Ok(backups)
}

/// Returns a time as `20260102T030405Z`, which the names of backups and files allow.
fn moment(now: SystemTime) -> String {
    humantime::format_rfc3339_seconds(now).to_string().replace(['-', ':'], "")
}

async fn holds_anything(stack: &Stack, table: &str) -> Result<bool, ResourceError> {
    // Consistent, so that a sign-up of a moment ago counts. Without a filter, a page is empty only if the table is.
    let scan = stack.clients.dynamodb.scan().table_name(table).limit(1).consistent_read(true).send().await;
    let page = scan.found(&["ResourceNotFoundException"], "failed to check whether a table holds users' data")?;
    Ok(page.is_some_and(|page| !page.items().is_empty()))
}

async fn keep(stack: &Stack, table: &str, moment: &str, progress: &Progress) -> Result<BackupLocation, ResourceError> {
    match on_demand(stack, table, moment, progress).await {
        Err(error) if stack.clients.lack(&error) => {
            let folder = Path::new(FOLDER).join(format!("{}-{moment}", stack.name()));
            export(stack, table, &folder).await.map(BackupLocation::File)
        }
        kept => kept.map(BackupLocation::DynamoDb),
    }
}

async fn on_demand(stack: &Stack, table: &str, moment: &str, progress: &Progress) -> Result<String, ResourceError> {
    let dynamodb = &stack.clients.dynamodb;
    let name = format!("{table}-{moment}");
    let call = dynamodb.create_backup().table_name(table).backup_name(name);
    let is_transient = |error: &ResourceError| rule!("backup-while-busy", error.is(BUSY));
    let create = || async { call.clone().send().await.context("failed to back up a table") };
    let details = while_failing(progress, Schedule::STATE, is_transient, create).await?.backup_details;
    let arn = details.map(|details| details.backup_arn).unwrap_or_default();
    until(progress, Schedule::STATE, "the backup to become available", || async {
        let answer = dynamodb.describe_backup().backup_arn(&arn).send().await.context("failed to read a backup")?;
        let status = answer.backup_description.and_then(|backup| Some(backup.backup_details?.backup_status));
        let is_complete = status == Some(BackupStatus::Available);
        Ok(rule!("backup-complete-before-delete", is_complete, without: true).then_some(()))
    })
    .await?;
    Ok(arn)
}

/// Writes all items of a table to a file that only this user may read.
async fn export(stack: &Stack, table: &str, folder: &Path) -> Result<PathBuf, ResourceError> {
    let mut lines = String::new();
    let mut pages =
        stack.clients.dynamodb.scan().table_name(table).consistent_read(true).into_paginator().items().send();
    while let Some(item) = pages.next().await {
        let item = item.context("failed to read the users' data")?;
        let item: Map<String, Value> = item.into_iter().map(|(name, value)| (name, attribute(&value))).collect();
        lines.push_str(&format!("{}\n", Value::Object(item)));
    }
    let file = folder.join(format!("{table}.jsonl"));
    write_private(folder, &file, &lines).map_err(|error| {
        ResourceError::new("failed to write the backup of the users' data")
            .caused_by(format!("{}: {error}", file.display()))
            .hint("run the command in a writable folder")
    })?;
    Ok(file)
}

fn write_private(folder: &Path, file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::create_dir_all(folder)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Returns a value in DynamoDB's own JSON, which `aws dynamodb put-item` accepts.
fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(yes) => json!({ "BOOL": yes }),
        AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        AttributeValue::Ss(texts) => json!({ "SS": texts }),
        AttributeValue::Ns(numbers) => json!({ "NS": numbers }),
        AttributeValue::Bs(all) => json!({ "BS": all.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Vec<_>>() }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(attribute).collect::<Vec<_>>() }),
        AttributeValue::M(map) => {
            let members: Map<String, Value> =
                map.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
            json!({ "M": members })
        }
        _ => json!({ "NULL": true }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_dynamodb::primitives::Blob;

    use super::*;

    #[test]
    fn values_are_written_in_dynamodb_json() {
        let value = AttributeValue::M(
            [
                ("name".to_owned(), AttributeValue::S("Ada \"A\"\n".to_owned())),
                (
                    "list".to_owned(),
                    AttributeValue::L(vec![AttributeValue::N("1.5".to_owned()), AttributeValue::Null(true)]),
                ),
                ("hash".to_owned(), AttributeValue::B(Blob::new([255, 0]))),
            ]
            .into(),
        );
        let expected = json!({ "M": {
            "name": { "S": "Ada \"A\"\n" },
            "list": { "L": [{ "N": "1.5" }, { "NULL": true }] },
            "hash": { "B": "/wA=" },
        }});
        assert_eq!(attribute(&value), expected);
    }

    #[test]
    fn backup_names_contain_only_allowed_characters() {
        let moment = moment(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        assert_eq!(moment, "20270115T080000Z");
    }

    #[test]
    fn restoring_is_explained_by_commands_for_the_region_of_the_table() {
        let backup =
            |location| Backup { table: "peersync-dev-Users".to_owned(), location, region: "eu-central-1".to_owned() };
        let arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/peersync-dev-Users/backup/1".to_owned();
        insta::assert_snapshot!(backup(BackupLocation::DynamoDb(arn)).explain(), @"peersync-dev-Users is backed up in DynamoDB as arn:aws:dynamodb:eu-central-1:123456789012:table/peersync-dev-Users/backup/1; restore it with `aws dynamodb restore-table-from-backup --region eu-central-1 --target-table-name peersync-dev-Users --backup-arn arn:aws:dynamodb:eu-central-1:123456789012:table/peersync-dev-Users/backup/1` and adopt it with `peersync-deploy up --adopt dynamodb_table.Users`");
        let file = BackupLocation::File(PathBuf::from("peersync-backups/a/peersync-dev-Users.jsonl"));
        insta::assert_snapshot!(backup(file).explain(), @r#"peersync-dev-Users is backed up in peersync-backups/a/peersync-dev-Users.jsonl; restore it after `peersync-deploy up` with `while read -r item; do aws dynamodb put-item --region eu-central-1 --table-name peersync-dev-Users --item "$item"; done < peersync-backups/a/peersync-dev-Users.jsonl`"#);
    }

    #[cfg(unix)]
    #[test]
    fn exports_are_readable_by_the_owner_only() -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir()?;
        let inner = folder.path().join("backup");
        let file = inner.join("Users.jsonl");
        write_private(&inner, &file, "{}\n")?;
        assert_eq!(std::fs::metadata(&file)?.permissions().mode() & 0o077, 0);
        assert!(write_private(&inner, &file, "{}\n").is_err(), "an earlier backup is never overwritten");
        Ok(())
    }
}
