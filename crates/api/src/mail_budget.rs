//! Whether a request for a sign-in mail causes one.
//!
//! Nobody is refused because of what others have requested for the same address. Beyond the limits of an address no
//! further mail goes out; the answer is the same, and the browser may use the newest mail, which somebody else may have
//! caused. `docs/limits.md` has the reasons and the numbers.

use peersync_server::store::PendingSignIn;

use crate::caller::{Caller, Client};
use crate::error::{ApiError, ApiResult};
use crate::limits::Limit;
use crate::state::State;
use crate::throttle::{Charge, Spending, Spent};
use peersync_server::email_address::Email;

/// What a request for a mail causes.
#[derive(Debug)]
pub(crate) enum MailPlan {
    /// A mail. What was counted for it is given back if it cannot be sent.
    Send {
        /// Whether the code is long, because somebody is guessing.
        long_code: bool,
        /// Whether the browser is a known one.
        known: bool,
        spent: Spent,
    },
    /// No further mail: the newest one is valid, and the browser may use it.
    Join(PendingSignIn),
}

/// A request for a mail.
pub(crate) struct MailRequest<'a> {
    pub(crate) state: &'a State,
    pub(crate) caller: &'a Caller,
    pub(crate) email: &'a Email,
    /// Whether the mail has a link and a code, which it has not without an account.
    pub(crate) has_account: bool,
    /// The generation of the account; empty without one.
    pub(crate) generation: &'a str,
}

/// What was counted before this request.
struct Counted {
    client: Client,
    newest: Option<PendingSignIn>,
    known: bool,
    /// Mails in all in this hour.
    in_all: i64,
    /// Mails to the address today.
    today: i64,
    /// Whether so many wrong codes were typed, for the address, by the client or in all, that codes are long.
    long_code: bool,
}

impl MailRequest<'_> {
    /// Decides, and counts what the mail spends. Except for a known browser the calls are the same for every address.
    ///
    /// # Errors
    /// 429 if the client or all together have requested too much; 503 if the database is unavailable.
    pub(crate) async fn plan(&self) -> ApiResult<MailPlan> {
        let (state, limits, counted) = (self.state, self.state.limits(), self.counted().await?);
        if counted.known
            && let Spending::Within(spent) = state.spend(self.known_budget()).await?
        {
            return Ok(MailPlan::Send { long_code: false, known: true, spent });
        }
        let joined = counted.newest.as_ref().filter(|newest| self.can_join(newest, counted.long_code));
        let spent = match (state.spend(self.address_budget(&counted)).await?, joined) {
            (Spending::Within(spent), _) => spent,
            (Spending::Exceeded(_), Some(newest)) => return self.join(&counted.client, newest).await,
            // The newest mail was used, which its owner has done, or is of no use to this browser.
            (Spending::Exceeded(_), None) => Spent::default(),
        };
        let mut charges = counted.client.shares(limits.mail_per_client, counted.in_all);
        charges.push(Charge::of(limits.mail_total, ""));
        let ends = match state.spend(charges).await? {
            Spending::Within(total) => {
                let (long_code, spent) = (counted.long_code, spent.and(total));
                return Ok(MailPlan::Send { long_code, known: false, spent });
            }
            Spending::Exceeded(ends) => ends,
        };
        state.give_back(spent).await?;
        match joined {
            Some(newest) => self.join(&counted.client, newest).await,
            None => Err(ApiError::slow_down(ends - state.now())),
        }
    }

    /// Reads what was counted.
    async fn counted(&self) -> ApiResult<Counted> {
        let (state, limits, email) = (self.state, self.state.limits(), self.email.as_str());
        let client = state.client(self.caller).await?;
        let (mail, today) = (Charge::of(limits.mail_total, ""), Charge::of(limits.mail_per_address_and_day, email));
        let for_address = Charge::of(limits.wrong_per_address, email);
        let (in_all, known) = (Charge::of(limits.wrong_total, ""), Charge::of(limits.wrong_known, email));
        let of_client = client.narrowest(limits.wrong_per_client);
        let charges = [&mail, &today, &for_address, &in_all, &of_client, &known];
        let mark = self.caller.known_mark();
        let counters = charges.map(Charge::counter);
        let before = state.store().sign_in_state(email, mark.as_deref(), counters, state.now()).await?;
        let [mails, mails_today, wrong, wrong_in_all, wrong_of_client, wrong_known] = before.counted;
        Ok(Counted {
            client,
            newest: before.newest,
            known: before.known.as_deref() == Some(self.generation) && !known.is_spent(wrong_known),
            in_all: mails,
            today: mails_today,
            long_code: for_address.is_spent(wrong)
                || in_all.is_spent(wrong_in_all)
                || of_client.is_spent(wrong_of_client),
        })
    }

    /// The limits of known browsers. If they are exceeded, those of others apply.
    fn known_budget(&self) -> Vec<Charge> {
        let limits = self.state.limits();
        let mark = self.caller.known_mark().unwrap_or_default();
        vec![
            Charge::of(limits.mail_per_known_browser, format!("{}\n{mark}", self.email.as_str())),
            Charge::of(limits.mail_known_total, ""),
        ]
    }

    /// The client's part comes first, so that one client cannot use up what an address gets. After many mails in a day,
    /// one at a time is enough: it is valid until the next one may be sent.
    fn address_budget(&self, counted: &Counted) -> Vec<Charge> {
        let (limits, email) = (self.state.limits(), self.email.as_str());
        let many = counted.today >= limits.mail_per_address_and_day.most;
        let fewer = |limit: Limit| if many { Limit { most: 1, ..limit } } else { limit };
        let mut charges = vec![
            counted.client.widest_with(limits.mail_per_pair, email),
            Charge::of(fewer(limits.mail_per_address), email),
        ];
        if !many {
            charges.push(Charge::of(limits.mail_per_address_and_day, email));
        }
        charges
    }

    /// Lets the browser use the newest mail.
    async fn join(&self, client: &Client, newest: &PendingSignIn) -> ApiResult<MailPlan> {
        self.state.check_limits(client.charges(self.state.limits().joins_per_client)).await?.keep();
        Ok(MailPlan::Join(newest.clone()))
    }

    /// While somebody is guessing, short codes work only in the browsers that caused their mails. Mails for another
    /// generation of the account are not valid any more.
    fn can_join(&self, newest: &PendingSignIn, long_code: bool) -> bool {
        let generation = newest.generation.as_deref().unwrap_or(self.generation);
        generation == self.generation && (newest.mailed || !self.has_account) && (newest.has_long_code || !long_code)
    }
}
