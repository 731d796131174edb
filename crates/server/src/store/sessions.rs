//! Sessions: `session#{SHA-256 of the cookie}` in `Ephemeral`.

use super::item::{get_number, get_text, hash, number, random_token, text};
use super::{Store, StoreError, condition_failed, failed};
use crate::email_address::key_of;

/// A session that has not expired. The caller must compare its generation with that of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The key of its user's address.
    pub email: String,
    /// The generation of the account when the session began.
    pub generation: String,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
}

fn key(token: &str) -> String {
    format!("session#{}", hash(token))
}

/// Returns a name for the session of a cookie: the first 64 bits of its hash, which prove nothing.
pub fn session_id(token: &str) -> String {
    hash(token).chars().take(16).collect()
}

impl Store {
    /// Begins a session and returns the cookie's value, of which only the hash is stored.
    ///
    /// # Errors
    /// The call failed.
    pub async fn create_session(&self, session: &Session, now: i64) -> Result<String, StoreError> {
        let token = random_token();
        let call = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(key(&token)))
            .item("email", text(&session.email))
            .item("generation", text(&session.generation))
            .item("createdAt", number(now))
            .item("expiresAt", number(session.expires_at));
        call.send().await.map_err(failed("PutItem"))?;
        Ok(token)
    }

    /// Returns the session of a cookie, unless it has expired.
    ///
    /// # Errors
    /// The call failed.
    pub async fn session(&self, token: &str, now: i64) -> Result<Option<Session>, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(key(token)));
        let answer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?;
        let session = answer.item.and_then(|item| {
            Some(Session {
                // Earlier versions wrote it in another case.
                email: key_of(&get_text(&item, "email")?),
                generation: get_text(&item, "generation")?,
                expires_at: get_number(&item, "expiresAt")?,
            })
        });
        Ok(session.filter(|session| session.expires_at > now))
    }

    /// Extends a session. Returns false if it has ended in the meantime; it stays ended.
    ///
    /// # Errors
    /// The call failed.
    pub async fn extend_session(&self, token: &str, expires_at: i64, now: i64) -> Result<bool, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key(token)))
            .update_expression("SET expiresAt = :end")
            .condition_expression("expiresAt > :now")
            .expression_attribute_values(":end", number(expires_at))
            .expression_attribute_values(":now", number(now));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if condition_failed(&error) => Ok(false),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The call failed.
    pub async fn end_session(&self, token: &str) -> Result<(), StoreError> {
        let call = self.client().delete_item().table_name(&self.tables.ephemeral).key("key", text(key(token)));
        call.send().await.map_err(failed("DeleteItem"))?;
        Ok(())
    }
}
