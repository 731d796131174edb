//! The lease on a stack, as the commands take it: waiting for another run if the user wants that, and without one at an
//! emulator that has no place for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use peersync_aws::Clients;
use peersync_aws::lease::{Holder, Lease, NotTaken};
use peersync_aws::retry::{Schedule, until};
use peersync_engine::{Interrupt, Progress, Reporter, ResourceError};
use peersync_resources::stack::Stack;

use super::{DeployError, until_stopped};

/// How often a waiting run looks whether the lease is free: soon at first, then every other second.
const LOOKS: Schedule =
    Schedule { first: Duration::from_millis(250), longest: Duration::from_secs(2), deadline: Duration::ZERO };

/// Who takes a lease, and for how long it waits for it.
pub struct Claim<'a> {
    /// The command, as others read it.
    pub command: &'static str,
    /// The computer or job.
    pub place: String,
    /// How long to wait for another run; `None` to fail at once.
    pub wait: Option<Duration>,
    /// Is told who holds the lease and for how long this run has waited, each time it looks.
    pub waiting: &'a (dyn Fn(&Holder, Duration) + Send + Sync),
}

/// The lease of a run, if the endpoint has a place for one.
pub struct HeldLease(Option<Lease>);

impl HeldLease {
    /// Takes the lease on a stack. From now on its clients send changes.
    ///
    /// # Errors
    /// Another run holds it, has not given it back in time, or a call failed.
    pub async fn take(
        stack: &Stack,
        claim: &Claim<'_>,
        interrupt: &Interrupt,
        reporter: &Arc<dyn Reporter>,
    ) -> Result<Self, DeployError> {
        let progress = Progress::of_nobody(reporter.clone());
        let attempt = progress.clone().scope(take(stack, claim, &progress));
        match until_stopped(interrupt, attempt).await? {
            Err(DeployError::Call(error)) if is_without_place(&stack.clients, &error) => {
                stack.clients.write_guard.open();
                Ok(Self(None))
            }
            taken => taken.map(|lease| Self(Some(lease))),
        }
    }

    /// Stops the run like a second Ctrl-C when the lease is lost, because another run may work on the stack from then on.
    pub fn stops(&self, interrupt: &Interrupt) {
        let Some(lease) = &self.0 else { return };
        let (lost, interrupt) = (lease.lost(), interrupt.clone());
        tokio::spawn(async move {
            lost.cancelled().await;
            interrupt.stop.cancel();
            interrupt.abort.cancel();
        });
    }

    /// Gives the lease back. The clients send no more changes. Returns why it could not be given back, if it could not,
    /// which does no harm, because it expires by itself.
    ///
    /// # Errors
    /// The lease was lost before.
    pub async fn give_back(self, reporter: &Arc<dyn Reporter>) -> Result<Option<ResourceError>, DeployError> {
        let Some(lease) = self.0 else { return Ok(None) };
        let (loss, given_back) = Progress::of_nobody(reporter.clone()).scope(lease.give_back()).await;
        loss.map_or(Ok(given_back.err()), |loss| Err(DeployError::LeaseLost(loss)))
    }
}

/// Returns who holds the lease on the stack, if anybody does. Changes nothing.
///
/// # Errors
/// The call failed.
pub async fn lease_holder(stack: &Stack) -> Result<Option<Holder>, ResourceError> {
    offered(&stack.clients, Lease::look(&stack.clients, &stack.name()).await)
}

/// Returns who holds the lease on a stack of which nothing exists, and deletes what earlier runs have left of theirs.
///
/// # Errors
/// The call failed.
pub async fn clean_leases(stack: &Stack) -> Result<Option<Holder>, ResourceError> {
    offered(&stack.clients, Lease::clean(&stack.clients, &stack.name()).await)
}

/// Deletes what earlier runs have left of their leases on any stack, those included of which nothing else is left.
///
/// # Errors
/// The call failed.
pub async fn clean_all_leases(clients: &Clients) -> Result<(), ResourceError> {
    offered(clients, Lease::clean_all(clients).await)
}

/// Treats an endpoint that has no place for leases as one without leases.
fn offered<T: Default>(clients: &Clients, answer: Result<T, ResourceError>) -> Result<T, ResourceError> {
    match answer {
        Err(error) if is_without_place(clients, &error) => Ok(T::default()),
        answer => answer,
    }
}

/// Returns whether the endpoint is an emulator without Systems Manager.
fn is_without_place(clients: &Clients, error: &ResourceError) -> bool {
    let is_absent = clients.endpoint_url.is_some() && clients.absent.contains_key("ssm");
    is_absent || clients.lack(error)
}

async fn take(stack: &Stack, claim: &Claim<'_>, progress: &Progress) -> Result<Lease, DeployError> {
    let who = stack.identity.arn.clone();
    let command = claim.command.to_owned();
    let holder = Holder { who, place: claim.place.clone(), command, ..Holder::default() };
    let began = Instant::now();
    let last = parking_lot::Mutex::new(None);
    let attempt = || async {
        match take_now(stack, &holder, progress).await {
            Ok(lease) => Ok(Some(lease)),
            Err(NotTaken::Held(other)) => {
                if claim.wait.is_some() {
                    (claim.waiting)(&other, began.elapsed());
                }
                *last.lock() = Some(other);
                Ok(None)
            }
            Err(NotTaken::Failed(error)) => {
                *last.lock() = None;
                Err(error)
            }
        }
    };
    let schedule = Schedule { deadline: claim.wait.unwrap_or_default(), ..LOOKS };
    // What is waited for is reported by `waiting`, with its holder.
    let silent = Progress::of_nobody(Arc::new(peersync_engine::Silent));
    let result = match claim.wait {
        Some(_) => until(&silent, schedule, "the lease on the stack", attempt).await,
        None => attempt().await.and_then(|lease| lease.ok_or_else(|| ResourceError::new("held"))),
    };
    let other = last.lock().take();
    result.map_err(|error| match other {
        Some(holder) => DeployError::Held { stack: stack.name(), holder: Box::new(holder), waited: claim.wait },
        None => error.into(),
    })
}

async fn take_now(stack: &Stack, holder: &Holder, progress: &Progress) -> Result<Lease, NotTaken> {
    let progress = progress.clone();
    let failing = move |error: &ResourceError| {
        let cause = error.causes().first().cloned().unwrap_or_else(|| error.to_string());
        progress.waiting(format!("the lease to be renewed: {cause}"));
    };
    Lease::take(&stack.clients, &stack.name(), holder, failing).await
}
