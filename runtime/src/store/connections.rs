//! Who is whose friend. A pair of people has two rows, one for each; both change in one transaction whose conditions
//! are the statuses that were read, so the two sides always agree:
//!
//! | row (A, B) | row (B, A) |
//! |---|---|
//! | none | none |
//! | `requested` | `received` |
//! | `accepted` | `accepted` |
//! | `rejected` | `rejected` |
//! | `blocked` | none or `blocked` |

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};

use super::item::{Attributes, get_number, get_text, hash, number, random_token, text};
use super::{Store, StoreError, condition_failed, failed};

/// How often a change is tried anew because the rows were changed in between.
const TRIES: u32 = 16;
/// Rows that are removed at the same time when an account is deleted.
const FORGET_AT_ONCE: usize = 8;
/// How long the link in a friend request's mail works, in seconds.
const FRIEND_TOKEN_SECONDS: i64 = 7 * 24 * 3600;

/// What one person's row says about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Asked, no answer yet.
    Requested,
    /// Was asked.
    Received,
    /// Friends.
    Accepted,
    /// A request was rejected; a new one may be made.
    Rejected,
    /// The row's owner wants nothing from the other. The other is not told.
    Blocked,
}

impl Status {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Blocked => "blocked",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Requested, Self::Received, Self::Accepted, Self::Rejected, Self::Blocked]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The other one.
    pub target: String,
    /// What the row says.
    pub status: Status,
    /// When it last changed, seconds since 1970.
    pub timestamp: i64,
}

impl Connection {
    fn read(item: &Attributes) -> Option<Self> {
        Some(Self {
            target: get_text(item, "targetEmail")?,
            status: Status::parse(&get_text(item, "status")?)?,
            timestamp: get_number(item, "timestamp").unwrap_or(0),
        })
    }
}

/// The two rows of a pair, the acting person's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The row of the acting person.
    pub mine: Option<Status>,
    /// The row of the other.
    pub theirs: Option<Status>,
}

/// What somebody does about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asks to be friends.
    Ask,
    /// Accepts a request.
    Accept,
    /// Rejects a request.
    Reject,
    /// Ends a friendship, takes a request back, or lifts a block.
    Remove,
    /// Wants nothing from the other any more.
    Block,
    /// Deletes the account.
    Forget,
}

/// What an operation comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rows become these.
    Change(Pair),
    /// It is so already, or nothing may happen.
    Keep,
    /// There is nothing to accept or reject.
    NoRequest,
}

/// The rules, without the database.
pub fn transition(operation: Operation, pair: Pair) -> Outcome {
    use Status::{Accepted, Blocked, Received, Rejected, Requested};
    let change = |mine, theirs| Outcome::Change(Pair { mine, theirs });
    let both = |status| change(Some(status), Some(status));
    let theirs_if_blocked = pair.theirs.filter(|status| *status == Blocked);
    match (operation, pair.mine, pair.theirs) {
        (Operation::Ask, _, Some(Blocked)) => Outcome::Keep,
        (Operation::Ask, Some(Received), _) => both(Accepted),
        (Operation::Ask, Some(Requested | Accepted), _) => Outcome::Keep,
        (Operation::Ask, None | Some(Rejected | Blocked), _) => change(Some(Requested), Some(Received)),
        (Operation::Accept, Some(Received), _) => both(Accepted),
        (Operation::Accept, Some(Accepted), _) => Outcome::Keep,
        (Operation::Reject, Some(Received), _) => both(Rejected),
        (Operation::Reject, Some(Rejected), _) => Outcome::Keep,
        (Operation::Accept | Operation::Reject, _, _) => Outcome::NoRequest,
        (Operation::Remove | Operation::Forget, None, _) => Outcome::Keep,
        (Operation::Remove | Operation::Forget, Some(_), _) => change(None, theirs_if_blocked),
        (Operation::Block, Some(Blocked), _) => Outcome::Keep,
        (Operation::Block, _, _) => change(Some(Blocked), theirs_if_blocked),
    }
}

