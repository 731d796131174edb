//! Notices for the signaling servers: which accounts and friendships change. `notices#{bucket}` in `Ephemeral` has those
//! of ten seconds, as a set of texts.
//!
//! A notice is written before the change, and says only whom it concerns. The signaling servers then read the rows
//! themselves, and again for as long as they read the bucket: a change that fails has done nothing, and can be repeated.
//! Only the end of a session needs no more than its notice.

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{Attributes, number, text};
use super::{Store, StoreError, failed};
use crate::access::NOTICES;

/// The length of a bucket in seconds. An item has at most 400 KB: 800 notices of two addresses with 254 characters each.
/// In ten seconds the gateway passes on 2000 requests by default (100 a second and a burst of 1000), of which few change
/// something, and most addresses are short. If an item is full all the same, the change is refused until the next bucket begins.
const BUCKET_SECONDS: i64 = 10;
/// How long notices are kept in seconds: 90 buckets, so that one batch of 100 keys reads them all.
pub const NOTICE_SECONDS: i64 = 900;
/// How long a notice counts as new in seconds. The change follows its notice within the timeout of a function, 10 s; the
/// rest is for clocks that differ.
pub const NEW_SECONDS: i64 = 20;

/// What is about to change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Notice {
    /// The account with this address: its sessions end, or it is deleted.
    Account(String),
    /// A session of the account with this address ends, see [`super::session_id`].
    Session(String, String),
    /// Whether these two are friends, in alphabetical order.
    Friendship(String, String),
}

impl Notice {
    /// Returns the notice about two users.
    pub fn friendship(one: &str, other: &str) -> Self {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        Self::Friendship(first.to_owned(), second.to_owned())
    }

    /// Returns it as it is stored. Addresses have no line breaks.
    fn to_text(&self) -> String {
        match self {
            Self::Account(email) => email.clone(),
            Self::Session(email, id) => format!("{email}\n\n{id}"),
            Self::Friendship(one, other) => format!("{one}\n{other}"),
        }
    }

    fn parse(text: &str) -> Self {
        let Some((one, rest)) = text.split_once('\n') else { return Self::Account(text.to_owned()) };
        match rest.strip_prefix('\n') {
            Some(id) => Self::Session(one.to_owned(), id.to_owned()),
            None => Self::Friendship(one.to_owned(), rest.to_owned()),
        }
    }
}

impl Store {
    /// Writes a notice. The change must follow.
    ///
    /// # Errors
    /// The call failed. Then the change must not be made.
    pub async fn announce(&self, notice: &Notice, now: i64) -> Result<(), StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key(now.div_euclid(BUCKET_SECONDS))))
            .update_expression("ADD #notices :notice SET expiresAt = :end")
            .expression_attribute_names("#notices", "notices")
            .expression_attribute_values(":notice", AttributeValue::Ss(vec![notice.to_text()]))
            .expression_attribute_values(":end", number(now.saturating_add(NOTICE_SECONDS)));
        call.send().await.map_err(failed("UpdateItem"))?;
        Ok(())
    }

    /// Returns the notices from `since` (in seconds since 1970, at most [`NOTICE_SECONDS`] ago) until now, those of a
    /// clock that is ahead of ours included, in any order. Some are older.
    ///
    /// # Errors
    /// A call failed.
    pub async fn notices(&self, since: i64, now: i64) -> Result<Vec<Notice>, StoreError> {
        let since = since.max(now.saturating_sub(NOTICE_SECONDS));
        let buckets = since.div_euclid(BUCKET_SECONDS)..=now.div_euclid(BUCKET_SECONDS).saturating_add(1);
        let keys = buckets.map(|bucket| Attributes::from([("key".to_owned(), text(key(bucket)))])).collect();
        let items = self.batch(&self.tables.ephemeral, keys).await?;
        let sets = items.iter().filter_map(|item| item.get("notices")?.as_ss().ok());
        Ok(sets.flatten().map(|text| Notice::parse(text)).collect())
    }
}

fn key(bucket: i64) -> String {
    format!("{NOTICES}{bucket}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notice_survives_its_text() {
        let (ada, id) = ("ada@example.org".to_owned(), "0123456789abcdef".to_owned());
        let friendship = Notice::friendship("bob@example.org", &ada);
        let notices = [Notice::Account(ada.clone()), Notice::Session(ada, id), friendship];
        for notice in notices {
            assert_eq!(Notice::parse(&notice.to_text()), notice);
        }
    }
}
