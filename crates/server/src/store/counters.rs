//! Counters for limits: `limit#{name}#{hash of whom}` in `Ephemeral`. A window begins with the first event counted.
//!
//! An event that exceeds the limit is not counted, so a refused request spends nothing. Where a [`Pace`] is given, the last
//! events of a window are let in more and more slowly, so that whoever mistypes waits for seconds and not for the window.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::item::{Attributes, get_number, hash, is_valid, number, text};
use super::{Store, StoreError, condition_failed, failed};

/// How fast events may follow each other: some at once, and then each after twice the wait of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The number of events without a wait.
    pub at_once: i64,
    /// How long after the last of these the next one must wait, in seconds.
    pub first_wait: i64,
}

impl Pace {
    /// Returns for how many seconds after the last event the next one must wait if `counted` have been counted.
    pub fn wait(self, counted: i64) -> i64 {
        let waits = counted.saturating_sub(self.at_once);
        if waits < 0 {
            return 0;
        }
        self.first_wait.saturating_mul(2_i64.saturating_pow(u32::try_from(waits).unwrap_or(u32::MAX)))
    }
}

/// The events that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The maximum number of events.
    pub most: i64,
    /// The length in seconds, from the first event.
    pub seconds: i64,
    /// How fast they may follow each other; `None` for no wait.
    pub pace: Option<Pace>,
}

impl Window {
    /// Returns the number of events without a wait.
    fn at_once(self) -> i64 {
        self.pace.map_or(self.most, |pace| pace.at_once.min(self.most))
    }

    /// Returns when the next event may be counted, in seconds since 1970.
    fn ready(self, counted: i64, last: i64, ends: i64) -> i64 {
        match self.pace {
            _ if counted >= self.most => ends,
            Some(pace) => last.saturating_add(pace.wait(counted)).min(ends),
            None => last,
        }
    }
}

/// The result of counting one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is within the limit and was counted.
    Within,
    /// It exceeds the limit and was not counted.
    Exceeded {
        /// When the next one is let in: after its wait, or when the window ends. In seconds since 1970.
        ends: i64,
    },
}

pub(super) fn key(name: &str, whom: &str) -> String {
    let hashed = hash(whom);
    format!("limit#{name}#{}", hashed.get(..32).unwrap_or(&hashed))
}

impl Store {
    /// Counts one more event, atomically, if the window has room for it and its wait is over.
    ///
    /// # Errors
    /// A call failed.
    pub async fn count(&self, (name, whom): (&str, &str), window: Window, now: i64) -> Result<Counted, StoreError> {
        let key = key(name, whom);
        let (mut most, mut ends) = (window.at_once(), now + window.seconds);
        if most < 1 {
            return Ok(Counted::Exceeded { ends });
        }
        for _ in 0..4 {
            let Some(item) = self.count_in_window(&key, most, window.seconds, now).await? else {
                return Ok(Counted::Within);
            };
            match get_number(&item, "expiresAt") {
                Some(end) if end > now => {
                    let counted = get_number(&item, "count").unwrap_or(window.most);
                    ends = window.ready(counted, get_number(&item, "last").unwrap_or(now), end);
                    if ends > now {
                        return Ok(Counted::Exceeded { ends });
                    }
                    // Its wait is over. Of several at the same time one is counted.
                    most = counted + 1;
                    continue;
                }
                end => ends = end.unwrap_or(ends),
            }
            if self.begin_window(&key, window.seconds, now).await? {
                return Ok(Counted::Within);
            }
        }
        // An emulator that does not return the item of a failed condition, or other calls that won every attempt.
        Ok(Counted::Exceeded { ends: ends.max(now + 1) })
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
            .update_expression("ADD #count :one SET expiresAt = if_not_exists(expiresAt, :end), #last = :now")
            .condition_expression("attribute_not_exists(#key) OR (expiresAt > :now AND #count < :most)")
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#last", "last")
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
            .update_expression("SET #count = :one, expiresAt = :end, #last = :now")
            .condition_expression("expiresAt <= :now")
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#last", "last")
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
pub(super) fn refused_item<R>(error: &SdkError<UpdateItemError, R>) -> Attributes {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => refused.item().cloned().unwrap_or_default(),
        _ => Attributes::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_as_long_as_the_one_before() {
        let pace = Pace { at_once: 3, first_wait: 10 };
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|counted| pace.wait(counted)), [0, 0, 0, 10, 20, 40, 80]);
        assert_eq!(pace.wait(i64::MAX), i64::MAX, "no overflow");
    }

    #[test]
    fn no_wait_is_longer_than_the_window() {
        let window = Window { most: 9, seconds: 900, pace: Some(Pace { at_once: 3, first_wait: 10 }) };
        assert_eq!(window.ready(3, 1000, 1900), 1010);
        assert_eq!(window.ready(8, 1850, 1900), 1900);
        assert_eq!(window.ready(9, 1850, 1900), 1900, "no more of them");
    }
}
