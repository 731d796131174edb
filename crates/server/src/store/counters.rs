//! Counters for limits: `limit#{name}#{hash of whom}` in `Ephemeral`. A window begins with the first event
//! counted.

use aws_sdk_dynamodb::types::ReturnValue;

use super::item::{get_number, hash, number, text};
use super::{Store, StoreError, condition_failed, failed};

/// The state of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The number of events in the window, including this one.
    pub count: i64,
    /// When the window ends, in seconds since 1970.
    pub ends: i64,
}

impl Store {
    /// Counts one more event, atomically.
    ///
    /// # Errors
    /// A call failed.
    pub async fn count(&self, name: &str, whom: &str, seconds: i64, now: i64) -> Result<Counted, StoreError> {
        let hashed = hash(whom);
        let key = format!("limit#{name}#{}", hashed.get(..32).unwrap_or(&hashed));
        for _ in 0..3 {
            if let Some(counted) = self.count_in_window(&key, seconds, now).await? {
                return Ok(counted);
            }
            if self.begin_window(&key, seconds, now).await? {
                return Ok(Counted { count: 1, ends: now + seconds });
            }
        }
        Err(StoreError::Busy)
    }

    /// Returns `None` if the window has ended and the item was not deleted yet.
    async fn count_in_window(&self, key: &str, seconds: i64, now: i64) -> Result<Option<Counted>, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key))
            .update_expression("ADD #count :one SET expiresAt = if_not_exists(expiresAt, :end)")
            .condition_expression("attribute_not_exists(#key) OR expiresAt > :now")
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":end", number(now + seconds))
            .return_values(ReturnValue::AllNew);
        match call.send().await {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                let (count, ends) = (get_number(&item, "count"), get_number(&item, "expiresAt"));
                Ok(Some(Counted { count: count.unwrap_or(1), ends: ends.unwrap_or(now + seconds) }))
            }
            Err(error) if condition_failed(&error) => Ok(None),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }

    /// Begins a new window in place of an ended one. Returns false if a concurrent call has done so.
    async fn begin_window(&self, key: &str, seconds: i64, now: i64) -> Result<bool, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key))
            .update_expression("SET #count = :one, expiresAt = :end")
            .condition_expression("expiresAt <= :now")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":end", number(now + seconds));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if condition_failed(&error) => Ok(false),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }
}
