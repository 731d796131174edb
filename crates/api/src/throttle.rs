//! Applies the limits: counts what callers do, and refuses what exceeds a limit.
//!
//! A request is counted against several limits one after the other, what only its sender can use up first. If one is
//! exceeded, those before it get back what they counted: a refused request spends nothing, above all nothing shared.

use peersync_server::client_address::Network;
use peersync_server::store::{Counted, StoreError};

use crate::caller::Client;
use crate::error::{ApiError, ApiResult};
use crate::limits::Limit;
use crate::state::State;

/// One event of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    limit: Limit,
    whom: String,
}

impl Charge {
    /// Returns its counter, as name and whom.
    pub(crate) fn counter(&self) -> (&str, &str) {
        (self.limit.name, &self.whom)
    }

    /// Returns whether the limit is reached.
    pub(crate) fn is_spent(&self, counted: i64) -> bool {
        counted >= self.limit.most
    }

    /// Returns an event of somebody; of all together if `whom` is empty.
    pub(crate) fn of(limit: Limit, whom: impl Into<String>) -> Self {
        Self { limit, whom: whom.into() }
    }
}

/// What was counted, so that it can be given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Spent(Vec<Charge>);

impl Spent {
    /// Returns both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Keeps it counted.
    pub(crate) fn keep(self) {}
}

/// The result of counting events against several limits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Spending {
    /// All are within their limits.
    Within(Spent),
    /// One limit is exceeded, until this second since 1970: the end of a wait, or of the window. Nothing was counted.
    Exceeded(i64),
}

impl Client {
    /// Returns one event of a limit per client: of its address, and of the networks around it.
    pub(crate) fn charges(&self, limit: Limit) -> Vec<Charge> {
        self.each(limit, "", Limit::for_network)
    }

    /// Returns one event of a limit per client: only of its address.
    pub(crate) fn narrowest(&self, limit: Limit) -> Charge {
        let narrowest = self.0.first().map_or_else(|| "unknown".to_owned(), Network::to_string);
        Charge::of(limit, format!("\n{narrowest}"))
    }

    /// Returns one event of a limit per client and somebody else, such as an address: of the widest network.
    pub(crate) fn widest_with(&self, limit: Limit, whom: &str) -> Charge {
        let widest = self.0.last().map_or_else(|| "unknown".to_owned(), Network::to_string);
        Charge::of(limit, format!("{whom}\n{widest}"))
    }

    /// Returns one event of a limit per client and somebody else, such as an address.
    pub(crate) fn charges_with(&self, limit: Limit, whom: &str) -> Vec<Charge> {
        self.each(limit, whom, Limit::for_network)
    }

    /// Returns one event that counts against the client's share of a total, of which `used` are used.
    pub(crate) fn shares(&self, limit: Limit, used: i64) -> Vec<Charge> {
        self.each(limit, "", |limit, network| limit.share_for_network(network, used))
    }

    fn each(&self, limit: Limit, whom: &str, scaled: impl Fn(Limit, Network) -> Limit) -> Vec<Charge> {
        if self.0.is_empty() {
            return vec![Charge::of(limit, format!("{whom}\nunknown"))];
        }
        let networks = self.0.iter();
        networks.map(|network| Charge::of(scaled(limit, *network), format!("{whom}\n{network}"))).collect()
    }
}

impl State {
    /// Counts events one after the other, until a limit is exceeded; then it gives back what it has counted.
    ///
    /// # Errors
    /// The database is unavailable.
    pub(crate) async fn spend(&self, charges: Vec<Charge>) -> Result<Spending, StoreError> {
        let mut spent = Spent::default();
        for charge in charges {
            let (limit, now) = (charge.limit, self.now());
            match self.store().count((limit.name, &charge.whom), limit.window(), now).await? {
                Counted::Within => spent.0.push(charge),
                Counted::Exceeded { ends } => {
                    self.give_back(spent).await?;
                    return Ok(Spending::Exceeded(ends));
                }
            }
        }
        Ok(Spending::Within(spent))
    }

    /// Takes back what was counted.
    ///
    /// # Errors
    /// The database is unavailable.
    pub(crate) async fn give_back(&self, spent: Spent) -> Result<(), StoreError> {
        let each = spent.0.iter().map(|charge| self.store().uncount((charge.limit.name, &charge.whom), self.now()));
        futures::future::try_join_all(each).await.map(|_| ())
    }

    /// Counts events, all or none.
    ///
    /// # Errors
    /// 429 above a limit, with the seconds until the next event is let in; 503 if the database is unavailable.
    pub(crate) async fn check_limits(&self, charges: Vec<Charge>) -> ApiResult<Spent> {
        match self.spend(charges).await? {
            Spending::Within(spent) => Ok(spent),
            Spending::Exceeded(ends) => Err(ApiError::slow_down(ends - self.now())),
        }
    }

    /// Counts one event.
    ///
    /// # Errors
    /// As [`State::check_limits`].
    pub(crate) async fn check_limit(&self, limit: Limit, whom: &str) -> ApiResult<()> {
        self.check_limits(vec![Charge::of(limit, whom)]).await.map(Spent::keep)
    }
}
