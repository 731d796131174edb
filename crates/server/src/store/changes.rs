//! Changes of friendships: both rows of a pair in one transaction, conditional on the statuses that were read.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};

use super::connections::Connection;
use super::friend_tokens::FriendToken;
use super::friendship::{Operation, Outcome, Pair, Status, transition};
use super::item::{Attributes, number, text};
use super::notices::Notice;
use super::{Attempt, Store, StoreError, failed, incomplete};

/// The number of attempts at a change when others change the same rows.
pub(super) const TRIES: u32 = 16;
/// The number of rows that are removed concurrently when an account is deleted.
const FORGET_CONCURRENTLY: usize = 8;

/// The result of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The rows before it.
    pub before: Pair,
    /// What was done to them.
    pub outcome: Outcome,
}

impl Store {
    /// Applies an operation of `me` on `other` to both rows or to none. Returns `None` if the account of `me` no longer
    /// exists, `token` was used before, or the request is a later one. Whoever becomes or was a friend gets a notice.
    ///
    /// # Errors
    /// A call failed, or concurrent changes won every attempt.
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
            let before = Pair { mine: status(mine.as_ref()), theirs: status(theirs.as_ref()) };
            let outcome = transition(operation, before);
            if let Outcome::Change(after) = outcome {
                if mine.zip(token).is_some_and(|(row, token)| !token.answers(&row)) {
                    return Ok(None);
                }
                if [before.mine, after.mine].contains(&Some(Status::Accepted)) {
                    self.announce(&Notice::friendship(me, other), now).await?;
                }
            }
            let written = match (outcome, token) {
                (Outcome::Change(after), _) => self.write_pair(operation, me, other, before, after, token, now).await?,
                (Outcome::Keep, Some(token)) => self.spend(token, now).await?,
                _ => Attempt::Done,
            };
            match written {
                Attempt::Done => return Ok(Some(Changed { before, outcome })),
                Attempt::Refused => return Ok(None),
                Attempt::Conflict => tokio::time::sleep(pause(attempt)).await,
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
            items.push(self.account_exists(me)?);
        }
        if let Some(token) = token {
            items.push(self.spending(token, now)?);
        }
        match self.client().transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Attempt::Done),
            Err(error) => judge(error, 2),
        }
    }

    /// Returns one row's part of the transaction: from the status that was read to the desired one.
    pub(super) fn row(
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

    /// An account that is being deleted gets no new rows.
    fn account_exists(&self, email: &str) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder().table_name(&self.tables.users).key("email", text(email));
        let check = check.condition_expression("attribute_exists(email) AND attribute_not_exists(deleting)");
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(incomplete)?).build())
    }

    /// Removes every row of `user` and the rows of others about them. A block by another user stays; otherwise a new
    /// account would circumvent it.
    ///
    /// # Errors
    /// A call failed, or concurrent changes won every attempt.
    pub async fn forget(&self, user: &str, now: i64) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let rows = self.connections(user).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for rows in rows.chunks(FORGET_CONCURRENTLY) {
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

fn status(row: Option<&Connection>) -> Option<Status> {
    row.map(|row| row.status)
}

/// Returns the pause before the next attempt: 5 to 10 ms at first, up to 80 to 160 ms.
pub(super) fn pause(attempt: u32) -> Duration {
    let longest = 10 << attempt.min(4);
    Duration::from_millis(rand::random_range(longest / 2..=longest))
}

/// Interprets a failed transaction: the first items are `rows`, and a failed condition of any other is final.
pub(super) fn judge(error: SdkError<TransactWriteItemsError>, rows: usize) -> Result<Attempt, StoreError> {
    if let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() {
        let reasons: Vec<_> = canceled.cancellation_reasons().iter().map(|reason| reason.code()).collect();
        let (rows, others) = reasons.split_at(reasons.len().min(rows));
        if others.contains(&Some("ConditionalCheckFailed")) {
            return Ok(Attempt::Refused);
        }
        let transient = ["ConditionalCheckFailed", "TransactionConflict", "ThrottlingError"];
        if rows.iter().chain(others).flatten().any(|code| transient.contains(code)) {
            return Ok(Attempt::Conflict);
        }
    }
    match &error {
        SdkError::ServiceError(service)
            if matches!(service.err(), TransactWriteItemsError::TransactionInProgressException(_)) =>
        {
            Ok(Attempt::Conflict)
        }
        _ => Err(failed("TransactWriteItems")(error)),
    }
}
