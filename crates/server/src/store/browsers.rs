//! What browsers can prove about a sign-in, so that limits against strangers need not hit them.
//!
//! `asked#{hash of address and mark}`: this browser has requested a sign-in with this address in the last 15 minutes.
//! `known#{hash of address and mark}`: somebody has signed in to this account in this browser. Neither is a session:
//! they only decide whose budget a request spends.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::item::{get_flag, get_number, get_text, hash, is_valid, number, text};
use super::{Store, StoreError, condition_failed, failed};

/// The lifetime of a mail's link and code in seconds, and of what a browser proves with having requested it.
pub const SIGN_IN_SECONDS: i64 = 15 * 60;
/// For how many seconds after a sign-in a browser is known.
pub const KNOWN_SECONDS: i64 = 180 * 24 * 3600;

/// A browser that has requested a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedBrowser {
    /// The key of the sign-in that its request caused, or, if it caused no mail, of the newest one at that time.
    pub(super) sign_in: String,
    /// Whether it was a known browser then.
    pub known: bool,
    /// The name, if an account was requested.
    pub name: Option<String>,
    key: String,
}

fn asked_key(email: &str, mark: &str) -> String {
    format!("asked#{}", hash(&format!("{email}\n{mark}")))
}

pub(super) fn known_key(email: &str, mark: &str) -> String {
    format!("known#{}", hash(&format!("{email}\n{mark}")))
}

impl Store {
    /// Stores that the browser with `mark` has requested the sign-in with the key `sign_in`.
    pub(super) async fn keep_asked(
        &self,
        email: &str,
        mark: &str,
        sign_in: &str,
        (known, name): (bool, Option<&str>),
        now: i64,
    ) -> Result<(), StoreError> {
        let call = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(asked_key(email, mark)))
            .item("signIn", text(sign_in))
            .item("known", AttributeValue::Bool(known))
            .item("expiresAt", number(now + SIGN_IN_SECONDS));
        let call = match name {
            Some(name) => call.item("name", text(name)),
            None => call,
        };
        call.send().await.map_err(failed("PutItem"))?;
        Ok(())
    }

    /// Returns what the browser with `mark` has requested in the last 15 minutes. Without a mark the same call is made.
    ///
    /// # Errors
    /// The call failed.
    pub async fn asked(&self, email: &str, mark: Option<&str>, now: i64) -> Result<Option<AskedBrowser>, StoreError> {
        let key = asked_key(email, mark.unwrap_or_default());
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(&key));
        let item = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item;
        let item = item.filter(|item| mark.is_some() && is_valid(item, now));
        Ok(item.and_then(|item| {
            let (sign_in, name) = (get_text(&item, "signIn")?, get_text(&item, "name"));
            Some(AskedBrowser { sign_in, known: get_flag(&item, "known"), name, key })
        }))
    }

    /// Counts a try of this browser at the code of a mail that another one has caused, and returns the number of tries.
    /// Returns `None` if `most` are spent.
    ///
    /// # Errors
    /// The call failed.
    pub async fn count_asked_try(&self, asked: &AskedBrowser, most: i64, now: i64) -> Result<Option<i64>, StoreError> {
        self.count_tries(&asked.key, "tries", most, now).await
    }

    /// Stores that somebody has signed in to this account, of this generation, in the browser with `mark`. Signing out on
    /// all devices changes the generation, and with it ends this.
    ///
    /// # Errors
    /// The call failed.
    pub async fn keep_known(&self, email: &str, generation: &str, mark: &str, now: i64) -> Result<(), StoreError> {
        let call = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(known_key(email, mark)))
            .item("generation", text(generation))
            .item("expiresAt", number(now + KNOWN_SECONDS));
        call.send().await.map_err(failed("PutItem"))?;
        Ok(())
    }

    /// Counts a try in an attribute of an item, and returns the number of tries. Returns `None` if the item is missing or
    /// expired, or `most` are spent.
    pub(super) async fn count_tries(
        &self,
        key: &str,
        attribute: &str,
        most: i64,
        now: i64,
    ) -> Result<Option<i64>, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key))
            .update_expression("ADD #tries :one")
            .condition_expression("expiresAt > :now AND (attribute_not_exists(#tries) OR #tries < :most)")
            .expression_attribute_names("#tries", attribute)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":most", number(most))
            .return_values(ReturnValue::UpdatedNew);
        match call.send().await {
            Ok(answer) => Ok(Some(get_number(&answer.attributes.unwrap_or_default(), attribute).unwrap_or(most))),
            Err(error) if condition_failed(&error) => Ok(None),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }
}
