//! What is kept in DynamoDB, one file per subject. Expiry is always part of a condition or checked after the read:
//! DynamoDB deletes expired items late, by days.

mod changes;
mod connections;
mod counters;
mod friend_tokens;
mod friendship;
mod item;
mod rooms;
mod sessions;
mod sign_in;
mod users;

pub use changes::Changed;
pub use connections::Connection;
pub use counters::Counted;
pub use friend_tokens::FriendToken;
pub use friendship::{Operation, Outcome, Pair, Status, transition};
pub use item::random_token;
pub use rooms::Room;
pub use sessions::Session;
pub use sign_in::{CodeCheck, SignIn};
pub use users::User;

use std::sync::LazyLock;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};

use crate::settings::Tables;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A call failed; only its name and the error's code are kept, nothing of the data.
    #[error("DynamoDB {operation} failed: {code}")]
    Call {
        /// The call.
        operation: &'static str,
        /// Code of the error.
        code: String,
    },
    /// Others kept changing the same items.
    #[error("the same items were changed by others too often")]
    Busy,
}

/// The database. The client is made at the first use: making it loads the system's root certificates.
#[derive(Debug)]
pub struct Store {
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
    /// Names of the tables.
    pub tables: Tables,
}

impl Store {
    /// A store that makes its client when it is first used.
    pub fn lazy(config: SdkConfig, tables: Tables) -> Self {
        Self { client: LazyLock::new(Box::new(move || Client::new(&config))), tables }
    }

    /// A store on a client that is there already; an interceptor on it sees every call.
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client: LazyLock::new(Box::new(move || client)), tables }
    }

    fn client(&self) -> &Client {
        &self.client
    }
}

/// Names the call in the error and drops what was in it.
fn failed<E: ProvideErrorMetadata, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> StoreError {
    move |error| StoreError::Call { operation, code: crate::aws::error_code(&error) }
}

/// How one attempt at a change ended.
enum Attempt {
    /// The change was made.
    Done,
    /// The rows were changed by others in between; another attempt may succeed.
    Conflict,
    /// The account or the token no longer exists.
    Refused,
}

/// Maps the SDK's error for a request without a required field, which the store never builds.
fn incomplete(_: BuildError) -> StoreError {
    StoreError::Call { operation: "TransactWriteItems", code: "an incomplete request".to_owned() }
}

/// Whether a condition of ours was not met.
fn condition_failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}
