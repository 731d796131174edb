//! Ends what rests on something that was withdrawn: the sessions of an account that signed out or was deleted, the presence and rings between people who are no longer friends.
//!
//! The functions write a notice before such a change. Every server reads the notices of the last seconds, and then the
//! rows that they are about: again and again until a notice is old, because the change follows the notice. After an
//! outage of DynamoDB it reads the notices since the last time, and if they are no longer kept, everybody's rows.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use peersync_server::store::{NEW_SECONDS, NOTICE_SECONDS, Notice};
use peersync_server::tickets::TICKET_SECONDS;
use tokio::time::{MissedTickBehavior, interval};

use crate::directory::Away;
use crate::shared::Shared;

/// The number of users whose rows are read at once if everybody's are.
const AT_ONCE: usize = 100;

/// Follows the notices as long as the server exists.
pub async fn follow(shared: Weak<Shared>) {
    let Some(pause) = shared.upgrade().map(|shared| shared.limits.notices) else { return };
    let mut timer = interval(pause);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Until when the notices were handled.
    let mut handled = None;
    loop {
        timer.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.hub.lock().counts().sessions == 0 {
            handled = None;
            continue;
        }
        let now = shared.keys.now();
        // At first as far back as there are tickets from.
        let since = handled.unwrap_or(now - TICKET_SECONDS) - NEW_SECONDS;
        if catch_up(&shared, since, now).await.is_ok() {
            handled = Some(now);
        }
    }
}

/// Handles everything since `since`; both in seconds since 1970.
async fn catch_up(shared: &Shared, since: i64, now: i64) -> Result<(), Away> {
    if since < now - NOTICE_SECONDS {
        everybody(shared).await?;
    }
    read(shared, since).await
}

/// Reads the notices, and handles those about users who are here.
async fn read(shared: &Shared, since: i64) -> Result<(), Away> {
    let notices = shared.directory.notices(since).await?;
    if notices.is_empty() {
        return Ok(());
    }
    shared.directory.forget(&notices);
    let (mut accounts, mut pairs) = (Vec::new(), Vec::new());
    let here = |email: &String| shared.hub.lock().is_online(email);
    for notice in notices {
        match notice {
            Notice::Account(email) if here(&email) => accounts.push(email),
            Notice::Session(email, id) => {
                shared.hub.lock().end_sign_in(&email, &id, shared.keys.now());
            }
            Notice::Friendship(one, other) if here(&one) || here(&other) => pairs.push((one, other)),
            _ => {}
        }
    }
    check_accounts(shared, &accounts).await?;
    let friends = if pairs.is_empty() { HashSet::new() } else { shared.directory.friendships(&pairs).await? };
    for pair in pairs {
        let friends = friends.contains(&pair);
        shared.hub.lock().set_friendship(&pair.0.into(), &pair.1.into(), friends);
    }
    Ok(())
}

/// Ends the sessions of these users that belong to an earlier generation of their account.
async fn check_accounts(shared: &Shared, users: &[String]) -> Result<(), Away> {
    if users.is_empty() {
        return Ok(());
    }
    let generations = shared.directory.generations(users).await?;
    for user in users {
        shared.hub.lock().sign_out(user, generations.get(user));
    }
    Ok(())
}

/// Checks all users and their friends, some at a time.
async fn everybody(shared: &Shared) -> Result<(), Away> {
    let users = shared.hub.lock().online_users();
    for users in users.chunks(AT_ONCE) {
        let emails: Vec<_> = users.iter().map(ToString::to_string).collect();
        check_accounts(shared, &emails).await?;
        for user in users {
            shared.directory.forget_friends(user);
            let (friends, _) = shared.directory.friends(Arc::clone(user)).await?;
            shared.hub.lock().befriend(user, &friends);
        }
    }
    Ok(())
}
