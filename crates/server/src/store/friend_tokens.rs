//! The tokens in the links of friend request mails. A link answers its request once, without signing in. It does not
//! answer a later request.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};

use super::item::{get_number, get_text, hash, number, random_token, text};
use super::{Attempt, Connection, Store, StoreError, condition_failed, failed, incomplete};
use crate::email_address::key_of;

/// The lifetime of the link in seconds.
const FRIEND_TOKEN_SECONDS: i64 = 7 * 24 * 3600;

/// The friend request that a mailed link answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendToken {
    /// The key of the user who asked.
    pub from: String,
    /// The key of the user who was asked, and answers.
    pub to: String,
    /// When it was mailed, in seconds since 1970. It does not answer a later request of the same user.
    mailed_at: i64,
    key: String,
}

impl FriendToken {
    /// Returns whether it belongs to the request in this row of the user who was asked, and not to an earlier one.
    pub fn answers(&self, row: &Connection) -> bool {
        row.timestamp <= self.mailed_at
    }
}

impl Store {
    /// Stores a friend request for its mail, and returns the token for the link.
    ///
    /// # Errors
    /// The call failed.
    pub async fn keep_friend_token(&self, from: &str, to: &str, now: i64) -> Result<String, StoreError> {
        let token = random_token();
        let call = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(friend_key(&token)))
            .item("from", text(from))
            .item("to", text(to))
            .item("expiresAt", number(now + FRIEND_TOKEN_SECONDS));
        call.send().await.map_err(failed("PutItem"))?;
        Ok(token)
    }

    /// Returns the request of a token, unless it was used or has expired.
    ///
    /// # Errors
    /// The call failed.
    pub async fn friend_token(&self, token: &str, now: i64) -> Result<Option<FriendToken>, StoreError> {
        let key = friend_key(token);
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(&key));
        let answer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?;
        let token = answer.item.and_then(|item| {
            let end = get_number(&item, "expiresAt").filter(|end| *end > now)?;
            let mailed_at = end - FRIEND_TOKEN_SECONDS;
            // Earlier versions wrote them in another case.
            let address = |name| get_text(&item, name).map(|address| key_of(&address));
            Some(FriendToken { from: address("from")?, to: address("to")?, mailed_at, key })
        });
        Ok(token)
    }

    /// Returns the token's part of a transaction.
    pub(super) fn spending(&self, token: &FriendToken, now: i64) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.tables.ephemeral).key("key", text(&token.key));
        let delete = delete.condition_expression("expiresAt > :now");
        let delete = delete.expression_attribute_values(":now", number(now)).build().map_err(incomplete)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Consumes a token when the rows need no change.
    pub(super) async fn spend(&self, token: &FriendToken, now: i64) -> Result<Attempt, StoreError> {
        let call = self.client().delete_item().table_name(&self.tables.ephemeral).key("key", text(&token.key));
        let call = call.condition_expression("expiresAt > :now").expression_attribute_values(":now", number(now));
        match call.send().await {
            Ok(_) => Ok(Attempt::Done),
            Err(error) if condition_failed(&error) => Ok(Attempt::Refused),
            Err(error) => Err(failed("DeleteItem")(error)),
        }
    }
}

fn friend_key(token: &str) -> String {
    format!("friend#{}", hash(token))
}
