//! Accounts and connections that earlier versions kept under other spellings than the key of their address: they told
//! `Ada@example.org` from `ada@example.org`.
//!
//! [`Store::unify_addresses`] moves them to their keys, once for each stack. Accounts that are the same person's by now
//! are left alone, because only their owner may join them: [`Store::join_account`], when a mail to the spelling was
//! read. Every step is a transaction that is conditional on what was read, and what is moved is gone from where it was.
//! So both can be interrupted and repeated anywhere, and both sides of a friendship always move together.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};

use super::changes::{TRIES, judge, pause};
use super::friendship::{Pair, Status, united};
use super::item::{Attributes, get_flag, get_number, get_text, number, text};
use super::users::User;
use super::{Attempt, Store, StoreError, failed, incomplete};
use crate::email_address::{Email, key_of};

/// The item that says that the tables have no other spellings left, except those that their owners join.
const UNIFIED: &str = "addresses#unified";

impl Store {
    /// Moves all accounts and connections to the keys of their addresses, unless that was done before. An account whose
    /// owner has another one under the same key stays where it is; blocks of it move.
    ///
    /// # Errors
    /// A call failed, or concurrent changes won every attempt. What was moved so far need not be moved again.
    pub async fn unify_addresses(&self) -> Result<(), StoreError> {
        if !self.unified.load(Ordering::Relaxed) {
            self.unify_unless_marked().await?;
            self.unified.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn unify_unless_marked(&self) -> Result<(), StoreError> {
        let marker = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(UNIFIED));
        if marker.send().await.map_err(failed("GetItem"))?.item.is_some() {
            return Ok(());
        }
        let (users, rows) = futures::try_join!(self.all(&self.tables.users), self.all(&self.tables.user_connections))?;
        let users: Vec<User> = users.iter().filter_map(User::read).collect();
        let several = owners_of_several(&users);
        let place = |address: &str| if several.contains(address) { address.to_owned() } else { key_of(address) };
        for row in &rows {
            let (Some(user), Some(target)) = (get_text(row, "userEmail"), get_text(row, "targetEmail")) else {
                continue;
            };
            let blocked = get_text(row, "status").as_deref() == Some(Status::Blocked.as_str());
            let to = if blocked { key_of(&target) } else { place(&target) };
            self.move_pair((&user, &target), (&place(&user), &to)).await?;
        }
        for user in users.iter().filter(|user| place(&user.email) != user.email) {
            if let Ok(email) = Email::parse(&user.email) {
                self.move_user(&user.email, &email).await?;
            }
        }
        let marker = self.client().put_item().table_name(&self.tables.ephemeral).item("key", text(UNIFIED));
        marker.send().await.map_err(failed("PutItem"))?;
        Ok(())
    }

    /// Joins the account that an earlier version kept under `former` to the one under the key of `email`: friends of
    /// either are friends, a block by either or of either stays. The caller must have proved that its mailbox is the
    /// owner's. Does nothing if no such account exists.
    ///
    /// # Errors
    /// A call failed, or concurrent changes won every attempt. What was moved so far need not be moved again.
    pub async fn join_account(&self, former: &str, email: &Email) -> Result<(), StoreError> {
        for row in self.connections(former).await? {
            self.move_pair((former, &row.target), (email.as_str(), &row.target)).await?;
        }
        // Last: until then the account is found under its former spelling, and the rest can be moved.
        self.move_user(former, email).await
    }

    /// Moves both rows of a pair of addresses to another pair, and unites them with the rows that are there.
    async fn move_pair(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), StoreError> {
        if from == to {
            return Ok(());
        }
        for attempt in 0..TRIES {
            let (mine, theirs, new_mine, new_theirs) = futures::try_join!(
                self.connection(from.0, from.1),
                self.connection(from.1, from.0),
                self.connection(to.0, to.1),
                self.connection(to.1, to.0),
            )?;
            let since = [&mine, &theirs, &new_mine, &new_theirs].into_iter().flatten().map(|row| row.timestamp).min();
            let status = |row: Option<super::Connection>| row.map(|row| row.status);
            let old = Pair { mine: status(mine), theirs: status(theirs) };
            let (true, Some(since)) = (old != Pair { mine: None, theirs: None }, since) else { return Ok(()) };
            let mut items = vec![
                self.row(from.0, from.1, old.mine, None, since)?,
                self.row(from.1, from.0, old.theirs, None, since)?,
            ];
            // Whoever was a friend of the own other account needs no row.
            if to.0 != to.1 {
                let new = Pair { mine: status(new_mine), theirs: status(new_theirs) };
                let united = united(old, new);
                items.push(self.row(to.0, to.1, new.mine, united.mine, since)?);
                items.push(self.row(to.1, to.0, new.theirs, united.theirs, since)?);
            }
            match self.write(items, 4).await? {
                Attempt::Conflict => tokio::time::sleep(pause(attempt)).await,
                Attempt::Done | Attempt::Refused => return Ok(()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Moves an account to the key of its address, and unites it with the account that is there.
    async fn move_user(&self, former: &str, email: &Email) -> Result<(), StoreError> {
        for attempt in 0..TRIES {
            let (old, new) = futures::try_join!(self.user_item(former), self.user_item(email.as_str()))?;
            let Some(old) = old else { return Ok(()) };
            let generation = new.as_ref().map(|new| get_text(new, "generation").unwrap_or_default());
            let put = Put::builder().table_name(&self.tables.users).set_item(Some(joined(old, new, email)));
            let put = match generation {
                Some(generation) => put
                    .condition_expression("generation = :read")
                    .expression_attribute_values(":read", text(generation)),
                None => put.condition_expression("attribute_not_exists(email)"),
            };
            let delete = Delete::builder().table_name(&self.tables.users).key("email", text(former));
            let delete = delete.condition_expression("attribute_exists(email)").build().map_err(incomplete)?;
            let items = vec![
                TransactWriteItem::builder().put(put.build().map_err(incomplete)?).build(),
                TransactWriteItem::builder().delete(delete).build(),
            ];
            match self.write(items, 2).await? {
                Attempt::Conflict => tokio::time::sleep(pause(attempt)).await,
                Attempt::Done | Attempt::Refused => return Ok(()),
            }
        }
        Err(StoreError::Busy)
    }

    async fn write(&self, items: Vec<TransactWriteItem>, rows: usize) -> Result<Attempt, StoreError> {
        match self.client().transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Attempt::Done),
            Err(error) => judge(error, rows),
        }
    }

    async fn user_item(&self, email: &str) -> Result<Option<Attributes>, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.users).key("email", text(email));
        Ok(call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item)
    }

    /// Returns all items of a table.
    async fn all(&self, table: &str) -> Result<Vec<Attributes>, StoreError> {
        let pages = self.client().scan().table_name(table).consistent_read(true).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("Scan"))
    }
}

