//! Counters for limits: `limit#{name}#{hash of whom}` in `Ephemeral`. A window begins with the first event counted.
//!
//! An event that exceeds the limit is not counted, so a refused request spends nothing.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::item::{Attributes, get_number, hash, is_valid, number, text};
use super::{Store, StoreError, condition_failed, failed};

/// The result of counting one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is within the limit and was counted.
    Within,
    /// It exceeds the limit and was not counted.
    Exceeded {
        /// When the window ends, in seconds since 1970.
        ends: i64,
    },
}

pub(super) fn key(name: &str, whom: &str) -> String {
    let hashed = hash(whom);
    format!("limit#{name}#{}", hashed.get(..32).unwrap_or(&hashed))
}

impl Store {
    /// Counts one more event, atomically, if fewer than `most` were counted in the window of `seconds`.
    ///
    /// # Errors
    /// A call failed.
    pub async fn count(
        &self,
        (name, whom): (&str, &str),
        most: i64,
        seconds: i64,
        now: i64,
    ) -> Result<Counted, StoreError> {
        let key = key(name, whom);
        if most < 1 {
            return Ok(Counted::Exceeded { ends: now + seconds });
        }
        let mut ends = now + seconds;
        for _ in 0..3 {
            match self.count_in_window(&key, most, seconds, now).await? {
                None => return Ok(Counted::Within),
                Some(item) => match get_number(&item, "expiresAt") {
                    Some(end) if end > now => return Ok(Counted::Exceeded { ends: end }),
                    end => ends = end.unwrap_or(ends),
                },
            }
            if self.begin_window(&key, seconds, now).await? {
                return Ok(Counted::Within);
            }
        }
        // An emulator that does not return the item of a failed condition, or other calls that won every attempt.
        Ok(Counted::Exceeded { ends })
    }

    /// Takes back one counted event, because what was counted did not happen.
    ///
    /// # Errors
    /// The call failed.
    pub async fn uncount(&self, (name, whom): (&str, &str), now: i64) -> Result<(), StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key(name, whom)))
            .update_expression("ADD #count :less")
            .condition_expression("expiresAt > :now AND #count > :none")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":less", number(-1))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":now", number(now));
        match call.send().await {
            Ok(_) => Ok(()),
            // The window has ended in the meantime.
            Err(error) if condition_failed(&error) => Ok(()),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }

    /// Returns the item, as far as the database tells, if the limit is reached or the window has ended and the item was
    /// not deleted yet.
    async fn count_in_window(
        &self,
        key: &str,
        most: i64,
        seconds: i64,
        now: i64,
    ) -> Result<Option<Attributes>, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key))
            .update_expression("ADD #count :one SET expiresAt = if_not_exists(expiresAt, :end)")
            .condition_expression("attribute_not_exists(#key) OR (expiresAt > :now AND #count < :most)")
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":end", number(now + seconds))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match call.send().await {
            Ok(_) => Ok(None),
            Err(error) if condition_failed(&error) => Ok(Some(refused_item(&error))),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }

    /// Begins a new window in place of an ended one. Returns false if the window has not ended, or a concurrent call has
    /// done so.
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

/// Returns the number of events that an item of a counter has counted in the present window.
pub(super) fn counted(item: &Attributes, now: i64) -> i64 {
    get_number(item, "count").filter(|_| is_valid(item, now)).unwrap_or(0)
}

/// Returns the item that did not meet the condition; empty if the response does not contain it.
fn refused_item<R>(error: &SdkError<UpdateItemError, R>) -> Attributes {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => refused.item().cloned().unwrap_or_default(),
        _ => Attributes::default(),
    }
}
