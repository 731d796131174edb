//! The rotation of a generated key, on purpose: the new one becomes valid beside the old one, and whoever signs or
//! sends it changes once everybody who verifies it knows it.

use std::sync::Arc;
use std::time::Instant;

use crate::{DeployError, ObservedStack};
use peersync_engine::plan::{plan_step, tags_of};
use peersync_engine::{
    Action, Address, ApplyContext, Event, Live, OutputMap, Outputs, Ownership, PlanOptions, Progress, Reporter,
    ResourceError, Step,
};
use peersync_resources::kinds::{cloudfront_distribution, parameter_store, ssm_parameter};
use peersync_resources::stack::Stack;

/// A rotation that is possible.
pub struct Rotation {
    stack: Arc<Stack>,
    observed: ObservedStack,
    options: PlanOptions,
    key: &'static str,
}

impl Rotation {
    /// Checks whether a generated key of the stack, `ticket-key`, `turn-secret` or `origin-key`, can be rotated now.
    ///
    /// # Errors
    /// The key does not exist, is unmanaged, or the distribution that sends it has pending changes of another kind,
    /// which the rotation would apply too.
    pub fn prepare(stack: Arc<Stack>, observed: ObservedStack, key: &'static str) -> Result<Self, DeployError> {
        let options = observed.options_without_renewal(&stack);
        let plan = observed.plan(&options);
        let address = ssm_parameter::address(key);
        let sender = cloudfront_distribution::address();
        let mut conflicts = plan.conflicts;
        conflicts.retain(|conflict| {
            let is_previous = conflict.address == ssm_parameter::address(&parameter_store::previous(key));
            conflict.address == address || conflict.address == sender || is_previous
        });
        if !conflicts.is_empty() {
            return Err(DeployError::Conflicts(conflicts));
        }
        if live(&observed, &address).is_none() {
            let error = ResourceError::new("the secret does not exist");
            let hint = "`peersync-deploy up` creates it";
            return Err(error.caused_by(format!("{} has no parameter {key}", stack.name())).hint(hint).into());
        }
        let step = plan.steps.iter().find(|step| step.address == sender);
        if let Some(step) = step.filter(|_| key == parameter_store::ORIGIN_KEY).filter(|step| has_other_changes(step)) {
            let fields: Vec<&str> = step.changes.shown().map(|change| change.field.as_str()).collect();
            let error = ResourceError::new("the distribution has changes that were not applied");
            let hint = "apply them first: `peersync-deploy up`";
            return Err(error.caused_by(format!("{sender}: {}", fields.join(", "))).hint(hint).into());
        }
        Ok(Self { stack, observed, options, key })
    }

    /// Rotates the key. May be abandoned at any time: both keys are valid then, and the next `up` completes it.
    ///
    /// # Errors
    /// A call failed.
    pub async fn execute(&self, reporter: &Arc<dyn Reporter>) -> Result<(), ResourceError> {
        let address = ssm_parameter::address(self.key);
        let rotate = async { ssm_parameter::rotate(&self.stack, self.key, &self.options.tags).await };
        let rotated = reported(reporter, &address, rotate).await?;
        if self.key == parameter_store::ORIGIN_KEY {
            self.send(rotated, reporter).await?;
        }
        Ok(())
    }

    /// Makes the distribution send the new key.
    async fn send(&self, rotated: OutputMap, reporter: &Arc<dyn Reporter>) -> Result<(), ResourceError> {
        let address = cloudfront_distribution::address();
        let graph = &self.observed.graph;
        let (Some(resource), Some(live)) = (graph.resource(&address), live(&self.observed, &address)) else {
            return Ok(());
        };
        let mut outputs = self.observed.outputs();
        outputs.insert(ssm_parameter::address(self.key), rotated);
        let outputs: Outputs = outputs.only(graph.dependencies(&address));
        let step = plan_step(resource.as_ref(), Some(live), &outputs, &self.options);
        let tags = tags_of(resource.as_ref(), &outputs, &self.options.tags);
        let progress = Progress::new(address.clone(), Arc::clone(reporter));
        let context = ApplyContext { outputs: &outputs, tags: &tags, progress: &progress };
        let update = resource.update(&context, live, &step.changes);
        reported(reporter, &address, progress.clone().scope(update)).await.map(|_| ())
    }
}

/// Returns a resource that exists and is managed by the stack.
fn live<'a>(observed: &'a ObservedStack, address: &Address) -> Option<&'a Live> {
    observed.observation.get(address).filter(|live| live.ownership == Ownership::Ours)
}

/// Returns whether the distribution differs in more than the key that it sends, as after an interrupted rotation.
fn has_other_changes(step: &Step) -> bool {
    step.action != Action::NoChange
        && step.changes.shown().any(|change| change.field != cloudfront_distribution::ORIGIN_KEY.as_str())
}

async fn reported<T>(
    reporter: &Arc<dyn Reporter>,
    address: &Address,
    work: impl Future<Output = Result<T, ResourceError>>,
) -> Result<T, ResourceError> {
    let action = Action::Update;
    reporter.event(&Event::Started { address: address.clone(), action });
    let started = Instant::now();
    let result = work.await?;
    reporter.event(&Event::Finished { address: address.clone(), action, elapsed: started.elapsed() });
    Ok(result)
}
