//! Checks codes so that nobody can guess them, and nobody's guesses take away somebody else's.
//!
//! A code is tried in one of three kinds of browsers: that which caused the mail, one that has requested a mail for the
//! address too, and any other. Each has its own tries. Wrong short codes are also counted for the address, the client
//! and in all; beyond these limits codes are long instead of refused. Before tries are refused they have to wait, longer
//! and longer; nobody waits for what others have tried. `docs/limits.md` has the sum.

use futures::try_join;
use peersync_server::store::{AskedBrowser, CodeCheck, PendingSignIn, Tried, named};

use crate::caller::{Caller, Client};
use crate::error::{ApiError, ApiResult};
use crate::state::State;
use crate::throttle::{Charge, Spending, Spent};
use peersync_server::email_address::Email;

/// A try at a code.
struct Guess<'a> {
    state: &'a State,
    email: &'a str,
    code: &'a str,
    client: Client,
    mark: Option<String>,
    asked: Option<AskedBrowser>,
}

/// Consumes a code: that of the mail that this browser has requested, or that of the newest one.
///
/// # Errors
/// 429 if tries of this browser, or of the client without having requested a mail, follow each other too fast; 503 if the
/// database is unavailable.
pub(crate) async fn use_code(state: &State, caller: &Caller, email: &Email, code: &str) -> ApiResult<CodeCheck> {
    let (store, now, mark, email) = (state.store(), state.now(), caller.browser_mark(), email.as_str());
    let (asked, newest) = try_join!(store.asked(email, mark.as_deref(), now), store.newest_sign_in(email, now))?;
    let own = match &asked {
        Some(asked) => store.asked_sign_in(asked, newest.as_ref(), now).await?,
        None => None,
    };
    let guess = Guess { state, email, code, client: state.client(caller).await?, mark, asked };
    let entered = guess.enter().await?;
    for pending in [own, newest].into_iter().flatten() {
        if guess.is_right(&pending).await? {
            state.give_back(entered).await?;
            let name = guess.asked.and_then(|asked| asked.name);
            return Ok(named(store.consume(&pending, now).await?, name));
        }
    }
    Ok(CodeCheck::Unknown)
}

impl Guess<'_> {
    /// Counts the try of a browser that has not requested a mail for this address.
    async fn enter(&self) -> ApiResult<Spent> {
        if self.asked.is_some() {
            return Ok(Spent::default());
        }
        let limits = self.state.limits();
        let mut charges = self.client.charges_with(limits.codes_per_pair, self.email);
        charges.extend(self.client.charges(limits.verify_per_client));
        self.state.check_limits(charges).await
    }

    /// Counts the try and compares the code, unless the tries are spent.
    async fn is_right(&self, pending: &PendingSignIn) -> ApiResult<bool> {
        let own = pending.is_of(self.mark.as_deref());
        let Some(tries) = self.count_try(pending, own).await? else { return Ok(false) };
        if pending.has_long_code {
            return Ok(pending.has_code(self.code));
        }
        let Some(spent) = self.count_wrong(own, tries).await? else { return Ok(false) };
        let right = pending.has_code(self.code);
        if right {
            self.state.give_back(spent).await?;
        }
        Ok(right)
    }

    /// Counts the tries of this browser and returns their number; `None` if they are spent.
    async fn count_try(&self, pending: &PendingSignIn, own: bool) -> ApiResult<Option<i64>> {
        let (store, limits, now) = (self.state.store(), self.state.limits(), self.state.now());
        let tried = match &self.asked {
            _ if own => store.count_code_try(pending, limits.code_tries, now).await?,
            Some(asked) => store.count_asked_try(asked, limits.asked_code_tries, now).await?,
            None => return Ok(Some(1)),
        };
        match tried {
            Tried::Counted(tries) => Ok(Some(tries)),
            Tried::TooEarly { ready } => Err(ApiError::slow_down(ready - now)),
            Tried::Spent => Ok(None),
        }
    }

    /// Counts a wrong short code beforehand, so that many at once are counted too. Returns `None` if too many were
    /// counted; the first tries of the browser that caused the mail have limits of their own then.
    async fn count_wrong(&self, own: bool, tries: i64) -> ApiResult<Option<Spent>> {
        let (state, limits) = (self.state, self.state.limits());
        let known = own && self.asked.as_ref().is_some_and(|asked| asked.known);
        if known && let Spending::Within(spent) = state.spend(vec![Charge::of(limits.wrong_known, self.email)]).await? {
            return Ok(Some(spent));
        }
        let mut charges = vec![Charge::of(limits.wrong_per_address, self.email)];
        charges.extend(self.client.charges(limits.wrong_per_client));
        charges.push(Charge::of(limits.wrong_total, ""));
        if let Spending::Within(spent) = state.spend(charges).await? {
            return Ok(Some(spent));
        }
        if !own || tries > limits.late_code_tries {
            return Ok(None);
        }
        let mut charges = self.client.charges(limits.late_per_client);
        charges.push(Charge::of(limits.late_total, ""));
        Ok(match state.spend(charges).await? {
            Spending::Within(spent) => Some(spent),
            Spending::Exceeded(_) => None,
        })
    }
}
