//! DynamoDB on this computer: `dynoxide-rs` in this process, which the engine and the programs use by the SDK's clients,
//! like AWS. Its data is an SQLite file in the data folder, or in memory.

mod connector;
mod folder;

pub use folder::DataFolder;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use connector::InProcess;
use dynoxide::Database;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::LocalError;

/// How often expired items are removed. AWS takes up to days; the programs check the expiry themselves.
const SWEEP: Duration = Duration::from_secs(30);

/// The endpoint in the clients' settings. The name is reserved and resolves to nothing (RFC 6761), since no request
/// leaves the process.
const ENDPOINT: &str = "http://database.invalid";
/// The clients' region, unless the environment names one.
const REGION: &str = "us-east-1";

/// A running database.
#[derive(Clone)]
pub struct LocalDatabase {
    database: Arc<Database>,
}

impl LocalDatabase {
    /// Opens the data (`None` for memory) and removes expired items until `stop`.
    ///
    /// # Errors
    /// Fails if the file is damaged.
    pub fn start(folder: Option<&DataFolder>, stop: CancellationToken) -> Result<Self, LocalError> {
        let database = match folder {
            Some(folder) => open(&folder.database_file())?,
            None => Database::memory().map_err(|error| LocalError::part("the database", error))?,
        };
        let started = Self { database: Arc::new(database) };
        let sweeper = started.clone();
        tokio::spawn(async move {
            let mut timer = tokio::time::interval(SWEEP);
            while stop.run_until_cancelled(timer.tick()).await.is_some() {
                sweeper.sweep().await;
            }
        });
        Ok(started)
    }

    /// Returns the settings of the SDK's clients, whose requests the database answers in this process.
    pub fn sdk_config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(InProcess(Arc::clone(&self.database)));
        let region = std::env::var("AWS_REGION").ok().filter(|region| !region.is_empty());
        // The SDK signs every request, though nobody checks the signature.
        let credentials = Credentials::new("local", "local", None, None, "local");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.unwrap_or_else(|| REGION.to_owned())))
            .endpoint_url(ENDPOINT)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build()
    }

    async fn sweep(&self) {
        let database = Arc::clone(&self.database);
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => debug!(target: "database", removed, "expired items removed"),
            Ok(Err(error)) => warn!(target: "database", %error, "expired items could not be removed"),
            Err(error) => warn!(target: "database", %error, "the sweep ended"),
        }
    }
}

/// Opens the file and reads it once, so that damage is found now and not by the first user.
fn open(file: &Path) -> Result<Database, LocalError> {
    let damaged = |reason: String| LocalError::Damaged { file: file.to_owned(), reason };
    let path = file.to_str().ok_or_else(|| damaged("its path is not valid UTF-8".to_owned()))?;
    let database = Database::new(path).map_err(|error| damaged(error.to_string()))?;
    let tables = database.list_tables(Default::default()).map_err(|error| damaged(error.to_string()))?;
    for table in tables.table_names {
        let request = serde_json::from_value(serde_json::json!({ "TableName": table }))
            .map_err(|error| damaged(error.to_string()))?;
        database.scan(request).map_err(|error| damaged(format!("table {table}: {error}")))?;
    }
    Ok(database)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    #[test]
    fn damaged_file_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dynamodb.sqlite");
        std::fs::write(&file, "this is no database, but a text of some length".repeat(100)).unwrap();
        let Err(error) = open(&file) else { panic!("a text was opened as a database") };
        assert!(error.to_string().contains("dynamodb.sqlite is damaged"), "{error}");
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(help.contains("mv ") && help.contains("--ephemeral"), "{help}");
    }

    #[tokio::test]
    async fn clients_reach_the_database_without_a_port() {
        let database = LocalDatabase::start(None, CancellationToken::new()).unwrap();
        let client = aws_sdk_dynamodb::Client::new(&database.sdk_config());
        assert_eq!(client.list_tables().send().await.unwrap().table_names(), [] as [String; 0]);
    }
}
