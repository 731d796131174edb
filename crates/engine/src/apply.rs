//! Applies a plan: walks the graph with as much in parallel as possible, each step after its dependencies.
//!
//! If a step fails, its dependents are skipped and the others finish. After a request to stop, nothing new starts and
//! steps in flight finish. Running again continues: every step is planned again from what was observed.

mod schedule;

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use self::schedule::{Schedule, Task, TaskKind};
use super::plan::{self, Plan, PlanOptions, Step};
use super::progress::{Event, Progress, Reporter};
use super::{
    Action, Address, ApplyContext, Graph, Live, Observation, OutputMap, Outputs, Resource, ResourceError, Tags,
};

/// The default number of steps that run at once, enough for every stack. The resources keep the provider's own quotas.
const DEFAULT_PARALLELISM: usize = 64;

/// How a running apply is stopped.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// Cancelled by the first Ctrl-C: nothing new is started.
    pub stop: CancellationToken,
    /// Cancelled by the second Ctrl-C: steps in flight are abandoned.
    pub abort: CancellationToken,
}

/// How a plan is applied.
#[derive(Clone)]
pub struct ApplyOptions {
    /// The options that the plan was made with; steps are planned again when more outputs are known.
    pub plan: PlanOptions,
    /// The maximum number of steps that run at once.
    pub parallelism: usize,
    /// How the apply is stopped.
    pub interrupt: Interrupt,
}

impl ApplyOptions {
    /// Returns the defaults for a plan made with these options.
    pub fn new(plan: PlanOptions) -> Self {
        Self { plan, parallelism: DEFAULT_PARALLELISM, interrupt: Interrupt::default() }
    }
}

/// A step that failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The resource.
    pub address: Address,
    /// The action that failed.
    pub action: Action,
    /// The reason.
    pub error: Arc<ResourceError>,
}

/// A step that was not started because another one failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The resource.
    pub address: Address,
    /// The resource whose step failed.
    pub because: Address,
}

/// How an apply ended.
#[derive(Default)]
pub struct Outcome {
    /// The completed steps, in the order in which they finished.
    pub done: Vec<(Address, Action)>,
    /// The steps that failed.
    pub failed: Vec<Failed>,
    /// The steps that were not started because of a failure.
    pub skipped: Vec<Skipped>,
    /// The steps that were not started, or were abandoned, because the user asked to stop.
    pub remaining: Vec<Address>,
    /// The outputs of every resource that exists now.
    pub outputs: Outputs,
}

impl Outcome {
    /// Returns whether everything that was planned is done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && self.remaining.is_empty()
    }
}

/// Applies a plan, which must not have conflicts.
pub async fn apply(
    graph: &Graph,
    plan: &Plan,
    observation: &Observation,
    options: &ApplyOptions,
    reporter: &Arc<dyn Reporter>,
) -> Outcome {
    let run = Run { graph, observation, options, reporter };
    run.execute(Schedule::new(graph, plan, observation)).await
}

/// What the steps of one apply share.
struct Run<'a> {
    graph: &'a Graph,
    observation: &'a Observation,
    options: &'a ApplyOptions,
    reporter: &'a Arc<dyn Reporter>,
}

/// The result of one task.
struct TaskEnd {
    task: Task,
    action: Action,
    result: Result<OutputMap, ResourceError>,
}

