//! Which task may start when.
//!
//! What is made or changed waits for what it depends on. What is deleted waits for everything that depends on it. A
//! replaced resource whose new one comes first has a second task: the old one is deleted after all dependents moved.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{Action, Address, Graph, Plan};

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskKind {
    /// Makes or changes the resource, or finds that nothing is to do.
    Converge,
    /// Deletes it.
    Destroy,
    /// Deletes the old one of a resource that was replaced.
    Retire,
}

/// One task of an apply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    pub(super) address: Address,
    pub(super) kind: TaskKind,
}

/// The tasks that are left, and what each waits for.
pub(super) struct Schedule {
    waiting: BTreeMap<Task, BTreeSet<Task>>,
    ready: VecDeque<Task>,
    running: BTreeSet<Task>,
    /// Tasks that do something; the others are only passed through.
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
                Action::Replace if retires => vec![task(TaskKind::Converge), task(TaskKind::Retire)],
                _ => vec![task(TaskKind::Converge)],
            };
            if step.action != Action::NoChange {
                effective.extend(of_step.iter().cloned());
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

    /// The next task that may start; it counts as running from now on.
    pub(super) fn next_ready(&mut self) -> Option<Task> {
        let task = self.ready.pop_front()?;
        self.running.insert(task.clone());
        Some(task)
    }

    /// Takes note that a task has ended well.
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

    /// Takes note that a task has failed: removes all that waits for it, directly or through others, and returns
    /// those whose work is thereby left undone.
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

    /// What was planned and has not ended.
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
        // Everything that depends on it, whether it is deleted too or changed so that it no longer needs it.
        TaskKind::Destroy => graph.dependents(address).flat_map(of).collect(),
        TaskKind::Retire => {
            let own = Task { address: address.clone(), kind: TaskKind::Converge };
            graph.dependents(address).flat_map(of).chain([own]).collect()
        }
    }
}
