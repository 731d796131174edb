//! Reading friendships. [`super::friendship`] has the rules, [`super::changes`] makes the changes.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::Select;

use super::friendship::Status;
use super::item::{Attributes, get_number, get_text, text};
use super::users::BATCH;
use super::{Store, StoreError, failed};

/// The number of pages that are read for the friends of a user. A page is 1 MB, about 10,000 rows.
const FRIEND_PAGES: usize = 4;

/// What one user's row says about another user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The key of the other user's address.
    pub target: String,
    /// The status of the connection.
    pub status: Status,
    /// When it last changed, in seconds since 1970.
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

impl Store {
    /// Returns `user`'s row about `target`. They are friends only if it says [`Status::Accepted`].
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

    /// Returns all rows of `user`.
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

    /// Returns the addresses of `user`'s friends, at most `most`, and of those only what the first pages of rows have:
    /// a look-up for somebody who has blocked a hundred thousand others reads 4 MB.
    ///
    /// # Errors
    /// A call failed.
    pub async fn friends(&self, user: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let (mut friends, mut start) = (Vec::new(), None);
        for _ in 0..FRIEND_PAGES {
            let call = self
                .client()
                .query()
                .table_name(&self.tables.user_connections)
                .key_condition_expression("userEmail = :user")
                .filter_expression("#status = :accepted")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":user", text(user))
                .expression_attribute_values(":accepted", text(Status::Accepted.as_str()))
                .set_exclusive_start_key(start)
                .consistent_read(true);
            let answer = call.send().await.map_err(failed("Query"))?;
            friends.extend(answer.items().iter().filter_map(|item| get_text(item, "targetEmail")));
            start = answer.last_evaluated_key;
            if start.is_none() || friends.len() >= most {
                break;
            }
        }
        friends.truncate(most);
        Ok(friends)
    }

    /// Returns which of these pairs are friends, by the row of the first one. Both rows of a pair agree.
    ///
    /// # Errors
    /// A call failed.
    pub async fn friendships(&self, pairs: &[(String, String)]) -> Result<HashSet<(String, String)>, StoreError> {
        let mut friends = HashSet::new();
        for chunk in pairs.chunks(BATCH) {
            let keys = chunk.iter().map(|(user, target)| {
                Attributes::from([("userEmail".to_owned(), text(user)), ("targetEmail".to_owned(), text(target))])
            });
            let items = self.batch(&self.tables.user_connections, keys.collect()).await?;
            let accepted = |item: &Attributes| {
                Connection::read(item).filter(|row| row.status == Status::Accepted)?;
                Some((get_text(item, "userEmail")?, get_text(item, "targetEmail")?))
            };
            friends.extend(items.iter().filter_map(accepted));
        }
        Ok(friends)
    }

    /// Returns the number of rows of `user` that the user has caused: all but the unanswered requests of others.
    ///
    /// # Errors
    /// A call failed.
    pub async fn own_rows(&self, user: &str) -> Result<i64, StoreError> {
        let mut pages = self
            .client()
            .query()
            .table_name(&self.tables.user_connections)
            .key_condition_expression("userEmail = :user")
            .filter_expression("#status <> :received")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":user", text(user))
            .expression_attribute_values(":received", text(Status::Received.as_str()))
            .select(Select::Count)
            .into_paginator()
            .send();
        let mut rows = 0;
        while let Some(page) = pages.next().await {
            rows += i64::from(page.map_err(failed("Query"))?.count);
        }
        Ok(rows)
    }

    /// Returns `user`'s rows about `targets`. Targets without a row are left out.
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
}
