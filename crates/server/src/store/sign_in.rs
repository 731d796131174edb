//! Signing in by mail. `signin#{SHA-256 of the link's token}` holds everything about one mail: the address, the code,
//! the number to match and the numbers of tries. `code#{SHA-256 of the address}` points to the latest one. Link and code
//! consume the same item, so that only one of them works, once.
//!
//! The tries at a code are counted for the browser that caused the mail; [`super::browsers`] and the API's limits count
//! those of others. So nobody can use up the tries of somebody else.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::browsers::{SIGN_IN_SECONDS, Tried, known_key};
use super::counters;
use super::item::{Attributes, get_flag, get_number, get_text, hash, is_valid, number, random_id, random_token, text};
use super::{Store, StoreError, condition_failed, failed};
use crate::email_address::Email;

/// The maximum number of tries at the number. Only who has the link can spend them.
const NUMBER_TRIES: i64 = 5;
/// The digits of a code.
const CODE_DIGITS: usize = 6;
/// The digits of a code for an address or a site that is under attack: a million times as many as short ones.
const LONG_CODE_DIGITS: usize = 12;

/// The secrets of one sign-in, for the mail and for the browser that requested it.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The token in the link.
    pub token: String,
    /// The code: six digits, or twelve.
    pub code: String,
    /// The number to match: two digits, shown in the browser that requested the mail.
    pub number: i64,
    /// The value of the cookie that marks the browser that requested the mail.
    pub browser_mark: String,
    /// The name, if an account was requested. The account gets the name of the request that the mail belongs to,
    /// whatever others have requested in the meantime.
    pub name: Option<String>,
    /// Whether the browser was known when it requested the mail.
    pub known: bool,
    /// Whether the mail has the link and the code. It has not if the address has no account.
    pub mailed: bool,
}

impl SignIn {
    /// Returns a new sign-in with random values and a code of six digits.
    pub fn random() -> Self {
        Self {
            token: random_token(),
            code: random_digits(CODE_DIGITS),
            number: rand::random_range(10..100),
            browser_mark: random_token(),
            name: None,
            known: false,
            mailed: true,
        }
    }

    /// Returns it with a code of twelve digits.
    #[must_use]
    pub fn with_long_code(self) -> Self {
        Self { code: random_digits(LONG_CODE_DIGITS), ..self }
    }

    /// Returns whether the code has twelve digits.
    pub fn has_long_code(&self) -> bool {
        self.code.len() == LONG_CODE_DIGITS
    }
}

fn random_digits(digits: usize) -> String {
    (0..digits).map(|_| char::from(b'0' + rand::random_range(0..10_u8))).collect()
}

