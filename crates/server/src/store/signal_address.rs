//! The address of the signaling server behind a quick tunnel: one item, `signal-address#tunnel` in `Ephemeral`. Cloudflare
//! chooses the address at each start of the tunnel, so that only the host knows it.
//!
//! While a host is replaced there are two. The newer one wins, and the older one only gets its turn again if the newer
//! one has not been heard of for some minutes.

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{get_text, is_valid, number, text};
use super::{Store, StoreError, condition_failed, failed};
use crate::access::SIGNAL_ADDRESS;

/// How long an address is used that its host does not confirm, in seconds.
const KEPT_SECONDS: i64 = 600;
/// How long an older host leaves the place to a newer one that is silent, in seconds.
const SILENT_SECONDS: i64 = 180;
/// How often a host confirms its address, in seconds.
pub const CONFIRM_SECONDS: i64 = 60;

impl Store {
    /// Publishes the address of a host that began at `since`, or confirms it; both times in seconds since 1970. Returns
    /// whether it counts: not if a newer host has published another one.
    ///
    /// # Errors
    /// The call failed.
    pub async fn publish_signal_address(&self, url: &str, since: i64, now: i64) -> Result<bool, StoreError> {
        let call = self.client().update_item().table_name(&self.tables.ephemeral).key("key", key());
        let call = call
            .update_expression("SET #url = :url, #since = :since, #seen = :now, expiresAt = :end")
            .condition_expression("attribute_not_exists(#since) OR #since <= :since OR #seen < :silent")
            .expression_attribute_names("#url", "url")
            .expression_attribute_names("#since", "hostSince")
            .expression_attribute_names("#seen", "seenAt")
            .expression_attribute_values(":url", text(url))
            .expression_attribute_values(":since", number(since))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":silent", number(now.saturating_sub(SILENT_SECONDS)))
            .expression_attribute_values(":end", number(now.saturating_add(KEPT_SECONDS)));
        match call.send().await {
            Err(error) if condition_failed(&error) => Ok(false),
            sent => sent.map(|_| true).map_err(failed("UpdateItem")),
        }
    }

    /// Returns the published address, unless its host has not confirmed it for ten minutes.
    ///
    /// # Errors
    /// The call failed.
    pub async fn signal_address(&self, now: i64) -> Result<Option<String>, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", key());
        let answer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?;
        Ok(answer.item.filter(|item| is_valid(item, now)).and_then(|item| get_text(&item, "url")))
    }
}

fn key() -> AttributeValue {
    text(format!("{SIGNAL_ADDRESS}tunnel"))
}
