//! Accounts.
//!
//! `searchShard` and `searchName` exist only while the account can be found by name: after its address was verified,
//! and not while its owner hides it. The index `byName` has no entry without them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use unicode_normalization::UnicodeNormalization as _;

use super::item::{Attributes, get_flag, get_number, get_text, number, random_id, text};
use super::{Store, StoreError, condition_failed, failed};
use crate::email_address::Email;

const INDEX: &str = "byName";
/// The maximum number of keys in one BatchGetItem.
pub(super) const BATCH: usize = 100;
/// How often the keys that a batch left unprocessed are requested again.
const BATCH_TRIES: usize = 8;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The key of the e-mail address, see [`Email`].
    pub email: String,
    /// The address as its owner typed it, for people to read and for mail.
    pub address: String,
    /// The name that others see.
    pub name: String,
    /// Whether it is left out of searches.
    pub hidden: bool,
    /// When it was created, in seconds since 1970.
    pub created_at: i64,
    /// When its owner first signed in, which verified the address.
    pub verified_at: Option<i64>,
    /// Random, and changes with "sign out everywhere". Sessions, sign-in mails and tickets of another generation are
    /// invalid, those of a deleted account with the same address included.
    pub generation: String,
    /// A random id that identifies the account where its address is masked.
    pub public_id: String,
    /// Whether its deletion has begun.
    pub deleting: bool,
}

impl User {
    pub(super) fn read(item: &Attributes) -> Option<Self> {
        let email = get_text(item, "email")?;
        Some(Self {
            address: get_text(item, "address").unwrap_or_else(|| email.clone()),
            email,
            name: get_text(item, "name")?,
            hidden: get_flag(item, "hidden"),
            created_at: get_number(item, "createdAt").unwrap_or(0),
            verified_at: get_number(item, "verifiedAt"),
            generation: get_text(item, "generation").unwrap_or_default(),
            public_id: get_text(item, "publicId").unwrap_or_default(),
            deleting: get_flag(item, "deleting"),
        })
    }
}

/// Returns a name as it is searched for: case and compatibility forms do not matter.
pub(crate) fn search_name(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).nfkc().collect::<String>().trim().to_owned()
}

/// Returns the first two characters, the partition of the index.
fn search_shard(search_name: &str) -> String {
    search_name.chars().take(2).collect()
}

