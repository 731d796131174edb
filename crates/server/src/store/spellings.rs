//! Accounts and connections that earlier versions kept under other spellings than the key of their address: they told
//! `Ada@example.org` from `ada@example.org`.
//!
//! [`Store::unify_addresses`] moves them to their keys, once for each stack, a part at a time: how far it came is stored, so that
//! the next one goes on there, and a table of any size is moved in the end. Accounts that are the same person's by now are left
//! alone, because only their owner may join them: [`Store::join_account`], when a mail to the spelling was read. Every step is a
//! transaction that is conditional on what was read, and what is moved is gone from where it was. So both can be interrupted and
//! repeated anywhere, and both sides of a friendship always move together.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};

use super::changes::{TRIES, judge, pause};
use super::friendship::{Pair, Status, united};
use super::item::{Attributes, get_flag, get_number, get_text, number, text};
use super::notices::Notice;
use super::users::User;
use super::{Attempt, Store, StoreError, failed, incomplete};
use crate::email_address::{Email, key_of};

/// The item that says that the tables have no other spellings left, except those that their owners join.
const UNIFIED: &str = "addresses#unified";
/// The item that says how far the tables have been looked through.
const PROGRESS: &str = "addresses#progress";
/// The number of accounts or connections that are looked at between two notes of how far it came.
const PART: i32 = 200;

/// How far the tables have been looked through.
#[derive(Debug, Default)]
struct Progress {
    /// Whether all accounts are done, and connections are looked at.
    connections: bool,
    /// The key of the last item that was looked at.
    after: Option<Attributes>,
}

impl Store {
    /// Moves all accounts and connections to the keys of their addresses, unless that was done before. An account whose
    /// owner has another one under the same key stays where it is; blocks of it move. It may be dropped at any time, and goes
    /// on where it was the next time.
    ///
    /// # Errors
    /// A call failed, or concurrent changes won every attempt.
    pub async fn unify_addresses(&self, now: i64) -> Result<(), StoreError> {
        while !self.unify_part(now).await? {}
        Ok(())
    }

    /// Does the next part of [`Self::unify_addresses`]. Returns whether it was the last one.
    ///
    /// # Errors
    /// As there.
    pub async fn unify_part(&self, now: i64) -> Result<bool, StoreError> {
        if self.unified.load(Ordering::Relaxed) || self.ephemeral_item(UNIFIED).await?.is_some() {
            self.unified.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        let mut progress = Progress::read(self.ephemeral_item(PROGRESS).await?);
        let table = if progress.connections { &self.tables.user_connections } else { &self.tables.users };
        let scan = self.client().scan().table_name(table).limit(PART).consistent_read(true);
        let page = scan.set_exclusive_start_key(progress.after).send().await.map_err(failed("Scan"))?;
        for item in page.items() {
            if progress.connections {
                self.settle_connection(item, now).await?;
            } else if let Some(user) = User::read(item) {
                self.settle_user(&user, now).await?;
            }
        }
        let last = page.last_evaluated_key;
        let done = progress.connections && last.is_none();
        progress = Progress { connections: progress.connections || last.is_none(), after: last };
        let put = self.client().put_item().table_name(&self.tables.ephemeral);
        let put = if done { put.item("key", text(UNIFIED)) } else { put.set_item(Some(progress.to_item())) };
        put.send().await.map_err(failed("PutItem"))?;
        if done {
            self.unified.store(true, Ordering::Relaxed);
            let delete = self.client().delete_item().table_name(&self.tables.ephemeral).key("key", text(PROGRESS));
            delete.send().await.map_err(failed("DeleteItem"))?;
        }
        Ok(done)
    }

    /// Moves an account to the key of its address, with its connections, unless its owner has another one there.
    async fn settle_user(&self, user: &User, now: i64) -> Result<(), StoreError> {
        let Ok(email) = Email::parse(&user.email) else { return Ok(()) };
        if email.as_str() == user.email {
            return Ok(());
        }
        let other = self.user(email.as_str()).await?;
        if user.verified_at.is_some() && other.is_some_and(|other| other.verified_at.is_some()) {
            return Ok(());
        }
        self.join_account(&user.email, &email, now).await
    }

    /// Moves a connection, whose accounts have moved if they may.
    async fn settle_connection(&self, row: &Attributes, now: i64) -> Result<(), StoreError> {
        let (Some(user), Some(target)) = (get_text(row, "userEmail"), get_text(row, "targetEmail")) else {
            return Ok(());
        };
        let blocked = get_text(row, "status").as_deref() == Some(Status::Blocked.as_str());
        let to = if blocked { key_of(&target) } else { self.place(&target).await? };
        self.move_pair((&user, &target), (&self.place(&user).await?, &to), now).await
    }

    /// Returns the address under which rows about this one belong: its key, unless it has an account that waits for its owner.
    async fn place(&self, address: &str) -> Result<String, StoreError> {
        let key = key_of(address);
        if key == address || self.user(address).await?.is_none() { Ok(key) } else { Ok(address.to_owned()) }
    }

    /// Joins the account that an earlier version kept under `former` to the one under the key of `email`: friends of
    /// either are friends, a block by either or of either stays. The caller must have proved that its mailbox is the
    /// owner's. Does nothing if no such account exists.
    ///
    /// # Errors
    /// A call failed, or concurrent changes won every attempt. What was moved so far need not be moved again.
    pub async fn join_account(&self, former: &str, email: &Email, now: i64) -> Result<(), StoreError> {
        let (old, new) = futures::try_join!(self.user(former), self.user(email.as_str()))?;
        if old.is_none() {
            return Ok(());
        }
        if new.is_some() {
            // Of two accounts one stays. What rests on the other one ends.
            self.announce(&Notice::Account(email.as_str().to_owned()), now).await?;
        }
        for row in self.connections(former).await? {
            self.move_pair((former, &row.target), (email.as_str(), &row.target), now).await?;
        }
        // Last: until then the account is found under its former spelling, and the rest can be moved.
        self.move_user(former, email).await
    }

    /// Moves both rows of a pair of addresses to another pair, and unites them with the rows that are there.
    async fn move_pair(&self, from: (&str, &str), to: (&str, &str), now: i64) -> Result<(), StoreError> {
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
                if new.are_friends() && !united.are_friends() {
                    self.announce(&Notice::friendship(to.0, to.1), now).await?;
                }
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

    async fn ephemeral_item(&self, key: &str) -> Result<Option<Attributes>, StoreError> {
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", text(key));
        Ok(call.consistent_read(true).send().await.map_err(failed("GetItem"))?.item)
    }
}

impl Progress {
    fn read(item: Option<Attributes>) -> Self {
        let item = item.unwrap_or_default();
        let after = item.get("after").and_then(|after| after.as_m().ok()).cloned();
        Self { connections: get_flag(&item, "connections"), after }
    }

    fn to_item(&self) -> Attributes {
        let connections = AttributeValue::Bool(self.connections);
        let mut item = Attributes::from([("key".to_owned(), text(PROGRESS)), ("connections".to_owned(), connections)]);
        item.extend(self.after.clone().map(|after| ("after".to_owned(), AttributeValue::M(after))));
        item
    }
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
