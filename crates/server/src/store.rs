//! The data in DynamoDB, one file per subject. Expiry is always part of a condition or checked after the read, because
//! DynamoDB deletes expired items up to days later.

mod browsers;
mod changes;
mod connections;
mod counters;
mod friend_tokens;
mod friendship;
mod item;
mod notices;
mod relay_usage;
mod rooms;
mod sessions;
mod sign_in;
mod signal_address;
mod spellings;
mod users;
mod withdrawn;

pub use browsers::{AskedBrowser, KNOWN_SECONDS, Tried};
pub use changes::Changed;
pub use connections::Connection;
pub use counters::{Counted, Pace, Window};
pub use friend_tokens::FriendToken;
pub use friendship::{Operation, Outcome, Pair, Status, transition};
pub use item::random_token;
pub use notices::{NEW_SECONDS, NOTICE_SECONDS, Notice};
pub use rooms::Room;
pub use sessions::{Session, session_id};
pub use sign_in::{CodeCheck, PendingSignIn, SignIn, SignInState, can_be_code, named};
pub use signal_address::{CONFIRM, Publication, SILENT};
pub use users::User;
pub use withdrawn::Withdrawn;

use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};

use crate::aws::NO_CONNECTION;
use crate::settings::Tables;

/// Why an operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A call failed. Only its name and the error's code are kept, none of the data.
    #[error("DynamoDB {operation} failed: {code}")]
    Call {
        /// The name of the call.
        operation: &'static str,
        /// The code of the error.
        code: String,
    },
    /// Concurrent changes to the same items won every attempt.
    #[error("too many concurrent changes to the same items")]
    Busy,
}

impl StoreError {
    /// Returns whether the database itself is unreachable, whatever was asked.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Call { code, .. } if code == NO_CONNECTION)
    }
}

/// The database. The client is created at the first use, because creating it loads the system's root certificates.
#[derive(Debug)]
pub struct Store {
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
    /// The names of the tables.
    pub tables: Tables,
    /// Whether this process knows that no address has other spellings left, see [`Store::unify_addresses`].
    unified: AtomicBool,
}

impl Store {
    /// Returns a store that creates its client at the first use.
    pub fn lazy(config: SdkConfig, tables: Tables) -> Self {
        Self { client: LazyLock::new(Box::new(move || Client::new(&config))), tables, unified: AtomicBool::new(false) }
    }

    /// Returns a store with an existing client. An interceptor on it sees every call.
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client: LazyLock::new(Box::new(move || client)), tables, unified: AtomicBool::new(false) }
    }

    fn client(&self) -> &Client {
        &self.client
    }
}

/// Converts an SDK error: keeps the name of the call, and none of its data.
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

/// Returns whether the call's condition was not met.
fn condition_failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}