/// Returns whether a text has the form of a code.
pub fn can_be_code(text: &str) -> bool {
    [CODE_DIGITS, LONG_CODE_DIGITS].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A sign-in that was mailed and neither used nor expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSignIn {
    /// Whether the code has twelve digits.
    pub has_long_code: bool,
    /// Whether the mail has the link and the code.
    pub mailed: bool,
    /// The generation of the account when the mail was requested. Mails of an earlier version have none.
    pub generation: Option<String>,
    /// The numbers to match: that of the browser that caused the mail, and those of browsers that have joined it.
    numbers: Vec<i64>,
    key: String,
    code_hash: String,
    salt: String,
    asked_hash: String,
}

impl PendingSignIn {
    fn read(item: &Attributes, now: i64) -> Option<Self> {
        if !is_valid(item, now) {
            return None;
        }
        let joined = item.get("joinedNumbers").and_then(|numbers| numbers.as_ns().ok()).into_iter().flatten();
        Some(Self {
            numbers: get_number(item, "number").into_iter().chain(joined.filter_map(|n| n.parse().ok())).collect(),
            has_long_code: get_flag(item, "longCode"),
            mailed: !get_flag(item, "unmailed"),
            generation: get_text(item, "generation"),
            key: get_text(item, "key")?,
            code_hash: get_text(item, "codeHash")?,
            salt: get_text(item, "salt").unwrap_or_default(),
            asked_hash: get_text(item, "askedHash")?,
        })
    }

    /// Returns whether the browser with this mark caused the mail.
    pub fn is_of(&self, mark: Option<&str>) -> bool {
        mark.is_some_and(|mark| hash(mark) == self.asked_hash)
    }

    /// Returns whether this is its code.
    pub fn has_code(&self, code: &str) -> bool {
        hash(&format!("{}{code}", self.salt)) == self.code_hash
    }
}

/// What decides about a mail, see [`Store::sign_in_state`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInState<const N: usize> {
    /// The newest sign-in, if it was neither used nor expired.
    pub newest: Option<PendingSignIn>,
    /// The generation of the account when somebody last signed in to it in this browser.
    pub known: Option<String>,
    /// The numbers of events, in the order of the counters.
    pub counted: [i64; N],
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
    /// The number was wrong. It counts as a try.
    Wrong,
    /// The browser is not one that requested the mail, so the number is required.
    NumberNeeded,
    /// Numbers were tried too fast. It does not count as a try.
    TooEarly {
        /// When the next one may be tried, in seconds since 1970.
        ready: i64,
    },
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
            .item("longCode", AttributeValue::Bool(sign_in.has_long_code()))
            .item("unmailed", AttributeValue::Bool(!sign_in.mailed))
            .item("number", number(sign_in.number))
            .item("askedHash", text(hash(&sign_in.browser_mark)))
            .item("tries", number(0))
            .item("expiresAt", number(now + SIGN_IN_SECONDS));
        let name = sign_in.name.as_deref();
        let item = match name {
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
        let asked = self.keep_asked(email.as_str(), &sign_in.browser_mark, &key, (sign_in.known, name), now);
        let (first, second, third) = futures::join!(item.send(), pointer.send(), asked);
        first.map_err(failed("PutItem"))?;
        second.map_err(failed("PutItem"))?;
        third
    }

    /// Stores that a browser has requested a sign-in for which no further mail is sent: it may use the newest one, with
    /// its own number. So its answer does not tell that no mail was sent.
    ///
    /// # Errors
    /// A call failed.
    pub async fn join_sign_in(
        &self,
        email: &str,
        newest: &PendingSignIn,
        sign_in: &SignIn,
        now: i64,
    ) -> Result<(), StoreError> {
        let call = self
            .client()
            .update_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(&newest.key))
            .update_expression("ADD joinedNumbers :number")
            .condition_expression("expiresAt > :now")
            .expression_attribute_values(":number", AttributeValue::Ns(vec![sign_in.number.to_string()]))
            .expression_attribute_values(":now", number(now));
        match call.send().await {
            Ok(_) => {}
            // It was used in the meantime.
            Err(error) if condition_failed(&error) => {}
            Err(error) => return Err(failed("UpdateItem")(error)),
        }
        let asked = (sign_in.known, sign_in.name.as_deref());
        self.keep_asked(email, &sign_in.browser_mark, &newest.key, asked, now).await
    }

    /// Forgets which sign-in is the newest one, because its mail could not be sent.
    ///
    /// # Errors
    /// The call failed.
    pub async fn forget_newest_sign_in(&self, email: &str) -> Result<(), StoreError> {
        let call = self.client().update_item().table_name(&self.tables.ephemeral).key("key", text(code_key(email)));
        let call = call.update_expression("SET expiresAt = :past").expression_attribute_values(":past", number(0));
        call.send().await.map_err(failed("UpdateItem"))?;
        Ok(())
    }

    /// Returns what decides about a mail to an address: whether the browser with `mark` is known, the newest sign-in, and
    /// counters as name and whom. The same calls are made for every address and browser.
    ///
    /// # Errors
    /// A call failed.
    pub async fn sign_in_state<const N: usize>(
        &self,
        email: &str,
        mark: Option<&str>,
        counters: [(&str, &str); N],
        now: i64,
    ) -> Result<SignInState<N>, StoreError> {
        let counters = counters.map(|(name, whom)| counters::key(name, whom));
        let (code, known) = (code_key(email), known_key(email, mark.unwrap_or_default()));
        let keys = counters.iter().chain([&code, &known]).collect::<HashSet<_>>();
        let keys = keys.into_iter().map(|key| Attributes::from([("key".to_owned(), text(key))]));
        let items = self.batch(&self.tables.ephemeral, keys.collect()).await?;
        let items: HashMap<_, _> = items.into_iter().filter_map(|item| Some((get_text(&item, "key")?, item))).collect();
        let valid = |key: &String| items.get(key).filter(|item| is_valid(item, now));
        let newest = valid(&code).and_then(|item| get_text(item, "signIn")).unwrap_or_else(|| key(email));
        Ok(SignInState {
            newest: self.pending_sign_in(&newest, now).await?,
            known: valid(&known).filter(|_| mark.is_some()).and_then(|item| get_text(item, "generation")),
            counted: counters.map(|key| items.get(&key).map_or(0, |item| counters::counted(item, now))),
        })
    }

    /// Returns the newest sign-in of an address. If no mail was requested, the same calls are made.
    ///
    /// # Errors
    /// A call failed.
    pub async fn newest_sign_in(&self, email: &str, now: i64) -> Result<Option<PendingSignIn>, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(code_key(email)));
        let pointer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item;
        let pointer = pointer.filter(|item| is_valid(item, now));
        let key = pointer.and_then(|item| get_text(&item, "signIn")).unwrap_or_else(|| key(email));
        self.pending_sign_in(&key, now).await
    }

    /// Returns the sign-in that a browser has requested, unless it is `newest`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn asked_sign_in(
        &self,
        asked: &super::AskedBrowser,
        newest: Option<&PendingSignIn>,
        now: i64,
    ) -> Result<Option<PendingSignIn>, StoreError> {
        if newest.is_some_and(|newest| newest.key == asked.sign_in) {
            return Ok(None);
        }
        self.pending_sign_in(&asked.sign_in, now).await
    }

    async fn pending_sign_in(&self, key: &str, now: i64) -> Result<Option<PendingSignIn>, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(key));
        let item = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item;
        Ok(item.and_then(|item| PendingSignIn::read(&item, now)))
    }

    /// Consumes a link. `mark` is the browser's cookie, `given` the number that was typed. A browser that has requested
    /// a sign-in with this address needs no number for the mail that was the newest then or is now: whoever sees the
    /// link has the mailbox, and nobody else's request may make it harder.
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
        let item = call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item.unwrap_or_default();
        // The item has the address as it was typed.
        let email = get_text(&item, "email").and_then(|email| Email::parse(&email).ok());
        let Some((pending, email)) = PendingSignIn::read(&item, now).zip(email) else {
            return Ok(CodeCheck::Unknown);
        };
        if pending.is_of(mark) {
            return self.consume(&pending, now).await;
        }
        if let Some(asked) = self.asked(email.as_str(), mark, now).await? {
            let newest = self.newest_sign_in(email.as_str(), now).await?.map(|newest| newest.key);
            if asked.sign_in == key || newest.as_ref() == Some(&key) {
                return Ok(named(self.consume(&pending, now).await?, asked.name));
            }
        }
        let Some(given) = given else { return Ok(CodeCheck::NumberNeeded) };
        match self.count_tries(&key, "numberTries", NUMBER_TRIES, now).await? {
            Tried::Counted(_) => {}
            Tried::TooEarly { ready } => return Ok(CodeCheck::TooEarly { ready }),
            Tried::Spent => return Ok(CodeCheck::Unknown),
        }
        if pending.numbers.contains(&given) { self.consume(&pending, now).await } else { Ok(CodeCheck::Wrong) }
    }

    /// Counts a try of the browser that caused a mail at its code, of which it has `most`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn count_code_try(&self, pending: &PendingSignIn, most: i64, now: i64) -> Result<Tried, StoreError> {
        self.count_tries(&pending.key, "tries", most, now).await
    }

    /// Deletes the item, whose link or code was right. Of several concurrent calls one succeeds.
    ///
    /// # Errors
    /// The call failed.
    pub async fn consume(&self, pending: &PendingSignIn, now: i64) -> Result<CodeCheck, StoreError> {
        let call = self
            .client()
            .delete_item()
            .table_name(&self.tables.ephemeral)
            .key("key", text(&pending.key))
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

/// Returns the result with the name that the browser itself has given, if it has given one.
pub fn named(check: CodeCheck, own: Option<String>) -> CodeCheck {
    match check {
        CodeCheck::Proved { email, name, generation } => CodeCheck::Proved { email, name: own.or(name), generation },
        other => other,
    }
}
