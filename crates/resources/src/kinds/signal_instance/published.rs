//! The address of the quick tunnel, which the host publishes in a table.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::stack::Stack;
use peersync_aws::NotFound as _;
use peersync_engine::ResourceError;
use peersync_server::access::SIGNAL_ADDRESS;

/// The table in which it is.
pub(super) const TABLE: &str = "Ephemeral";

/// Returns the address that pages are told, `wss://…`; `None` if no host has published or confirmed one for ten minutes.
///
/// # Errors
/// The table cannot be read.
pub async fn published_address(stack: &Stack) -> Result<Option<String>, ResourceError> {
    let key = AttributeValue::S(format!("{SIGNAL_ADDRESS}tunnel"));
    let call = stack.clients.dynamodb.get_item().table_name(stack.named(TABLE)).key("key", key);
    let answer = call.consistent_read(true).send().await;
    let answer = answer.found(&["ResourceNotFoundException"], "failed to read the address of the quick tunnel")?;
    let Some(item) = answer.and_then(|answer| answer.item) else { return Ok(None) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let ends = item.get("expiresAt").and_then(|ends| ends.as_n().ok()?.parse::<u64>().ok());
    let url = item.get("url").and_then(|url| url.as_s().ok().cloned());
    Ok(url.filter(|_| ends.is_some_and(|ends| ends > now)))
}
