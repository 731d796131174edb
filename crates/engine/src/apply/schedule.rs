//! Decides which task may start when.
//!
//! Creating or changing a resource waits for its dependencies. Deleting it waits for its dependents. A resource whose
//! replacement is created first has a second task: the old one is deleted after all dependents have moved to the new
//! one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{Action, Address, Graph, Plan};

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskKind {
    /// Creates or changes the resource, or finds that nothing needs to be done.
    Converge,
    /// Deletes the resource.
    Destroy,
    /// Deletes the old resource, if it was replaced.
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
    pub(super) fn new(graph: &Graph, plan: &Plan) -> Self {
        let mut tasks: BTreeMap<Address, Vec<Task>> = BTreeMap::new();
        let mut effective = BTreeSet::new();
        for step in &plan.steps {
            let task = |kind| Task { address: step.address.clone(), kind };
            let retires = graph.resource(&step.address).is_some_and(|resource| resource.create_before_destroy());
            let of_step = match step.action {
                Action::Delete => vec![task(TaskKind::Destroy)],
                // What becomes known during the apply may turn a change into a replacement.
                Action::Replace | Action::Update if retires => vec![task(TaskKind::Converge), task(TaskKind::Retire)],
                _ => vec![task(TaskKind::Converge)],
            };
            if step.action != Action::NoChange {
                let does_something = |task: &&Task| task.kind != TaskKind::Retire || step.action == Action::Replace;
                effective.extend(of_step.iter().filter(does_something).cloned());
            }
            tasks.insert(step.address.clone(), of_step);
        }
        let mut schedule =
            Self { waiting: BTreeMap::new(), ready: VecDeque::new(), running: BTreeSet::new(), effective };
        for (address, of_step) in &tasks {
            for task in of_step {
                schedule.add(task.clone(), needed_by(graph, &tasks, address, task.kind));
            }
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

fn needed_by(graph: &Graph, tasks: &BTreeMap<Address, Vec<Task>>, address: &Address, kind: TaskKind) -> BTreeSet<Task> {
    let of = |address: &Address| tasks.get(address).into_iter().flatten().cloned();
    match kind {
        TaskKind::Converge => {
            graph.dependencies(address).flat_map(of).filter(|task| task.kind == TaskKind::Converge).collect()
        }
        // All dependents, whether they are deleted too or changed so that they no longer need it.
        TaskKind::Destroy => graph.dependents(address).flat_map(of).collect(),
        TaskKind::Retire => {
            let own = Task { address: address.clone(), kind: TaskKind::Converge };
            graph.dependents(address).flat_map(of).chain([own]).collect()
        }
    }
}
