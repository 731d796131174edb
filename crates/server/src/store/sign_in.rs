//! Signing in by mail. `signin#{SHA-256 of the link's token}` holds everything about one mail: whom it is for, the
//! code, the number to match and the tries. `code#{SHA-256 of the address}` points to the latest one. Link and code
//! use up the same item, so that only one of them works, once.

use aws_sdk_dynamodb::types::ReturnValue;

use super::item::{Attributes, get_number, get_text, hash, number, random_id, random_token, text};
use super::{Store, StoreError, condition_failed, failed};

/// How long a mail is good for, in seconds.
pub const SIGN_IN_SECONDS: i64 = 15 * 60;
/// How often code or number may be tried.
pub const TRIES: i64 = 5;

/// What goes into a mail and to the browser that asked for it.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// For the link.
    pub token: String,
    /// Six digits.
    pub code: String,
    /// Two digits, shown where the mail was asked for.
    pub number: i64,
    /// For the cookie of the browser that asked.
    pub asked: String,
    /// The name, where an account was asked for: whoever has the mail takes the name of the request that it belongs to,
    /// whatever others asked for meanwhile.
    pub name: Option<String>,
}

impl SignIn {
    /// A new one, all random.
    pub fn random() -> Self {
        Self {
            token: random_token(),
            code: format!("{:06}", rand::random_range(0..1_000_000)),
            number: rand::random_range(10..100),
            asked: random_token(),
            name: None,
        }
    }
}

/// What became of a link or a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeCheck {
    /// Right, and used up.
    Proved {
        /// The address that is proved.
        email: String,
        /// The name that was given when an account was asked for.
        name: Option<String>,
    },
    /// Nothing of the kind, used before, or expired.
    Unknown,
    /// The wrong code or number; one try less.
    Wrong,
    /// Another browser than the one that asked: the number must be given.
    NumberNeeded,
}

fn key(token: &str) -> String {
    format!("signin#{}", hash(token))
}

fn code_key(email: &str) -> String {
    format!("code#{}", hash(email))
}

impl Store {
    /// Keeps what is needed to recognise the answer to a mail.
    ///
    /// # Errors
    /// A call failed.
    pub async fn keep_sign_in(&self, email: &str, sign_in: &SignIn, now: i64) -> Result<(), StoreError> {
        let (key, salt) = (key(&sign_in.token), random_id());
        let item = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(&key))
            .item("email", text(email))
            .item("codeHash", text(hash(&format!("{salt}{}", sign_in.code))))
            .item("salt", text(salt))
            .item("number", number(sign_in.number))
            .item("askedHash", text(hash(&sign_in.asked)))
            .item("tries", number(0))
            .item("expiresAt", number(now + SIGN_IN_SECONDS));
        let item = match &sign_in.name {
            Some(name) => item.item("name", text(name)),
            None => item,
        };
        let pointer = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(code_key(email)))
            .item("signIn", text(&key))
            .item("expiresAt", number(now + SIGN_IN_SECONDS));
        let (first, second) = futures::join!(item.send(), pointer.send());
        first.map_err(failed("PutItem"))?;
        second.map_err(failed("PutItem"))?;
        Ok(())
    }

    /// Uses up a link. `asked` is the cookie of the browser, `given` the number that was typed.
    ///
    /// # Errors
    /// A call failed.
    pub async fn use_link(
        &self,
        token: &str,
        asked: Option<&str>,
        given: Option<i64>,
        now: i64,
    ) -> Result<CodeCheck, StoreError> {
        let key = key(token);
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(&key));
        let Some(item) = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item else {
            return Ok(CodeCheck::Unknown);
        };
        if get_number(&item, "expiresAt").is_none_or(|end| end <= now) {
            return Ok(CodeCheck::Unknown);
        }
        let same_browser = asked.is_some_and(|asked| get_text(&item, "askedHash").as_deref() == Some(&*hash(asked)));
        if !same_browser {
            let Some(given) = given else { return Ok(CodeCheck::NumberNeeded) };
            match self.count_try(&key, now).await? {
                None => return Ok(CodeCheck::Unknown),
                Some(item) if get_number(&item, "number") != Some(given) => return Ok(CodeCheck::Wrong),
                Some(_) => {}
            }
        }
        self.use_up(&key, now).await
    }

    /// Uses up a code.
    ///
    /// # Errors
    /// A call failed.
    pub async fn use_code(&self, email: &str, code: &str, now: i64) -> Result<CodeCheck, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(code_key(email)));
        let pointer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item;
        // Where nobody asked for a mail, the same calls are made with a key that does not exist.
        let key = pointer.and_then(|item| get_text(&item, "signIn")).unwrap_or_else(|| key(email));
        let Some(item) = self.count_try(&key, now).await? else { return Ok(CodeCheck::Unknown) };
        let salt = get_text(&item, "salt").unwrap_or_default();
        if get_text(&item, "codeHash") != Some(hash(&format!("{salt}{code}"))) {
            return Ok(CodeCheck::Wrong);
        }
        self.use_up(&key, now).await
    }

    /// Counts a try; `None` where the item is not there, has expired, or all tries are spent.
    async fn count_try(&self, key: &str, now: i64) -> Result<Option<Attributes>, StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key))
            .update_expression("ADD tries :one")
            .condition_expression("expiresAt > :now AND tries < :most")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":most", number(TRIES))
            .return_values(ReturnValue::AllNew);
        match call.send().await {
            Ok(answer) => Ok(answer.attributes),
            Err(error) if condition_failed(&error) => Ok(None),
            Err(error) => Err(failed("UpdateItem")(error)),
        }
    }

    /// Deletes the item; of several who try at once, one succeeds.
    async fn use_up(&self, key: &str, now: i64) -> Result<CodeCheck, StoreError> {
        let call = self
            .client()
            .delete_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(key))
            .condition_expression("expiresAt > :now")
            .expression_attribute_values(":now", number(now))
            .return_values(ReturnValue::AllOld);
        match call.send().await {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                let (email, name) = (get_text(&item, "email"), get_text(&item, "name"));
                Ok(email.map_or(CodeCheck::Unknown, |email| CodeCheck::Proved { email, name }))
            }
            Err(error) if condition_failed(&error) => Ok(CodeCheck::Unknown),
            Err(error) => Err(failed("DeleteItem")(error)),
        }
    }
}
