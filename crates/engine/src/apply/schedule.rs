//! Decides which task may start when.
//!
//! Creating or changing a resource waits for its dependencies. Deleting it waits for its dependents. A resource whose
//! replacement is created first has a second task: the old one is deleted after all dependents have moved to the new
//! one. So has an update that keeps for its dependents what they use.
//!
//! What leads people to other resources changes after these, and before what they replace is deleted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::plan::Step;
use crate::{Action, Address, Graph, Observation, Plan, rule};

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskKind {
    /// Creates or changes the resource, or finds that nothing needs to be done.
    Converge,
    /// Deletes the resource.
    Destroy,
    /// Deletes the old resource, if it was replaced, or finishes its update.
    Retire,
}

/// One task of an apply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    pub(super) address: Address,
    pub(super) kind: TaskKind,
}

/// The tasks that are left, and what each of them waits for.
pub(super) struct Schedule {
    waiting: BTreeMap<Task, BTreeSet<Task>>,
    ready: VecDeque<Task>,
    running: BTreeSet<Task>,
    /// The tasks that do something; the others only keep the order.
    effective: BTreeSet<Task>,
}

impl Schedule {
    pub(super) fn new(graph: &Graph, plan: &Plan, observation: &Observation) -> Self {
        let mut order = Order { graph, tasks: BTreeMap::new(), leads: BTreeMap::new() };
        let mut effective = BTreeSet::new();
        for step in &plan.steps {
            let task = |kind| Task { address: step.address.clone(), kind };
            let resource = graph.resource(&step.address);
            let keeps_former =
                step.action == Action::Update && resource.is_some_and(|resource| resource.keeps_former(&step.changes));
            // What becomes known during the apply may turn a change into a replacement.
            let may_be_replaced = step.action == Action::Replace
                || rule!("old-one-deleted-if-replaced-after-all", step.action == Action::Update);
            let is_replaced_first = resource.is_some_and(|resource| resource.create_before_destroy());
            let of_step = match step.action {
                Action::Delete => vec![task(TaskKind::Destroy)],
                _ if keeps_former || (may_be_replaced && is_replaced_first) => {
                    vec![task(TaskKind::Converge), task(TaskKind::Retire)]
                }
                _ => vec![task(TaskKind::Converge)],
            };
            if step.action != Action::NoChange {
                let retires = keeps_former || step.action == Action::Replace;
                let does_something = |task: &&Task| task.kind != TaskKind::Retire || retires;
                effective.extend(of_step.iter().filter(does_something).cloned());
            }
            order.tasks.insert(step.address.clone(), of_step);
            order.leads.extend(leads(graph, step, observation).map(|leads| (step.address.clone(), leads)));
        }
        let mut schedule =
            Self { waiting: BTreeMap::new(), ready: VecDeque::new(), running: BTreeSet::new(), effective };
        for task in order.tasks.values().flatten() {
            schedule.add(task.clone(), order.needed_by(task));
        }
        schedule
    }

    fn add(&mut self, task: Task, needed: BTreeSet<Task>) {
        if needed.is_empty() {
            self.ready.push_back(task);
        } else {
            self.waiting.insert(task, needed);
        }
    }

    /// Returns the next task that may start, which counts as running from now on.
    pub(super) fn next_ready(&mut self) -> Option<Task> {
        let task = self.ready.pop_front()?;
        self.running.insert(task.clone());
        Some(task)
    }

    /// Records that a task has succeeded.
    pub(super) fn finished(&mut self, task: &Task) {
        self.running.remove(task);
        let mut freed = Vec::new();
        for (waiting, needed) in &mut self.waiting {
            if needed.remove(task) && needed.is_empty() {
                freed.push(waiting.clone());
            }
        }
        for task in freed {
            self.waiting.remove(&task);
            self.ready.push_back(task);
        }
    }

    /// Records that a task has failed: removes all tasks that wait for it, directly or indirectly, and returns the
    /// resources whose work is thereby left undone.
    pub(super) fn failed(&mut self, task: &Task) -> Vec<Address> {
        self.running.remove(task);
        let mut failed = vec![task.clone()];
        let mut skipped = BTreeSet::new();
        while let Some(failed_task) = failed.pop() {
            let dependents: Vec<Task> = self
                .waiting
                .iter()
                .filter(|(_, needed)| needed.contains(&failed_task))
                .map(|(t, _)| t.clone())
                .collect();
            for dependent in dependents {
                self.waiting.remove(&dependent);
                if self.effective.contains(&dependent) && dependent.address != task.address {
                    skipped.insert(dependent.address.clone());
                }
                failed.push(dependent);
            }
        }
        skipped.into_iter().collect()
    }

    /// Returns the resources whose tasks were planned and have not ended.
    pub(super) fn unfinished(&self) -> Vec<Address> {
        let tasks = self.waiting.keys().chain(&self.ready).chain(&self.running);
        let addresses: BTreeSet<&Address> =
            tasks.filter(|task| self.effective.contains(*task)).map(|task| &task.address).collect();
        addresses.into_iter().cloned().collect()
    }
}

/// Returns the resources to which a step leads people from now on; `None` if it leads nobody to another place.
fn leads(graph: &Graph, step: &Step, observation: &Observation) -> Option<BTreeSet<Address>> {
    let (resource, live) = (graph.resource(&step.address)?, observation.get(&step.address)?);
    let leads_elsewhere = match step.action {
        Action::Delete => true,
        Action::Update | Action::Replace => resource.leads_elsewhere(live, &step.changes),
        Action::Create | Action::NoChange => false,
    };
    leads_elsewhere.then(|| resource.leads_to().into_iter().collect())
}

/// The tasks of an apply, and what their order depends on.
struct Order<'a> {
    graph: &'a Graph,
    tasks: BTreeMap<Address, Vec<Task>>,
    /// The resources whose steps lead people to another place, each with those to which it leads.
    leads: BTreeMap<Address, BTreeSet<Address>>,
}

impl Order<'_> {
    fn needed_by(&self, task: &Task) -> BTreeSet<Task> {
        let address = &task.address;
        let all = |address: &Address| self.tasks.get(address).into_iter().flatten().cloned();
        let changed = |address: &Address| all(address).filter(|task| task.kind == TaskKind::Converge);
        let answering = self.leads.get(address).into_iter().flatten().flat_map(changed);
        // Whoever leads here leads elsewhere first.
        let leading = self.leads.iter().filter(|(_, leads)| leads.contains(address)).flat_map(|(one, _)| changed(one));
        match task.kind {
            TaskKind::Converge => self.graph.dependencies(address).flat_map(changed).chain(answering).collect(),
            // All dependents, whether they are deleted too or changed so that they no longer need it.
            TaskKind::Destroy => self.graph.dependents(address).flat_map(all).chain(answering).chain(leading).collect(),
            TaskKind::Retire => {
                let own = Task { address: address.clone(), kind: TaskKind::Converge };
                self.graph.dependents(address).flat_map(all).chain(leading).chain([own]).collect()
            }
        }
    }
}