impl Run<'_> {
    async fn execute(&self, mut schedule: Schedule) -> Outcome {
        let mut outcome = Outcome::default();
        let mut running: FuturesUnordered<BoxFuture<'_, TaskEnd>> = FuturesUnordered::new();
        let interrupt = &self.options.interrupt;
        loop {
            while !interrupt.stop.is_cancelled() && running.len() < self.options.parallelism {
                let Some(task) = schedule.next_ready() else { break };
                let done = outcome.done.iter().find(|(address, _)| *address == task.address).map(|(_, action)| *action);
                running.push(Box::pin(self.perform(task, outcome.outputs.clone(), done)));
            }
            let end = tokio::select! {
                biased;
                () = interrupt.abort.cancelled() => None,
                end = running.next() => end,
            };
            let Some(end) = end else { break };
            self.settle(end, &mut schedule, &mut outcome);
        }
        outcome.remaining = schedule.unfinished();
        if !outcome.remaining.is_empty() {
            self.reporter.event(&Event::Interrupted { remaining: outcome.remaining.len() });
        }
        outcome
    }

    /// Runs one task. The outputs include those of everything that it depends on. An old resource is deleted only if another
    /// one has really replaced it, which a plan cannot always know: `done` is what was.
    async fn perform(&self, task: Task, outputs: Outputs, done: Option<Action>) -> TaskEnd {
        let Some(resource) = self.graph.resource(&task.address) else {
            let result = Err(ResourceError::new("the plan names a resource that the graph does not have"));
            return TaskEnd { task, action: Action::NoChange, result };
        };
        let live = self.observation.get(&task.address);
        let progress = Progress::new(task.address.clone(), self.reporter.clone());
        let (action, result) = match task.kind {
            TaskKind::Destroy => {
                let removal = live.map(|live| resource.delete(&progress, live));
                (Action::Delete, progress.clone().scope(self.remove(&task.address, removal)).await)
            }
            TaskKind::Retire if done == Some(Action::Replace) => {
                let removal = live.map(|live| resource.retire(&progress, live));
                (Action::Delete, progress.clone().scope(self.remove(&task.address, removal)).await)
            }
            TaskKind::Retire if done == Some(Action::Update) => {
                let outputs = outputs.only(self.graph.dependencies(&task.address));
                progress.clone().scope(self.finish(resource.as_ref(), live, &outputs, &progress)).await
            }
            TaskKind::Retire => (Action::NoChange, Ok(OutputMap::default())),
            TaskKind::Converge => {
                let outputs = outputs.only(self.graph.dependencies(&task.address));
                progress.clone().scope(self.converge(resource.as_ref(), live, &outputs, &progress)).await
            }
        };
        TaskEnd { task, action, result }
    }

    async fn converge(
        &self,
        resource: &dyn Resource,
        live: Option<&Live>,
        outputs: &Outputs,
        progress: &Progress,
    ) -> (Action, Result<OutputMap, ResourceError>) {
        let (step, tags) = self.planned(resource, live, outputs);
        let context = ApplyContext { outputs, tags: &tags, progress };
        let address = resource.address();
        let result = match (step.action, live) {
            (Action::NoChange, live) => Ok(live.map(|live| live.outputs.clone()).unwrap_or_default()),
            (Action::Update, Some(live)) => {
                self.timed(address, step.action, resource.update(&context, live, &step.changes)).await
            }
            (Action::Replace, Some(live)) if !resource.create_before_destroy() => {
                self.timed(address, step.action, async {
                    resource.delete(progress, live).await?;
                    resource.create(&context).await
                })
                .await
            }
            (action, _) => self.timed(address, action, resource.create(&context)).await,
        };
        (step.action, result)
    }

    /// Plans a resource with the outputs that are known now, and returns its tags too.
    fn planned(&self, resource: &dyn Resource, live: Option<&Live>, outputs: &Outputs) -> (Step, Tags) {
        let options = &self.options.plan;
        (plan::plan_step(resource, live, outputs, options), plan::tags_of(resource, outputs, &options.tags))
    }

    /// Finishes an update, which was reported as done: only a failure is told.
    async fn finish(
        &self,
        resource: &dyn Resource,
        live: Option<&Live>,
        outputs: &Outputs,
        progress: &Progress,
    ) -> (Action, Result<OutputMap, ResourceError>) {
        let (step, tags) = self.planned(resource, live, outputs);
        let Some(live) = live.filter(|_| resource.keeps_former(&step.changes)) else {
            return (Action::NoChange, Ok(OutputMap::default()));
        };
        let context = ApplyContext { outputs, tags: &tags, progress };
        match resource.finish(&context, live, &step.changes).await {
            Ok(()) => (Action::NoChange, Ok(OutputMap::default())),
            Err(error) => (Action::Update, Err(error)),
        }
    }

    /// Deletes what was found, if anything.
    async fn remove(
        &self,
        address: &Address,
        removal: Option<BoxFuture<'_, Result<(), ResourceError>>>,
    ) -> Result<OutputMap, ResourceError> {
        let Some(removal) = removal else { return Ok(OutputMap::default()) };
        self.timed(address, Action::Delete, async { removal.await.map(|()| OutputMap::default()) }).await
    }

    async fn timed(
        &self,
        address: &Address,
        action: Action,
        work: impl Future<Output = Result<OutputMap, ResourceError>>,
    ) -> Result<OutputMap, ResourceError> {
        self.reporter.event(&Event::Started { address: address.clone(), action });
        let started = Instant::now();
        let result = work.await;
        if result.is_ok() {
            let elapsed = started.elapsed();
            self.reporter.event(&Event::Finished { address: address.clone(), action, elapsed });
        }
        result
    }

    fn settle(&self, end: TaskEnd, schedule: &mut Schedule, outcome: &mut Outcome) {
        let TaskEnd { task, action, result } = end;
        match result {
            Ok(outputs) => {
                if task.kind == TaskKind::Converge {
                    outcome.outputs.insert(task.address.clone(), outputs);
                }
                if action != Action::NoChange {
                    outcome.done.push((task.address.clone(), action));
                }
                schedule.finished(&task);
            }
            Err(error) => {
                let error = Arc::new(error);
                let address = task.address.clone();
                self.reporter.event(&Event::Failed { address: address.clone(), action, error: error.clone() });
                for skipped in schedule.failed(&task) {
                    self.reporter.event(&Event::Skipped { address: skipped.clone(), because: address.clone() });
                    outcome.skipped.push(Skipped { address: skipped, because: address.clone() });
                }
                outcome.failed.push(Failed { address, action, error });
            }
        }
    }
}

#[cfg(test)]
mod tests;
