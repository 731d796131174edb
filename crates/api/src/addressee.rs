//! Whose an address is that somebody typed, and in which spelling it gets mail.

use std::time::Duration;

use peersync_server::email_address::Email;
use peersync_server::store::{StoreError, User};

use crate::state::State;

/// How long a sign-in waits for addresses to be unified, which is some 10,000 accounts or connections. What is left then, the
/// next sign-in does: a function has 10 seconds in total, and a mail needs most of them.
const UNIFY_DEADLINE: Duration = Duration::from_secs(2);

/// The owner of an address.
pub(crate) struct Addressee {
    /// The account, if its owner has verified the address. One that nobody ever signed in to is none yet: anybody may
    /// have typed the address, and a name.
    pub user: Option<User>,
    /// Whether somebody has signed up with the address, and nobody ever signed in.
    pub pending: bool,
    /// The generation of the account under the address, verified or not; empty without one.
    pub generation: String,
    /// The spelling for mail: that of the account, otherwise the one that was typed.
    pub email: Email,
}

impl State {
    /// Returns whose the address is. The same calls are made for every address of the same form.
    ///
    /// # Errors
    /// The database is unavailable.
    pub(crate) async fn addressee(&self, typed: &Email) -> Result<Addressee, StoreError> {
        let former = async {
            match typed.former_key() {
                Some(former) => self.store().user(&former).await,
                None => Ok(None),
            }
        };
        let (former, current) = futures::try_join!(former, self.store().user(typed.as_str()))?;
        let verified = |user: &User| user.verified_at.is_some();
        // An account that an earlier version kept under another spelling is joined by whoever reads mail to that spelling.
        if let Some(user) = former.filter(verified) {
            let (generation, email) = (user.generation.clone(), typed.clone());
            return Ok(Addressee { generation, user: Some(user), pending: false, email });
        }
        let generation = current.as_ref().map(|user| user.generation.clone()).unwrap_or_default();
        let pending = current.as_ref().is_some_and(|user| !verified(user));
        let user = current.filter(verified);
        let spelling = user.as_ref().and_then(|user| Email::parse(&user.address).ok());
        Ok(Addressee { user, pending, generation, email: spelling.unwrap_or_else(|| typed.clone()) })
    }

    /// Moves what earlier versions kept under other spellings, if that has not been done. Without success people sign in
    /// all the same.
    pub(crate) async fn unify_addresses(&self) {
        match tokio::time::timeout(UNIFY_DEADLINE, self.store().unify_addresses(self.now())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "addresses of earlier versions could not be unified"),
            Err(_) => tracing::warn!("unifying addresses of earlier versions takes longer; the next sign-in continues"),
        }
    }
}