/// Returns the addresses, other than the keys, of verified accounts whose key has another verified account.
fn owners_of_several(users: &[User]) -> HashSet<&str> {
    let mut by_key: HashMap<String, Vec<&str>> = HashMap::new();
    for user in users.iter().filter(|user| user.verified_at.is_some()) {
        by_key.entry(key_of(&user.email)).or_default().push(&user.email);
    }
    let several = by_key.into_iter().filter(|(_, addresses)| addresses.len() > 1);
    several.flat_map(|(key, addresses)| addresses.into_iter().filter(move |address| **address != *key)).collect()
}

/// Returns one account in place of two. It is the one under the key, unless only the other one was ever verified: then
/// whoever typed the address first would have chosen its name. It is hidden if one of them was.
fn joined(old: Attributes, new: Option<Attributes>, email: &Email) -> Attributes {
    let is_verified = |item: &Attributes| item.contains_key("verifiedAt");
    let other = new.clone().unwrap_or_else(|| old.clone());
    let mut item = match new {
        Some(new) if is_verified(&new) || !is_verified(&old) => new,
        _ => {
            let mut item = old.clone();
            item.insert("address".to_owned(), text(email.spelling()));
            item
        }
    };
    item.insert("email".to_owned(), text(email.as_str()));
    for name in ["createdAt", "verifiedAt"] {
        if let Some(first) = [&old, &other].into_iter().filter_map(|item| get_number(item, name)).min() {
            item.insert(name.to_owned(), number(first));
        }
    }
    if [&old, &other].into_iter().any(|item| get_flag(item, "hidden")) {
        item.insert("hidden".to_owned(), AttributeValue::Bool(true));
        item.remove("searchShard");
        item.remove("searchName");
    }
    item
}
