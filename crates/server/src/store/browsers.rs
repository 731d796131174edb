//! What browsers can prove about a sign-in, so that limits against strangers need not hit them.
//!
//! `asked#{hash of address and mark}`: this browser has requested a sign-in with this address in the last 15 minutes.
//! `known#{hash of address and mark}`: somebody has signed in to this account in this browser. Neither is a session:
//! they only decide whose budget a request spends.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::counters::{Pace, refused_item};
use super::item::{get_flag, get_number, get_text, hash, is_valid, number, text};
use super::{Store, StoreError, condition_failed, failed};

/// The lifetime of a mail's link and code in seconds, and of what a browser proves with having requested it.
pub const SIGN_IN_SECONDS: i64 = 15 * 60;
/// For how many seconds after a sign-in a browser is known.
pub const KNOWN_SECONDS: i64 = 180 * 24 * 3600;

/// How fast tries at one code or number may follow each other: three at once, and then each after twice the wait of the one
/// before. The waits of five tries are 10 and 20 seconds.
const TRIES: Pace = Pace { at_once: 3, first_wait: 10 };

/// The result of counting a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It was counted, and is the one with this number.
    Counted(i64),
    /// It comes before its wait is over, and was not counted.
    TooEarly {
        /// When the wait is over, in seconds since 1970.
        ready: i64,
    },
    /// All tries are spent, or what they were for is gone.
    Spent,
}

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

    /// Returns what the browser with `mark` has requested in the last 15 minutes. Whether a call is needed depends on the
    /// browser alone, so the time that it takes tells nothing about the address.
    ///
    /// # Errors
    /// The call failed.
    pub async fn asked(&self, email: &str, mark: Option<&str>, now: i64) -> Result<Option<AskedBrowser>, StoreError> {
        let Some(mark) = mark else { return Ok(None) };
        let key = asked_key(email, mark);
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(&key));
        let item = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item;
        let item = item.filter(|item| is_valid(item, now));
        Ok(item.and_then(|item| {
            let (sign_in, name) = (get_text(&item, "signIn")?, get_text(&item, "name"));
            Some(AskedBrowser { sign_in, known: get_flag(&item, "known"), name, key })
        }))
    }

    /// Counts a try of this browser at the code of a mail that another one has caused, of which it has `most`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn count_asked_try(&self, asked: &AskedBrowser, most: i64, now: i64) -> Result<Tried, StoreError> {
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

    /// Counts a try in an attribute of an item, of which it has `most`. A try that comes before its wait is over is not
    /// counted, so that it can be repeated. The waits go by this item alone, so nobody else can cause them.
    pub(super) async fn count_tries(
        &self,
        key: &str,
        attribute: &str,
        most: i64,
        now: i64,
    ) -> Result<Tried, StoreError> {
        let last = format!("{attribute}At");
        let mut allowed = TRIES.at_once.min(most);
        for _ in 0..2 {
            let call = self
                .client()
                .update_item()
                .table_name(&self.tables.ephemeral)
                .key("key", text(key))
                .update_expression("ADD #tries :one SET #last = :now")
                .condition_expression("expiresAt > :now AND (attribute_not_exists(#tries) OR #tries < :allowed)")
                .expression_attribute_names("#tries", attribute)
                .expression_attribute_names("#last", &last)
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":now", number(now))
                .expression_attribute_values(":allowed", number(allowed))
                .return_values(ReturnValue::UpdatedNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let item = match call.send().await {
                Ok(answer) => {
                    let tries = get_number(&answer.attributes.unwrap_or_default(), attribute);
                    return Ok(Tried::Counted(tries.unwrap_or(most)));
                }
                Err(error) if condition_failed(&error) => refused_item(&error),
                Err(error) => return Err(failed("UpdateItem")(error)),
            };
            let tries = get_number(&item, attribute).filter(|tries| *tries < most && is_valid(&item, now));
            let Some(tries) = tries else { return Ok(Tried::Spent) };
            let ready = get_number(&item, &last).unwrap_or(now).saturating_add(TRIES.wait(tries));
            if ready > now {
                return Ok(Tried::TooEarly { ready });
            }
            // Of several at the same time one is counted.
            allowed = tries + 1;
        }
        Ok(Tried::TooEarly { ready: now + 1 })
    }
}
