//! Applies the limits: counts what callers do, and refuses what exceeds a limit.

use peersync_server::store::StoreError;

use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::limits::Limit;
use crate::state::State;
use peersync_server::email_address::Email;

impl State {
    /// Counts one event.
    ///
    /// # Errors
    /// 429 above the limit, with the seconds until the window ends; 503 if the database is unavailable.
    pub async fn check_limit(&self, limit: Limit, whom: &str) -> ApiResult<()> {
        let now = self.now();
        let counted = self.store().count(limit.name, whom, limit.seconds, now).await?;
        if counted.count > limit.most { Err(ApiError::slow_down(counted.ends - now)) } else { Ok(()) }
    }

    /// Counts one event and returns whether it is within the limit.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn within_limit(&self, limit: Limit, whom: &str) -> Result<bool, StoreError> {
        let counted = self.store().count(limit.name, whom, limit.seconds, self.now()).await?;
        Ok(counted.count <= limit.most)
    }

    /// Applies the limits of sign-in mails: per address, per client and in total. It makes the same calls for every
    /// address.
    ///
    /// # Errors
    /// As [`State::check_limit`].
    pub async fn check_mail_limits(&self, email: &Email, caller: &Caller) -> ApiResult<()> {
        let limits = *self.limits();
        let client = self.client(caller).await?;
        let (address, client, all) = futures::join!(
            self.check_limit(limits.mail_per_address, email.as_str()),
            self.check_limit(limits.mail_per_client, &client),
            self.check_limit(limits.mail_total, ""),
        );
        address.and(client).and(all)
    }
}
