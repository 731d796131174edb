//! `--seed demo`: creates a few people who are friends, and a sign-in link for each.

use peersync_api::State;
use peersync_server::email_address::Email;
use peersync_server::store::{Operation, SignIn, Store, StoreError};

use super::LocalError;

/// Names and addresses; the domain is reserved and reaches nobody (RFC 2606).
const PEOPLE: [(&str, &str); 3] =
    [("Ada", "ada@example.org"), ("Ben", "ben@example.org"), ("Cleo", "cleo@example.org")];

/// A demo account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: &'static str,
    /// The mail address.
    pub email: &'static str,
    /// The link that opens the sign-in page; it works once.
    pub link: String,
    /// The number that the page asks for, because another browser requested the link.
    pub number: i64,
}

/// Creates the accounts and their friendships if they do not exist yet, and a link for each.
///
/// # Errors
/// Fails if the database refuses.
pub async fn demo(state: &State) -> Result<Vec<Person>, LocalError> {
    make(state).await.map_err(|error| LocalError::part("the demo accounts", error))
}

async fn make(state: &State) -> Result<Vec<Person>, StoreError> {
    let (store, now) = (state.store(), state.now());
    let mut people = Vec::new();
    for (name, email) in PEOPLE {
        let Ok(address) = Email::parse(email) else { continue };
        store.create_user(&address, name, now).await?;
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
        let Ok(address) = Email::parse(email) else { continue };
        let sign_in = SignIn::random();
        let generation = store.user(email).await?.map(|user| user.generation).unwrap_or_default();
        store.keep_sign_in(&address, &generation, &sign_in, now).await?;
        let link = format!("{}/login.html#token={}", state.settings().site_url, sign_in.token);
        people.push(Person { name, email, link, number: sign_in.number });
    }
    Ok(people)
}

/// Makes two people friends by letting each ask the other; existing friendships stay.
async fn befriend(store: &Store, first: &str, second: &str, now: i64) -> Result<(), StoreError> {
    store.connect(Operation::Ask, first, second, None, now).await?;
    store.connect(Operation::Ask, second, first, None, now).await?;
    Ok(())
}
