//! The address of the signaling server behind a quick tunnel: one item, `signal-address#tunnel` in `Ephemeral`. Cloudflare
//! chooses the address at each start of the tunnel, so that only the host knows it.
//!
//! While a host is replaced there are two, and everybody must be told the same one. The item belongs to the host that has
//! published last, until it gives the item up, or has not confirmed it for [`SILENT`]. Each confirmation leaves another mark, so
//! that no host compares its clock with another's: the next one measures how long it has seen the same mark, and takes the item
//! only if that is still there.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::item::{get_text, is_valid, number, random_id, text};
use super::{Store, StoreError, condition_failed, failed};
use crate::access::SIGNAL_ADDRESS;

/// How long an address is used that its host does not confirm, in seconds.
const KEPT_SECONDS: i64 = 600;
/// How often a host confirms its address.
pub const CONFIRM: Duration = Duration::from_secs(30);
/// How long the same mark stays until another host may take the item: three confirmations, and the time that a slow one takes.
pub const SILENT: Duration = Duration::from_secs(100);

/// What came of publishing an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publication {
    /// The address counts.
    Published,
    /// The item belongs to another host, whose last confirmation has left this mark.
    Taken {
        /// The mark.
        mark: String,
    },
}

impl Store {
    /// Publishes the address of a host, or confirms it, at `now`, in seconds since 1970. `silent` is the mark of another host that
    /// has not confirmed its address for too long.
    ///
    /// # Errors
    /// The call failed.
    pub async fn publish_signal_address(
        &self,
        url: &str,
        host: &str,
        silent: Option<&str>,
        now: i64,
    ) -> Result<Publication, StoreError> {
        let call = self.client().update_item().table_name(&self.tables.ephemeral).key("key", key());
        let call = call
            .update_expression("SET #url = :url, #host = :host, #mark = :mark, expiresAt = :end")
            // Nobody else has this address: after a restart, the host may not know its own name any more.
            .condition_expression("attribute_not_exists(#mark) OR #host = :host OR #url = :url OR #mark = :silent")
            .expression_attribute_names("#url", "url")
            .expression_attribute_names("#host", "host")
            .expression_attribute_names("#mark", "mark")
            .expression_attribute_values(":url", text(url))
            .expression_attribute_values(":host", text(host))
            .expression_attribute_values(":mark", text(random_id()))
            .expression_attribute_values(":silent", text(silent.unwrap_or_default()))
            .expression_attribute_values(":end", number(now.saturating_add(KEPT_SECONDS)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match call.send().await {
            Ok(_) => return Ok(Publication::Published),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let mark = refused.item().and_then(|item| get_text(item, "mark")).unwrap_or_default();
                Ok(Publication::Taken { mark })
            }
            _ => Err(failed("UpdateItem")(error)),
        }
    }

    /// Gives the item up, if it belongs to this host: from now on no address is told until a host publishes one.
    ///
    /// # Errors
    /// The call failed.
    pub async fn give_up_signal_address(&self, host: &str) -> Result<(), StoreError> {
        let call = self.client().update_item().table_name(&self.tables.ephemeral).key("key", key());
        let call = call
            .update_expression("REMOVE #url, #host, #mark")
            .condition_expression("#host = :host")
            .expression_attribute_names("#url", "url")
            .expression_attribute_names("#host", "host")
            .expression_attribute_names("#mark", "mark")
            .expression_attribute_values(":host", text(host));
        match call.send().await {
            Err(error) if condition_failed(&error) => Ok(()),
            sent => sent.map(|_| ()).map_err(failed("UpdateItem")),
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