impl Store {
    /// Returns the account with this address.
    ///
    /// # Errors
    /// The call failed.
    pub async fn user(&self, email: &str) -> Result<Option<User>, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.users).key("email", text(email));
        let answer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?;
        Ok(answer.item.as_ref().and_then(User::read))
    }

    /// Creates an account. One whose address is verified stays unchanged. One that nobody ever signed in to gets the
    /// new name; otherwise whoever typed the address first would choose its owner's name. Its generation stays, so that
    /// nobody else's request invalidates the mail that its owner asked for. It is returned, unless the address is verified.
    ///
    /// # Errors
    /// The call failed.
    pub async fn create_user(&self, email: &Email, name: &str, now: i64) -> Result<Option<String>, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.users)
            .key("email", text(email.as_str()))
            .update_expression(
                "SET #name = :name, address = :address, createdAt = if_not_exists(createdAt, :now), \
                 generation = if_not_exists(generation, :generation), publicId = if_not_exists(publicId, :id)",
            )
            .condition_expression("attribute_not_exists(verifiedAt)")
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", text(name))
            .expression_attribute_values(":address", text(email.spelling()))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":generation", text(random_id()))
            .expression_attribute_values(":id", text(random_id()))
            .return_values(ReturnValue::AllNew);
        match call.send().await {
            Ok(answer) => Ok(get_text(&answer.attributes.unwrap_or_default(), "generation")),
            Err(error) if condition_failed(&error) => Ok(None),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }

    /// Records that the owner has verified the address. From now on the account can be found by name. The name and the
    /// spelling of the address become those of `user`. An interrupted deletion is reverted: whoever signs in wants the account.
    ///
    /// # Errors
    /// The call failed.
    pub async fn verify_user(&self, user: &User, now: i64) -> Result<(), StoreError> {
        if user.verified_at.is_some() && !user.deleting {
            return Ok(());
        }
        let mut change =
            "SET verifiedAt = if_not_exists(verifiedAt, :now), #name = :name, address = :address".to_owned();
        let mut call = self.client().update_item().table_name(&self.tables.users).key("email", text(&user.email));
        if !user.hidden {
            let name = search_name(&user.name);
            change.push_str(", searchShard = :shard, searchName = :search");
            call = call
                .expression_attribute_values(":shard", text(search_shard(&name)))
                .expression_attribute_values(":search", text(name));
        }
        change.push_str(" REMOVE deleting");
        let call = call
            .update_expression(change)
            .condition_expression("attribute_exists(email)")
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", text(&user.name))
            .expression_attribute_values(":address", text(&user.address))
            .expression_attribute_values(":now", number(now));
        call.send().await.map_err(failed("UpdateItem"))?;
        Ok(())
    }

    /// Changes name and visibility together.
    ///
    /// # Errors
    /// The call failed, or the account does not exist.
    pub async fn change_user(&self, email: &str, name: &str, hidden: bool) -> Result<(), StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.users)
            .key("email", text(email))
            .condition_expression("attribute_exists(email)")
            .expression_attribute_names("#name", "name")
            .expression_attribute_names("#hidden", "hidden")
            .expression_attribute_values(":name", text(name))
            .expression_attribute_values(":hidden", AttributeValue::Bool(hidden));
        let call = if hidden {
            call.update_expression("SET #name = :name, #hidden = :hidden REMOVE searchShard, searchName")
        } else {
            let search = search_name(name);
            call.update_expression("SET #name = :name, #hidden = :hidden, searchShard = :shard, searchName = :search")
                .expression_attribute_values(":shard", text(search_shard(&search)))
                .expression_attribute_values(":search", text(search))
        };
        call.send().await.map_err(failed("UpdateItem"))?;
        Ok(())
    }

    /// Deletes the account itself. Its connections must be removed before.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete_user(&self, email: &str) -> Result<(), StoreError> {
        let call = self.client().delete_item().table_name(&self.tables.users).key("email", text(email));
        call.send().await.map_err(failed("DeleteItem"))?;
        Ok(())
    }

    /// Returns at most `limit` accounts whose name begins with `prefix`, which has at least two characters as
    /// [`search_name`] returns it.
    ///
    /// # Errors
    /// The call failed.
    pub async fn users_by_name(&self, prefix: &str, limit: i32) -> Result<Vec<User>, StoreError> {
        let prefix = search_name(prefix);
        let call = self
            .client()
            .query()
            .table_name(&self.tables.users)
            .index_name(INDEX)
            .key_condition_expression("searchShard = :shard AND begins_with(searchName, :prefix)")
            .expression_attribute_values(":shard", text(search_shard(&prefix)))
            .expression_attribute_values(":prefix", text(prefix))
            .limit(limit);
        let answer = call.send().await.map_err(failed("Query"))?;
        Ok(answer.items().iter().filter_map(User::read).collect())
    }

    /// Returns the account that a search has shown, by its name at that time and its random id.
    ///
    /// # Errors
    /// The call failed.
    pub async fn user_by_public_id(&self, name: &str, public_id: &str) -> Result<Option<User>, StoreError> {
        let found = self.users_by_name(name, 100).await?;
        Ok(found.into_iter().find(|user| user.public_id == public_id))
    }

    /// Returns the accounts with these addresses. Addresses without an account are left out.
    ///
    /// # Errors
    /// The call failed.
    pub async fn users(&self, emails: &[String]) -> Result<HashMap<String, User>, StoreError> {
        let mut users = HashMap::new();
        for chunk in emails.chunks(BATCH) {
            let keys = chunk.iter().map(|email| HashMap::from([("email".to_owned(), text(email))]));
            for item in self.batch(&self.tables.users, keys.collect()).await? {
                if let Some(user) = User::read(&item) {
                    users.insert(user.email.clone(), user);
                }
            }
        }
        Ok(users)
    }

    /// Reads up to [`BATCH`] items, and requests again what a response left unprocessed.
    pub(super) async fn batch(&self, table: &str, keys: Vec<Attributes>) -> Result<Vec<Attributes>, StoreError> {
        let mut items = Vec::new();
        let mut keys = keys;
        for _ in 0..BATCH_TRIES {
            if keys.is_empty() {
                return Ok(items);
            }
            let request = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let request =
                request.map_err(|_| StoreError::Call { operation: "BatchGetItem", code: "no keys".to_owned() })?;
            let call = self.client().batch_get_item().request_items(table, request);
            let answer = call.send().await.map_err(failed("BatchGetItem"))?;
            items.extend(answer.responses.unwrap_or_default().remove(table).unwrap_or_default());
            let left = answer.unprocessed_keys.unwrap_or_default().remove(table);
            keys = left.map(|left| left.keys).unwrap_or_default();
        }
        Err(StoreError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_name_ignores_case_and_compatibility_forms() {
        for (name, expected) in [("Ada", "ada"), ("ＡＤＡ", "ada"), ("Ǆelal", "dželal"), ("İzmir", "i\u{307}zmir")]
        {
            let once = search_name(name);
            assert_eq!(search_name(&once), once, "{name}");
            assert_eq!(once, expected.nfkc().collect::<String>());
        }
        assert_eq!(search_shard("ädam"), "äd");
    }
}
