//! Ends what rests on something that was withdrawn: the sessions of an account that signed out or was deleted, the presence
//! and rings between people who are no longer friends.
//!
//! The functions write a notice before such a change. Every server reads the notices of the last seconds, and then the
//! rows that they are about: again and again until a notice is old, because the change follows the notice. After an
//! outage of DynamoDB, and after the clock was set, it reads the notices since the last time, and if they are no longer kept, everybody's rows. Rows
//! that cannot be read, perhaps because their user keeps them busy, are read again later and delay no others.

use std::sync::{Arc, Weak};

use futures::future::join_all;
use peersync_server::clock::Moment;
use peersync_server::store::{NEW_SECONDS, NOTICE_SECONDS, Notice};
use peersync_server::tickets::REENTRY_SECONDS;
use tokio::time::{MissedTickBehavior, interval};

use crate::directory::Away;
use crate::protocol::{ErrorCode, ServerMessage};
use crate::shared::Shared;

/// The number of users whose rows are read at once.
const AT_ONCE: usize = 100;
/// How many reads in a row must fail before people inside rooms are told: one may be lost by chance.
const OUTAGE: u32 = 2;
/// After how many failed reads they are told again: once a minute, as notices are read every two seconds.
const REMINDER: u32 = 30;

/// What a server knows of the notices.
#[derive(Debug, Default)]
struct Progress {
    /// Until when they were read.
    read: Option<Moment>,
    /// Those whose rows could not be read.
    pending: Vec<Notice>,
    /// Users whose friends could not be read after an outage.
    unread: Vec<Arc<str>>,
    /// The number of reads since the last one that was answered.
    failed: u32,
}

/// Follows the notices as long as the server exists.
pub async fn follow(shared: Weak<Shared>) {
    let Some(pause) = shared.upgrade().map(|shared| shared.limits.notices) else { return };
    let mut timer = interval(pause);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = Progress::default();
    loop {
        timer.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.hub.lock().counts().sessions == 0 {
            progress = Progress::default();
        } else {
            progress.catch_up(&shared).await;
        }
    }
}

impl Progress {
    /// Handles everything since the last time. Without an answer of DynamoDB, the next time does.
    async fn catch_up(&mut self, shared: &Shared) {
        let moment = shared.keys.moment();
        let now = moment.clock;
        let since = match self.read {
            // At first as far back as there are tickets and re-entries from.
            None => now - REENTRY_SECONDS - NEW_SECONDS,
            // While the clock was wrong, they were sought at the wrong time.
            Some(read) if read.clock_was_set_until(&moment) => i64::MIN,
            Some(read) => read.clock - NEW_SECONDS,
        };
        // First of all, because it also shows that the database answers again.
        let Ok(notices) = shared.directory.notices(since).await else {
            self.tell_members(shared);
            return;
        };
        self.failed = 0;
        self.read = Some(moment);
        if since < now - NOTICE_SECONDS {
            self.unread = shared.hub.lock().online_users();
            let users = self.unread.iter().map(ToString::to_string).map(Notice::Account);
            self.pending.extend(users);
        }
        self.unread = check_friends(shared, std::mem::take(&mut self.unread)).await;
        let all = [notices, std::mem::take(&mut self.pending)].concat();
        if !all.is_empty() {
            self.pending = handle(shared, all).await;
        }
    }

    /// Tells people inside rooms that an outage lasts: their calls go on, but nobody new gets in.
    fn tell_members(&mut self, shared: &Shared) {
        self.failed = self.failed.saturating_add(1);
        if self.failed % REMINDER == OUTAGE {
            let outage = "accounts, friends and rooms cannot be looked up at the moment; calls go on without";
            shared.hub.lock().tell_members(&ServerMessage::error(ErrorCode::DirectoryUnavailable, outage, None));
        }
    }
}

/// Handles those notices that are about users who are here. Returns those whose rows could not be read.
async fn handle(shared: &Shared, mut notices: Vec<Notice>) -> Vec<Notice> {
    shared.directory.forget(&notices);
    notices.sort();
    notices.dedup();
    let here = |email: &String| shared.hub.lock().is_online(email);
    let (mut accounts, mut pairs) = (Vec::new(), Vec::new());
    for notice in notices {
        match notice {
            Notice::Account(email) if here(&email) => accounts.push(email),
            Notice::Friendship(one, other) if here(&one) || here(&other) => pairs.push((one, other)),
            Notice::Session(email, id) => shared.hub.lock().end_sign_in(&email, &id),
            _ => {}
        }
    }
    let mut pending = check_accounts(shared, accounts).await;
    pending.extend(check_pairs(shared, pairs).await);
    pending
}

/// Ends the sessions of these users that belong to an earlier generation of their account, some at a time.
async fn check_accounts(shared: &Shared, users: Vec<String>) -> Vec<Notice> {
    let mut pending = Vec::new();
    for users in users.chunks(AT_ONCE) {
        pending.extend(check_some_accounts(shared, users).await);
    }
    pending
}

async fn check_some_accounts(shared: &Shared, users: &[String]) -> Vec<Notice> {
    if let Ok(generations) = shared.directory.generations(users).await {
        users.iter().for_each(|user| shared.hub.lock().sign_out(user, generations.get(user)));
        return Vec::new();
    }
    let one_by_one = users.iter().map(|user| async move {
        match shared.directory.generation(&user.as_str().into()).await {
            Ok(generation) => {
                shared.hub.lock().sign_out(user, generation.as_ref());
                None
            }
            Err(Away) => Some(Notice::Account(user.clone())),
        }
    });
    join_all(one_by_one).await.into_iter().flatten().collect()
}

/// Ends or begins the friendships of these pairs.
async fn check_pairs(shared: &Shared, pairs: Vec<(String, String)>) -> Vec<Notice> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let set = |pair: &(String, String), friends| {
        let (one, other): (Arc<str>, Arc<str>) = (pair.0.as_str().into(), pair.1.as_str().into());
        shared.hub.lock().set_friendship(&one, &other, friends);
    };
    if let Ok(friends) = shared.directory.friendships(&pairs).await {
        pairs.iter().for_each(|pair| set(pair, friends.contains(pair)));
        return Vec::new();
    }
    let one_by_one = pairs.into_iter().map(|pair| async move {
        match shared.directory.may_ring(pair.0.as_str().into(), pair.1.as_str().into()).await {
            Ok(friends) => {
                set(&pair, friends);
                None
            }
            Err(Away) => Some(Notice::friendship(&pair.0, &pair.1)),
        }
    });
    join_all(one_by_one).await.into_iter().flatten().collect()
}

/// Checks the friends of these users, some at a time. Returns those whose friends could not be read.
async fn check_friends(shared: &Shared, users: Vec<Arc<str>>) -> Vec<Arc<str>> {
    let mut unread = Vec::new();
    for users in users.chunks(AT_ONCE) {
        let each = users.iter().map(|user| async move {
            shared.directory.forget_friends(user);
            let Ok((friends, _)) = shared.directory.friends(Arc::clone(user)).await else {
                return Some(Arc::clone(user));
            };
            shared.hub.lock().befriend(user, &friends);
            None
        });
        unread.extend(join_all(each).await.into_iter().flatten());
    }
    unread
}
