//! Runs the engine on this computer: the same resources as in AWS, as far as the emulator offers them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::LocalError;
use super::database::LocalDatabase;
use super::endpoint::Endpoint;
use peersync_aws::lease::Holder;
use peersync_aws::{Clients, ConnectOptions, Identity};
use peersync_config::Config;
use peersync_engine::{Address, Interrupt, Outcome, Reporter};
use peersync_operations::{Claim, DeployError, HeldLease, ObservedStack};
use peersync_resources::catalog;
use peersync_resources::stack::Stack;

use crate::artifacts;

/// How long to wait for another run at the emulator: longer than the lease of one that was killed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The account of emulators that have none.
const ACCOUNT: &str = "000000000000";

/// Returns the stack in the database of this process, which has nothing but DynamoDB.
///
/// # Errors
/// Fails if the clients cannot be created.
pub fn database_stack(config: Config, database: &LocalDatabase) -> Result<Arc<Stack>, LocalError> {
    let clients = Clients::of(&database.sdk_config());
    let mut clients = clients.map_err(|error| LocalError::part("the database's client", error))?;
    clients.emulated = true;
    // Nobody else uses the database of this process.
    clients.write_guard.open();
    let identity = Identity { account: ACCOUNT.to_owned(), arn: String::new(), partition: "aws".to_owned() };
    Ok(Arc::new(Stack::new(config, clients, identity, artifacts::without_programs())))
}

/// Returns the stack in an AWS emulator on this computer. Its functions have the architecture of this computer, whatever is
/// configured, since the emulator runs them here.
///
/// # Errors
/// Fails if the clients cannot be created or the emulator does not return the caller identity.
pub async fn endpoint_stack(config: Config, endpoint: &Endpoint) -> Result<Arc<Stack>, LocalError> {
    let options = ConnectOptions {
        region: config.stack.region.clone(),
        endpoint_url: Some(endpoint.url.clone()),
        emulated: true,
    };
    let failed = |reason: String| LocalError::EndpointAway { url: endpoint.url.clone(), reason };
    let clients = Clients::connect(&options).await.map_err(|error| failed(error.to_string()))?;
    let identity = clients.identity().await.map_err(|error| failed(error.causes().join(": ")))?;
    let clients = endpoint.probed(clients).await;
    let building = || tracing::info!("building the server programs, since this is a development build");
    let (artifacts, architecture) =
        artifacts::for_this_computer(building).map_err(|error| LocalError::part("the stack at the endpoint", error))?;
    let mut config = config;
    config.api.architecture = architecture;
    Ok(Arc::new(Stack::new(config, clients, identity, artifacts)))
}

/// What the engine did, and what the emulator does not offer.
pub struct Provisioned {
    /// The outcome of the apply; its outputs are those of everything that exists.
    pub outcome: Outcome,
    /// The kinds that the emulator does not offer, each with its answer.
    pub not_offered: BTreeMap<&'static str, String>,
}

/// Creates the resources that `keep` selects. Those that the emulator does not offer are left out, and are named.
///
/// # Errors
/// Fails if a resource cannot be read for any reason other than that it is not offered. Resources that cannot be
/// created are in the outcome.
pub async fn provision(
    stack: &Arc<Stack>,
    keep: impl Fn(&Address) -> bool,
    interrupt: Interrupt,
    reporter: &Arc<dyn Reporter>,
) -> Result<Provisioned, LocalError> {
    let graph = catalog::graph(stack).map_err(|error| LocalError::part("the stack", error))?.restricted(keep);
    let observed = ObservedStack::of(graph, stack, reporter).await;
    if let Some((address, error)) = observed.observation.errors.first() {
        return Err(LocalError::resource(address, error));
    }
    let options = observed.options(stack);
    let plan = observed.plan(&options);
    if let Some(conflict) = plan.conflicts.first() {
        let text = format!("{} exists but is not managed by this stack: {}", conflict.address, conflict.reason);
        return Err(LocalError::part("the stack", text));
    }
    let outcome = observed.apply(&plan, options, &interrupt, reporter).await;
    let left_out = observed.not_offered.iter();
    let not_offered = left_out.map(|(address, error)| (address.kind, error.causes().join(": "))).collect();
    Ok(Provisioned { outcome, not_offered })
}

/// Creates everything in an emulator while no other run changes the stack there.
///
/// # Errors
/// Fails like [`provision`], and if another run does not end within a minute.
pub async fn provision_alone(
    stack: &Arc<Stack>,
    interrupt: Interrupt,
    reporter: &Arc<dyn Reporter>,
    place: String,
) -> Result<Provisioned, LocalError> {
    let failed = |error: DeployError| {
        let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
        LocalError::part("the stack at the endpoint", format!("{error}{causes}"))
    };
    let waiting = |holder: &Holder, _| tracing::info!("waiting for {holder}");
    let claim = Claim { command: "local", place, wait: Some(PATIENCE), waiting: &waiting };
    let lease = HeldLease::take(stack, &claim, &interrupt, reporter).await.map_err(failed)?;
    lease.stops(&interrupt);
    let provisioned = provision(stack, |_| true, interrupt, reporter).await;
    lease.give_back(reporter).await.map_err(failed)?;
    // From now on the product itself writes its users' data.
    stack.clients.write_guard.open();
    provisioned
}

impl Provisioned {
    /// Returns itself if everything could be created.
    ///
    /// # Errors
    /// Returns the first resource that could not be created.
    pub fn complete(self) -> Result<Self, LocalError> {
        match self.outcome.failed.first() {
            Some(failed) => Err(LocalError::resource(&failed.address, &failed.error)),
            None => Ok(self),
        }
    }

    /// Returns whether all resources of these kinds exist.
    pub fn has(&self, kinds: &[&str]) -> bool {
        let failed = self.outcome.failed.iter().map(|failed| &failed.address);
        let mut absent = failed.chain(self.outcome.skipped.iter().map(|skipped| &skipped.address));
        let there = |kind: &&str| self.outcome.outputs.iter().any(|(address, _)| address.kind == *kind);
        kinds.iter().all(there) && !absent.any(|address| kinds.contains(&address.kind))
    }

    /// Returns what is missing, each with the reason.
    pub fn troubles(&self) -> Vec<String> {
        let absent =
            self.not_offered.iter().map(|(kind, reason)| format!("{kind}: the endpoint does not offer it: {reason}"));
        let failed = self.outcome.failed.iter().map(|failed| {
            let causes = failed.error.causes().join(": ");
            format!("{}: {} {causes}", failed.address, failed.error)
        });
        absent.chain(failed).collect()
    }
}
