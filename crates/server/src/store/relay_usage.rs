//! The traffic of the relay: `relay-usage#{year}-{month}` in `Ephemeral`, a number of bytes.

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use aws_sdk_dynamodb::types::ReturnValue;

use super::item::{get_number, number, text};
use super::{Store, StoreError, failed};
use crate::access::RELAY_USAGE;

/// How long the traffic of a month is kept after it was last added to, in seconds: so that the last month can be looked
/// up.
const KEPT_SECONDS: i64 = 62 * 86400;

impl Store {
    /// Adds bytes that the relay has sent, and returns how many it has sent in this month (of UTC, as AWS's bills).
    /// `now` is in seconds since 1970.
    ///
    /// # Errors
    /// A call failed. It may have added the bytes all the same.
    pub async fn add_relayed(&self, bytes: u64, now: i64) -> Result<u64, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(format!("{RELAY_USAGE}{}", month(now))))
            .update_expression("ADD bytes :bytes SET expiresAt = :end")
            .expression_attribute_values(":bytes", number(i64::try_from(bytes).unwrap_or(i64::MAX)))
            .expression_attribute_values(":end", number(now.saturating_add(KEPT_SECONDS)))
            .return_values(ReturnValue::AllNew);
        let answer = call.send().await.map_err(failed("UpdateItem"))?;
        let total = get_number(&answer.attributes.unwrap_or_default(), "bytes");
        Ok(total.and_then(|total| u64::try_from(total).ok()).unwrap_or(bytes))
    }
}

/// Returns the month as `2026-11`.
fn month(now: i64) -> String {
    let day = DateTime::from_secs(now).fmt(DateTimeFormat::DateTime).unwrap_or_default();
    day.chars().take(7).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_is_that_of_utc() {
        for (now, expected) in
            [(0, "1970-01"), (1_795_996_799, "2026-11"), (1_796_083_199, "2026-11"), (1_796_083_200, "2026-12")]
        {
            assert_eq!(month(now), expected);
        }
    }
}