/// What a mailed friend request's link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendToken {
    /// Who asked.
    pub from: String,
    /// Who was asked, and answers.
    pub to: String,
    key: String,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The rows as they were.
    pub before: Pair,
    /// What was done about them.
    pub outcome: Outcome,
}

/// How one attempt ended.
enum Attempt {
    Done,
    /// The rows were changed in between.
    Again,
    /// The account or the token is gone.
    Refused,
}

impl Store {
    /// What `user`'s row says about `target`. A friendship is there only where it says [`Status::Accepted`].
    ///
    /// # Errors
    /// The call failed.
    pub async fn connection(&self, user: &str, target: &str) -> Result<Option<Connection>, StoreError> {
        let call = self
            .client()
            .get_item()
            .table_name(&self.tables.user_connections)
            .key("userEmail", text(user))
            .key("targetEmail", text(target));
        let answer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?;
        Ok(answer.item.as_ref().and_then(Connection::read))
    }

    /// All rows of `user`.
    ///
    /// # Errors
    /// A call failed.
    pub async fn connections(&self, user: &str) -> Result<Vec<Connection>, StoreError> {
        let pages = self
            .client()
            .query()
            .table_name(&self.tables.user_connections)
            .key_condition_expression("userEmail = :user")
            .expression_attribute_values(":user", text(user))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("Query"))?;
        Ok(items.iter().filter_map(Connection::read).collect())
    }

    /// What `user`'s rows say about each of `targets`; those without a row are left out.
    ///
    /// # Errors
    /// A call failed.
    pub async fn connections_to(&self, user: &str, targets: &[String]) -> Result<Vec<Connection>, StoreError> {
        let keys = targets.iter().map(|target| {
            Attributes::from([("userEmail".to_owned(), text(user)), ("targetEmail".to_owned(), text(target))])
        });
        let items = self.batch(&self.tables.user_connections, keys.collect()).await?;
        Ok(items.iter().filter_map(Connection::read).collect())
    }

    /// Does what `me` wants about `other`, on both sides or not at all. `None` where the account of `me` is gone or
    /// `token` was used before.
    ///
    /// # Errors
    /// A call failed, or others kept changing the same rows.
    pub async fn connect(
        &self,
        operation: Operation,
        me: &str,
        other: &str,
        token: Option<&FriendToken>,
        now: i64,
    ) -> Result<Option<Changed>, StoreError> {
        for attempt in 0..TRIES {
            let (mine, theirs) = futures::try_join!(self.connection(me, other), self.connection(other, me))?;
            let status = |row: Option<Connection>| row.map(|row| row.status);
            let before = Pair { mine: status(mine), theirs: status(theirs) };
            let outcome = transition(operation, before);
            let written = match (outcome, token) {
                (Outcome::Change(after), _) => self.write_pair(operation, me, other, before, after, token, now).await?,
                (Outcome::Keep, Some(token)) => self.spend(token, now).await?,
                _ => Attempt::Done,
            };
            match written {
                Attempt::Done => return Ok(Some(Changed { before, outcome })),
                Attempt::Refused => return Ok(None),
                Attempt::Again => tokio::time::sleep(pause(attempt)).await,
            }
        }
        Err(StoreError::Busy)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one transaction")]
    async fn write_pair(
        &self,
        operation: Operation,
        me: &str,
        other: &str,
        before: Pair,
        after: Pair,
        token: Option<&FriendToken>,
        now: i64,
    ) -> Result<Attempt, StoreError> {
        let mut items = vec![
            self.row(me, other, before.mine, after.mine, now)?,
            self.row(other, me, before.theirs, after.theirs, now)?,
        ];
        if operation != Operation::Forget {
            items.push(self.account_is_there(me)?);
        }
        if let Some(token) = token {
            items.push(self.spending(token, now)?);
        }
        match self.client().transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Attempt::Done),
            Err(error) => judge(error),
        }
    }

    /// One row's part of the transaction: from what was read to what shall be.
    fn row(
        &self,
        user: &str,
        target: &str,
        before: Option<Status>,
        after: Option<Status>,
        now: i64,
    ) -> Result<TransactWriteItem, StoreError> {
        let table = &self.tables.user_connections;
        let condition = if before.is_some() { "#status = :before" } else { "attribute_not_exists(userEmail)" };
        let names = before.map(|_| [("#status".to_owned(), "status".to_owned())].into());
        let values = before.map(|before| [(":before".to_owned(), text(before.as_str()))].into());
        let key = Attributes::from([("userEmail".to_owned(), text(user)), ("targetEmail".to_owned(), text(target))]);
        let item = TransactWriteItem::builder();
        Ok(match after {
            Some(after) if Some(after) != before => {
                let put = Put::builder().table_name(table).set_item(Some(key));
                let put = put.item("status", text(after.as_str())).item("timestamp", number(now));
                let put = put.condition_expression(condition).set_expression_attribute_names(names);
                item.put(put.set_expression_attribute_values(values).build().map_err(incomplete)?)
            }
            None if before.is_some() => {
                let delete = Delete::builder().table_name(table).set_key(Some(key)).condition_expression(condition);
                let delete = delete.set_expression_attribute_names(names).set_expression_attribute_values(values);
                item.delete(delete.build().map_err(incomplete)?)
            }
            _ => {
                let check = ConditionCheck::builder().table_name(table).set_key(Some(key));
                let check = check.condition_expression(condition).set_expression_attribute_names(names);
                item.condition_check(check.set_expression_attribute_values(values).build().map_err(incomplete)?)
            }
        }
        .build())
    }

    /// Whoever is deleting the account makes no new rows.
    fn account_is_there(&self, email: &str) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder().table_name(&self.tables.users).key("email", text(email));
        let check = check.condition_expression("attribute_exists(email) AND attribute_not_exists(deleting)");
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(incomplete)?).build())
    }

    fn spending(&self, token: &FriendToken, now: i64) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.tables.ephemeral).key("key", text(&token.key));
        let delete = delete.condition_expression("expiresAt > :now");
        let delete = delete.expression_attribute_values(":now", number(now)).build().map_err(incomplete)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Uses up a token where the rows stay as they are.
    async fn spend(&self, token: &FriendToken, now: i64) -> Result<Attempt, StoreError> {
        let call = self.client().delete_item().table_name(&self.tables.ephemeral).key("key", text(&token.key));
        let call = call.condition_expression("expiresAt > :now").expression_attribute_values(":now", number(now));
        match call.send().await {
            Ok(_) => Ok(Attempt::Done),
            Err(error) if condition_failed(&error) => Ok(Attempt::Refused),
            Err(error) => Err(failed("DeleteItem")(error)),
        }
    }

    /// Keeps what the link in a friend request's mail stands for, and returns the token for the link.
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

    /// What a token stands for, where it has neither been used nor expired.
    ///
    /// # Errors
    /// The call failed.
    pub async fn friend_token(&self, token: &str, now: i64) -> Result<Option<FriendToken>, StoreError> {
        let key = friend_key(token);
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(&key));
        let answer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?;
        let item = answer.item.filter(|item| get_number(item, "expiresAt").is_some_and(|end| end > now));
        Ok(item.and_then(|item| {
            Some(FriendToken { from: get_text(&item, "from")?, to: get_text(&item, "to")?, key: key.clone() })
        }))
    }

    /// Removes every row of `user` and what the others have about them; a block of the other's stays, or a new account
    /// would be the way around it.
    ///
    /// # Errors
    /// A call failed, or others kept changing the same rows.
    pub async fn forget(&self, user: &str, now: i64) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let rows = self.connections(user).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for rows in rows.chunks(FORGET_AT_ONCE) {
                let forget = |row| self.forget_one(user, row, now);
                futures::future::try_join_all(rows.iter().map(forget)).await?;
            }
        }
        Err(StoreError::Busy)
    }

    async fn forget_one(&self, user: &str, row: &Connection, now: i64) -> Result<(), StoreError> {
        self.connect(Operation::Forget, user, &row.target, None, now).await.map(|_| ())
    }
}

