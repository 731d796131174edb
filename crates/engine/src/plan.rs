//! What has to be done, as plain data. Planning is pure: it looks at what was observed and calls nobody.

use serde::Serialize;

use super::diff::{self, Changes, DIGEST_TAG};
use super::value::{Field, Ownership};
use super::{Action, Address, Graph, Live, Observation, Outputs, Resource, Tags, digest};

/// What is done to one resource, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Which resource.
    pub address: Address,
    /// What is done.
    pub action: Action,
    /// What differs.
    pub changes: Changes,
    /// Why it cannot be changed in place, where it is replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replace_because: Vec<String>,
}

/// A resource that has our name and is not ours.
#[derive(Clone, Debug, Serialize)]
pub struct Conflict {
    /// Which resource.
    pub address: Address,
    /// The identifier of what is there.
    pub id: String,
    /// What was seen in place of our tags.
    pub reason: String,
}

/// Everything that has to be done to a stack.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// The resources of the stack, each after what it depends on, without those that are neither there nor wanted;
    /// when the stack is destroyed, those that are there.
    pub steps: Vec<Step>,
    /// Resources that stand in the way. Nothing is applied while there is one.
    pub conflicts: Vec<Conflict>,
}

impl Plan {
    /// The steps that do something.
    pub fn pending(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action != Action::NoChange)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.pending().next().is_none()
    }

    /// How many steps do this.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

/// How a plan is made.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The tags that every resource carries, without the digest.
    pub tags: Tags,
    /// Whether resources with our name but without our tags are taken over.
    pub adopt: bool,
}

/// Plans to make everything as the configuration wants it.
pub fn plan(graph: &Graph, observation: &Observation, options: &PlanOptions) -> Plan {
    let mut outputs = Outputs::default();
    let mut plan = Plan::default();
    for resource in graph.order().iter().filter_map(|address| graph.resource(address)) {
        let live = observation.get(resource.address());
        if live.is_none() && !resource.wanted() {
            continue;
        }
        if let Some(conflict) = live.and_then(|live| conflict(resource.as_ref(), live, options.adopt)) {
            plan.conflicts.push(conflict);
            continue;
        }
        let visible = outputs.only(graph.dependencies(resource.address()));
        let step = plan_step(resource.as_ref(), live, &visible, options);
        if let (Action::NoChange | Action::Update, Some(live)) = (step.action, live) {
            outputs.insert(step.address.clone(), live.outputs.clone());
        }
        plan.steps.push(step);
    }
    plan
}

/// Plans to delete everything that is ours. What has our name and is not ours stays, and is listed as a conflict.
pub fn plan_destroy(graph: &Graph, observation: &Observation) -> Plan {
    let mut plan = Plan::default();
    for resource in graph.order().iter().filter_map(|address| graph.resource(address)) {
        let Some(live) = observation.get(resource.address()) else { continue };
        match conflict(resource.as_ref(), live, false) {
            Some(conflict) => plan.conflicts.push(conflict),
            None => plan.steps.push(step(resource.address(), Action::Delete, Changes::default())),
        }
    }
    plan
}

/// The wanted tags of one resource: those of the stack, where it can carry them, and its digest, where all its fields
/// are known.
pub fn tags_of(resource: &dyn Resource, outputs: &Outputs, tags: &Tags) -> Tags {
    let mut wanted = if resource.taggable() { tags.clone() } else { Tags::new() };
    if let Some(digest) = digest::encode(&resource.desired(outputs)) {
        wanted.insert(DIGEST_TAG.to_owned(), digest);
    }
    wanted
}

/// Plans one resource with the outputs known so far. The apply calls it again once all outputs are known.
pub fn plan_step(resource: &dyn Resource, live: Option<&Live>, outputs: &Outputs, options: &PlanOptions) -> Step {
    let address = resource.address();
    let Some(live) = live else {
        return if resource.wanted() {
            step(address, Action::Create, diff::creation(&resource.desired(outputs)))
        } else {
            step(address, Action::NoChange, Changes::default())
        };
    };
    if !resource.wanted() {
        return step(address, Action::Delete, Changes::default());
    }
    let fields = resource.desired(outputs);
    let changes = diff::compare(live, &fields, &tags_of(resource, outputs, &options.tags));
    let replace_because: Vec<String> = resource
        .replace_on()
        .iter()
        .filter(|(field, _)| changes.has(field) && !matches!(fields.get(*field), Some(Field::Unknown)))
        .map(|(field, reason)| format!("{field}: {reason}"))
        .collect();
    let action = match (changes.is_empty(), replace_because.is_empty()) {
        (true, _) => Action::NoChange,
        (false, true) => Action::Update,
        (false, false) => Action::Replace,
    };
    Step { replace_because, ..step(address, action, changes) }
}

fn step(address: &Address, action: Action, changes: Changes) -> Step {
    Step { address: address.clone(), action, changes, replace_because: Vec::new() }
}

fn conflict(resource: &dyn Resource, live: &Live, adopt: bool) -> Option<Conflict> {
    match &live.ownership {
        Ownership::Foreign(reason) if !adopt => {
            Some(Conflict { address: resource.address().clone(), id: live.id.clone(), reason: reason.clone() })
        }
        _ => None,
    }
}
