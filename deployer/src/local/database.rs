//! DynamoDB on this computer: `dynoxide-rs` on a loopback port, so that the engine and the programs use it like AWS.
//! Its data is an SQLite file in the data folder, or in memory.

mod folder;

pub use folder::DataFolder;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::Database;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::LocalError;

/// How often expired items are removed. AWS takes up to days; the programs check the expiry themselves.
const SWEEP: Duration = Duration::from_secs(30);

/// A running database.
#[derive(Clone)]
pub struct LocalDatabase {
    /// Its URL, `http://127.0.0.1:PORT`.
    pub endpoint_url: String,
    database: Arc<Database>,
}

impl LocalDatabase {
    /// Opens the data (`None` for memory) and serves it on a free loopback port until `stop`.
    ///
    /// # Errors
    /// Fails if the file is damaged or no port is free.
    pub async fn start(folder: Option<&DataFolder>, stop: CancellationToken) -> Result<Self, LocalError> {
        let database = match folder {
            Some(folder) => open(&folder.database_file())?,
            None => Database::memory().map_err(|error| LocalError::part("the database", error))?,
        };
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| LocalError::part("the database", error))?;
        let address = listener.local_addr().map_err(|error| LocalError::part("the database", error))?;
        let started = Self { endpoint_url: format!("http://{address}"), database: Arc::new(database) };
        let (server, sweeper) = (started.database.as_ref().clone(), started.clone());
        let until = stop.clone();
        tokio::spawn(async move {
            if let Err(error) = dynoxide::server::serve_with_shutdown(listener, server, until.cancelled_owned()).await {
                warn!(target: "database", %error, "the database ended");
            }
        });
        tokio::spawn(async move {
            let mut timer = tokio::time::interval(SWEEP);
            while stop.run_until_cancelled(timer.tick()).await.is_some() {
                sweeper.sweep().await;
            }
        });
        Ok(started)
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
    async fn database_answers_on_loopback_until_stopped() {
        let stop = CancellationToken::new();
        let database = LocalDatabase::start(None, stop.clone()).await.unwrap();
        let address = database.endpoint_url.strip_prefix("http://").unwrap().to_owned();
        assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
        stop.cancel();
        for _ in 0..100 {
            if tokio::net::TcpStream::connect(&address).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it still listens");
    }
}
