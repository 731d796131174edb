//! The lease on a stack: only its holder changes the stack, and it ends by itself within a minute of its holder's death.
//!
//! It is a parameter of Systems Manager for each slot of 25 seconds, which exactly one run can create. The decision for
//! that, with its reasons, is in `ARCHITECTURE.md`; how it works is in `keeper`.

mod holder;
mod keeper;
mod slot;
mod store;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::holder::Holder;
use self::keeper::{Clock, Keeper};
pub use self::keeper::{Loss, NotTaken};
use self::store::Parameters;
use super::Clients;
use super::moment::Moment;
use peersync_engine::ResourceError;

/// A lease that this run holds. It is renewed until it is given back.
pub struct Lease {
    keeper: Arc<Keeper<Parameters, SystemClock>>,
    stop: CancellationToken,
    lost: CancellationToken,
    renewal: JoinHandle<Option<Loss>>,
}

impl Lease {
    /// Takes the lease on a stack. The clients send changes from now on until the lease ends. `failing` is told of
    /// renewals that failed and are repeated.
    ///
    /// # Errors
    /// Another run holds it, or a call failed.
    pub async fn take(
        clients: &Clients,
        stack: &str,
        holder: &Holder,
        failing: impl Fn(&ResourceError) + Send + Sync + 'static,
    ) -> Result<Self, NotTaken> {
        let keeper = Arc::new(keeper(clients, stack, holder));
        let last = keeper.take().await?;
        let (stop, lost) = (CancellationToken::new(), CancellationToken::new());
        let (renewing, stopped, ended) = (keeper.clone(), stop.clone(), lost.clone());
        let renewal = tokio::spawn(async move {
            let loss = renewing.keep(last, &stopped, failing).await;
            if loss.is_some() {
                ended.cancel();
            }
            loss
        });
        Ok(Self { keeper, stop, lost, renewal })
    }

    /// Returns who holds the lease on a stack, if anybody does. Changes nothing.
    ///
    /// # Errors
    /// The call failed.
    pub async fn look(clients: &Clients, stack: &str) -> Result<Option<Holder>, ResourceError> {
        keeper(clients, stack, &Holder::default()).look().await
    }

    /// Returns who holds the lease on a stack, and deletes what runs have left that ended without giving it back.
    ///
    /// # Errors
    /// The call failed.
    pub async fn clean(clients: &Clients, stack: &str) -> Result<Option<Holder>, ResourceError> {
        keeper(clients, stack, &Holder::default()).clean().await
    }

    /// Deletes what runs have left that ended without giving a lease back, of all stacks of the account and region.
    ///
    /// # Errors
    /// A call failed.
    pub async fn clean_all(clients: &Clients) -> Result<(), ResourceError> {
        for stack in store::stacks(&clients.unguarded_ssm).await? {
            Self::clean(clients, &stack).await?;
        }
        Ok(())
    }

    /// Returns the path of the leases on all stacks, for permissions.
    pub fn root() -> &'static str {
        store::PREFIX
    }

    /// Returns the paths of the parameters in which the lease on a stack is kept, for permissions.
    pub fn path(stack: &str) -> String {
        store::path(stack)
    }

    /// Returns a token that is cancelled once the lease has ended without being given back.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives the lease back, and returns why it had ended before, if it had. The clients send no more changes.
    ///
    /// # Errors
    /// The lease could not be given back; it expires by itself.
    pub async fn give_back(self) -> (Option<Loss>, Result<(), ResourceError>) {
        self.stop.cancel();
        // If the task was ended from outside, nothing was lost that it could know of.
        let loss = self.renewal.await.ok().flatten();
        (loss, self.keeper.give_back().await)
    }
}

fn keeper(clients: &Clients, stack: &str, holder: &Holder) -> Keeper<Parameters, SystemClock> {
    let store = Parameters::new(clients.unguarded_ssm.clone(), stack);
    let id = format!("{:032x}", rand::random::<u128>());
    Keeper::new(store, SystemClock, clients.write_guard.clone(), id, holder.clone())
}

/// The clocks of this computer.
struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