fn friend_key(token: &str) -> String {
    format!("friend#{}", hash(token))
}

fn incomplete(_: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Call { operation: "TransactWriteItems", code: "an incomplete request".to_owned() }
}

/// Between two attempts: 5 to 10 ms at first, up to 80 to 160 ms.
fn pause(attempt: u32) -> Duration {
    let longest = 10 << attempt.min(4);
    Duration::from_millis(rand::random_range(longest / 2..=longest))
}

/// What a refused transaction means: the first two items are the rows, the others stay refused.
fn judge(error: SdkError<TransactWriteItemsError>) -> Result<Attempt, StoreError> {
    if let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() {
        let reasons: Vec<_> = canceled.cancellation_reasons().iter().map(|reason| reason.code()).collect();
        let (rows, others) = reasons.split_at(reasons.len().min(2));
        if others.contains(&Some("ConditionalCheckFailed")) {
            return Ok(Attempt::Refused);
        }
        let passing = ["ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"];
        if rows.iter().chain(others).flatten().any(|code| passing.contains(code)) {
            return Ok(Attempt::Again);
        }
    }
    match &error {
        SdkError::ServiceError(service)
            if matches!(service.err(), TransactWriteItemsError::TransactionInProgressException(_)) =>
        {
            Ok(Attempt::Again)
        }
        _ => Err(failed("TransactWriteItems")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Accepted, Blocked, Received, Rejected, Requested};
    use super::*;

    const AGREEING: [(Option<Status>, Option<Status>); 8] = [
        (None, None),
        (Some(Requested), Some(Received)),
        (Some(Received), Some(Requested)),
        (Some(Accepted), Some(Accepted)),
        (Some(Rejected), Some(Rejected)),
        (Some(Blocked), None),
        (None, Some(Blocked)),
        (Some(Blocked), Some(Blocked)),
    ];
    const OPERATIONS: [Operation; 6] =
        [Operation::Ask, Operation::Accept, Operation::Reject, Operation::Remove, Operation::Block, Operation::Forget];

    #[test]
    fn both_sides_agree_after_every_operation() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs }) {
                    assert!(AGREEING.contains(&(after.mine, after.theirs)), "{operation:?} on {mine:?}, {theirs:?}");
                    assert_ne!((after.mine, after.theirs), (mine, theirs), "{operation:?} changes nothing");
                }
            }
        }
    }

    #[test]
    fn a_repeated_operation_changes_nothing_more() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs }) {
                    assert_eq!(transition(operation, after), Outcome::Keep, "{operation:?} on {mine:?}, {theirs:?}");
                }
            }
        }
    }

    #[test]
    fn nobody_gets_past_a_block() {
        for operation in OPERATIONS {
            for mine in [None, Some(Blocked)] {
                if let Outcome::Change(after) = transition(operation, Pair { mine, theirs: Some(Blocked) }) {
                    assert_eq!(after.theirs, Some(Blocked), "{operation:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_one_who_was_asked_makes_a_friendship() {
        for (mine, theirs) in AGREEING {
            for operation in OPERATIONS {
                let outcome = transition(operation, Pair { mine, theirs });
                let made = matches!(outcome, Outcome::Change(Pair { mine: Some(Accepted), .. }));
                assert!(!made || mine == Some(Received), "{operation:?} on {mine:?}, {theirs:?}");
            }
        }
    }
}
