//! Signing in by mail. `signin#{SHA-256 of the link's token}` holds everything about one mail: the address, the code,
//! the number to match and the number of tries. `code#{SHA-256 of the address}` points to the latest one. Link and code
//! consume the same item, so that only one of them works, once.

use aws_sdk_dynamodb::types::ReturnValue;

use super::item::{Attributes, get_number, get_text, hash, number, random_id, random_token, text};
use super::{Store, StoreError, condition_failed, failed};
use crate::email_address::Email;

/// The lifetime of link and code in seconds.
pub const SIGN_IN_SECONDS: i64 = 15 * 60;
/// The maximum number of tries at code or number.
pub const TRIES: i64 = 5;

/// The secrets of one sign-in, for the mail and for the browser that requested it.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The token in the link.
    pub token: String,
    /// The code: six digits.
    pub code: String,
    /// The number to match: two digits, shown in the browser that requested the mail.
    pub number: i64,
    /// The value of the cookie that marks the browser that requested the mail.
    pub browser_mark: String,
    /// The name, if an account was requested. The account gets the name of the request that the mail belongs to,
    /// whatever others have requested in the meantime.
    pub name: Option<String>,
}

impl SignIn {
    /// Returns a new sign-in with random values.
    pub fn random() -> Self {
        Self {
            token: random_token(),
            code: format!("{:06}", rand::random_range(0..1_000_000)),
            number: rand::random_range(10..100),
            browser_mark: random_token(),
            name: None,
        }
    }
}

/// The result of checking a link or a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeCheck {
    /// It was right, and is consumed.
    Proved {
        /// The address that it proves, in the spelling to which the mail went.
        email: String,
        /// The name given when an account was requested.
        name: Option<String>,
        /// The generation of the account when the mail was requested. Mails of an earlier version have none.
        generation: Option<String>,
    },
    /// It is unknown, used before, or expired.
    Unknown,
    /// The code or number was wrong. It counts as a try.
    Wrong,
    /// The browser is not the one that requested the mail, so the number is required.
    NumberNeeded,
}

fn key(token: &str) -> String {
    format!("signin#{}", hash(token))
}

fn code_key(email: &str) -> String {
    format!("code#{}", hash(email))
}

impl Store {
    /// Stores a sign-in, so that its link and code can be checked. `email` has the spelling to which the mail goes,
    /// `generation` is that of the account, empty without one.
    ///
    /// # Errors
    /// A call failed.
    pub async fn keep_sign_in(
        &self,
        email: &Email,
        generation: &str,
        sign_in: &SignIn,
        now: i64,
    ) -> Result<(), StoreError> {
        let (key, salt) = (key(&sign_in.token), random_id());
        let item = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(&key))
            .item("email", text(email.spelling()))
            .item("generation", text(generation))
            .item("codeHash", text(hash(&format!("{salt}{}", sign_in.code))))
            .item("salt", text(salt))
            .item("number", number(sign_in.number))
            .item("askedHash", text(hash(&sign_in.browser_mark)))
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
            .item("key", text(code_key(email.as_str())))
            .item("signIn", text(&key))
            .item("expiresAt", number(now + SIGN_IN_SECONDS));
        let (first, second) = futures::join!(item.send(), pointer.send());
        first.map_err(failed("PutItem"))?;
        second.map_err(failed("PutItem"))?;
        Ok(())
    }

    /// Consumes a link. `mark` is the browser's cookie, `given` the number that was typed.
    ///
    /// # Errors
    /// A call failed.
    pub async fn use_link(
        &self,
        token: &str,
        mark: Option<&str>,
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
        let same_browser = mark.is_some_and(|mark| get_text(&item, "askedHash").as_deref() == Some(&*hash(mark)));
        if !same_browser {
            let Some(given) = given else { return Ok(CodeCheck::NumberNeeded) };
            match self.count_try(&key, now).await? {
                None => return Ok(CodeCheck::Unknown),
                Some(item) if get_number(&item, "number") != Some(given) => return Ok(CodeCheck::Wrong),
                Some(_) => {}
            }
        }
        self.consume(&key, now).await
    }

    /// Consumes a code.
    ///
    /// # Errors
    /// A call failed.
    pub async fn use_code(&self, email: &str, code: &str, now: i64) -> Result<CodeCheck, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(code_key(email)));
        let pointer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item;
        // If no mail was requested, the same calls are made with a key that does not exist.
        let key = pointer.and_then(|item| get_text(&item, "signIn")).unwrap_or_else(|| key(email));
        let Some(item) = self.count_try(&key, now).await? else { return Ok(CodeCheck::Unknown) };
        let salt = get_text(&item, "salt").unwrap_or_default();
        if get_text(&item, "codeHash") != Some(hash(&format!("{salt}{code}"))) {
            return Ok(CodeCheck::Wrong);
        }
        self.consume(&key, now).await
    }

    /// Counts a try. Returns `None` if the item is missing or expired, or all tries are spent.
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

    /// Deletes the item. Of several concurrent calls one succeeds.
    async fn consume(&self, key: &str, now: i64) -> Result<CodeCheck, StoreError> {
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
                let Some(email) = get_text(&item, "email") else { return Ok(CodeCheck::Unknown) };
                let (name, generation) = (get_text(&item, "name"), get_text(&item, "generation"));
                Ok(CodeCheck::Proved { email, name, generation })
            }
            Err(error) if condition_failed(&error) => Ok(CodeCheck::Unknown),
            Err(error) => Err(failed("DeleteItem")(error)),
        }
    }
}
