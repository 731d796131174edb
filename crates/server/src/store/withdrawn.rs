//! What ends with an account's sign-ins, and who is told.
//!
//! Generations of accounts that were withdrawn, for the relay: `withdrawn#{bucket}` in `Ephemeral` has those of ten minutes, as a
//! set of texts. They are kept for as long as credentials for TURN are valid that were issued before.
//!
//! The signaling servers read [`super::notices`] and then the accounts. The relay may read neither: whoever takes it over should
//! not learn who knows whom. So it is told all that it needs.

use aws_sdk_dynamodb::types::AttributeValue;

use super::changes::{TRIES, pause};
use super::item::{Attributes, number, random_id, text};
use super::notices::Notice;
use super::users::User;
use super::{Store, StoreError, condition_failed, failed};
use crate::access::WITHDRAWN;
use crate::turn_credentials::TURN_SECONDS;

/// The length of a bucket in seconds. An item has at most 400 KB: 1400 of the longest addresses. Whoever signs out everywhere
/// must sign in by mail again, and in ten minutes 770 mails are sent at most.
const BUCKET_SECONDS: i64 = 600;

/// A generation of an account that is no longer valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Withdrawn {
    /// The key of the account's address.
    pub email: String,
    /// The generation.
    pub generation: String,
}

impl Withdrawn {
    /// Returns it as it is stored. Addresses have no line breaks.
    fn to_text(&self) -> String {
        format!("{}\n{}", self.email, self.generation)
    }

    fn parse(text: &str) -> Option<Self> {
        let (email, generation) = text.split_once('\n')?;
        Some(Self { email: email.to_owned(), generation: generation.to_owned() })
    }
}

impl Store {
    /// Invalidates every session, sign-in mail, ticket and credential for TURN of the account, and tells the servers. Of an
    /// account that does not exist nothing is left to invalidate.
    ///
    /// # Errors
    /// A call failed, or others that did the same won every attempt.
    pub async fn end_all_sessions(&self, email: &str, now: i64) -> Result<(), StoreError> {
        for attempt in 0..TRIES {
            let Some(old) = self.announce_end(email, now).await? else { return Ok(()) };
            let call = self.client().update_item().table_name(&self.tables.users).key("email", text(email));
            let call = call
                .update_expression("SET generation = :new")
                .condition_expression(
                    "attribute_exists(email) AND (generation = :old OR attribute_not_exists(generation))",
                )
                .expression_attribute_values(":new", text(random_id()))
                .expression_attribute_values(":old", text(old));
            match call.send().await {
                // Another request was faster, and with the generation that it began nobody was told of.
                Err(error) if condition_failed(&error) => tokio::time::sleep(pause(attempt)).await,
                sent => return sent.map(|_| ()).map_err(failed("UpdateItem")),
            }
        }
        Err(StoreError::Busy)
    }

    /// Begins the deletion: the account can no longer be found and gets no new connections, and the servers are told.
    ///
    /// # Errors
    /// A call failed.
    pub async fn begin_deletion(&self, email: &str, now: i64) -> Result<(), StoreError> {
        // Another request may have deleted it since this one was authorized.
        if self.announce_end(email, now).await?.is_none() {
            return Ok(());
        }
        let call = self.client().update_item().table_name(&self.tables.users).key("email", text(email));
        let call = call
            .update_expression("SET deleting = :yes REMOVE searchShard, searchName")
            .condition_expression("attribute_exists(email)")
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        match call.send().await {
            Err(error) if condition_failed(&error) => Ok(()),
            sent => sent.map(|_| ()).map_err(failed("UpdateItem")),
        }
    }

    /// Tells signaling servers and relay that what rests on the account is about to end, and returns its generation; `None`
    /// if it does not exist.
    async fn announce_end(&self, email: &str, now: i64) -> Result<Option<String>, StoreError> {
        let Some(User { generation, .. }) = self.user(email).await? else { return Ok(None) };
        let withdrawn = Withdrawn { email: email.to_owned(), generation };
        let notice = Notice::Account(email.to_owned());
        futures::try_join!(self.announce(&notice, now), self.withdraw(&withdrawn, now))?;
        Ok(Some(withdrawn.generation))
    }

    /// Tells the relay that a generation of an account is about to be withdrawn. The change must follow.
    ///
    /// # Errors
    /// The call failed. Then the change must not be made.
    async fn withdraw(&self, withdrawn: &Withdrawn, now: i64) -> Result<(), StoreError> {
        let end = now.saturating_add(TURN_SECONDS + 2 * BUCKET_SECONDS);
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key(now.div_euclid(BUCKET_SECONDS))))
            .update_expression("ADD #accounts :account SET expiresAt = :end")
            .expression_attribute_names("#accounts", "accounts")
            .expression_attribute_values(":account", AttributeValue::Ss(vec![withdrawn.to_text()]))
            .expression_attribute_values(":end", number(end));
        call.send().await.map_err(failed("UpdateItem"))?;
        Ok(())
    }

    /// Returns what was withdrawn from `since` (in seconds since 1970) until now, of what matters to credentials that are
    /// valid, those of a clock that is ahead of ours included. Some are older.
    ///
    /// # Errors
    /// A call failed.
    pub async fn withdrawn(&self, since: i64, now: i64) -> Result<Vec<Withdrawn>, StoreError> {
        let since = since.max(now.saturating_sub(TURN_SECONDS));
        let buckets = since.div_euclid(BUCKET_SECONDS)..=now.saturating_add(30).div_euclid(BUCKET_SECONDS);
        let keys = buckets.map(|bucket| Attributes::from([("key".to_owned(), text(key(bucket)))])).collect();
        let items = self.batch(&self.tables.ephemeral, keys).await?;
        let sets = items.iter().filter_map(|item| item.get("accounts")?.as_ss().ok());
        Ok(sets.flatten().filter_map(|text| Withdrawn::parse(text)).collect())
    }
}

fn key(bucket: i64) -> String {
    format!("{WITHDRAWN}{bucket}")
}
