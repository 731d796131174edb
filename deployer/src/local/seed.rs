//! `--seed demo`: a few people who are friends, and a link for each to sign in with.

use peersync_api::State;
use peersync_server::store::{Operation, SignIn, Store, StoreError};

use super::LocalError;

/// Name and address; the domain is reserved and reaches nobody (RFC 2606).
const PEOPLE: [(&str, &str); 3] =
    [("Ada", "ada@example.org"), ("Ben", "ben@example.org"), ("Cleo", "cleo@example.org")];

/// Somebody who can be signed in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: &'static str,
    /// Address.
    pub email: &'static str,
    /// Opens the sign-in page; works once.
    pub link: String,
    /// What the page asks for there, since another browser asked for the link.
    pub number: i64,
}

/// Makes the people and their friendships where they are not there yet, and a link for each.
///
/// # Errors
/// The database refuses.
pub async fn demo(state: &State) -> Result<Vec<Person>, LocalError> {
    make(state).await.map_err(|error| LocalError::part("the people to try it with", error))
}

async fn make(state: &State) -> Result<Vec<Person>, StoreError> {
    let (store, now) = (state.store(), state.now());
    let mut people = Vec::new();
    for (name, email) in PEOPLE {
        store.create_user(email, name, now).await?;
        if let Some(user) = store.user(email).await? {
            store.verify_user(&user, now).await?;
        }
    }
    for (position, (_, first)) in PEOPLE.iter().enumerate() {
        for (_, second) in PEOPLE.iter().skip(position + 1) {
            befriend(store, first, second, now).await?;
        }
    }
    for (name, email) in PEOPLE {
        let sign_in = SignIn::random();
        store.keep_sign_in(email, &sign_in, now).await?;
        let link = format!("{}/login.html#token={}", state.settings().site_url, sign_in.token);
        people.push(Person { name, email, link, number: sign_in.number });
    }
    Ok(people)
}

/// Two people who ask each other are friends; those who are friends already stay it.
async fn befriend(store: &Store, first: &str, second: &str, now: i64) -> Result<(), StoreError> {
    store.connect(Operation::Ask, first, second, None, now).await?;
    store.connect(Operation::Ask, second, first, None, now).await?;
    Ok(())
}
