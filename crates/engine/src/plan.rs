//! What has to be done, as plain data. Planning is pure: it works on what was observed and makes no calls.

use std::collections::BTreeSet;

use serde::Serialize;

use super::diff::{self, Changes, DIGEST_TAG, ExpiryChange, FieldChange};
use super::value::{Field, Ownership};
use super::{Action, Address, Graph, Live, Observation, Outputs, Resource, Tags, digest};

/// What is done to one resource, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The resource.
    pub address: Address,
    /// What is done to it.
    pub action: Action,
    /// The differences between actual and desired state.
    pub changes: Changes,
    /// Why it cannot be changed in place, if it is replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replace_because: Vec<String>,
    /// Whether it is adopted: until now it was not managed by the stack.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

impl Step {
    /// Returns whether the step changes nothing but the expiry.
    pub fn is_expiry_change(&self) -> bool {
        self.action == Action::Update && !self.changes.is_empty() && self.changes.iter().all(FieldChange::is_expiry)
    }

    /// Returns whether the step changes nothing but the expiry, and shortens nothing's life.
    pub fn is_renewal(&self) -> bool {
        let changes = || self.changes.iter().filter_map(FieldChange::expiry_change);
        self.is_expiry_change() && changes().all(ExpiryChange::is_harmless)
    }
}

/// A resource that has one of the stack's names and is in the way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflict {
    /// The resource that would have this name.
    pub address: Address,
    /// The identifier of the resource that has it.
    pub id: String,
    /// What was found instead of the stack's tags, or why it cannot become what the configuration describes.
    pub reason: String,
    /// Whether adopting it resolves the conflict.
    pub adoptable: bool,
}

/// Everything that has to be done to a stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The resources of the stack, each after its dependencies, without those that neither exist nor are enabled. When
    /// the stack is destroyed, the resources that exist.
    pub steps: Vec<Step>,
    /// Unmanaged resources that are in the way. A plan with conflicts is not applied.
    pub conflicts: Vec<Conflict>,
}

impl Plan {
    /// Returns the steps that do something.
    pub fn pending(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action != Action::NoChange)
    }

    /// Returns whether the plan does nothing.
    pub fn is_empty(&self) -> bool {
        self.pending().next().is_none()
    }

    /// Returns the number of steps with this action.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

/// How a plan is made.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The tags that every resource carries, without the digest.
    pub tags: Tags,
    /// The resources to adopt although they do not carry the stack's tags. All others like that are conflicts.
    pub adopt: BTreeSet<Address>,
}

/// Plans to bring everything to the desired state.
pub fn plan(graph: &Graph, observation: &Observation, options: &PlanOptions) -> Plan {
    let mut outputs = Outputs::default();
    let mut plan = Plan::default();
    for resource in graph.order().iter().filter_map(|address| graph.resource(address)) {
        let live = observation.get(resource.address());
        if live.is_none() && !resource.enabled() {
            continue;
        }
        if let Some(conflict) = live.and_then(|live| conflict(resource.as_ref(), live, &options.adopt)) {
            plan.conflicts.push(conflict);
            continue;
        }
        let visible = outputs.only(graph.dependencies(resource.address()));
        let step = plan_step(resource.as_ref(), live, &visible, options);
        if let Some(conflict) = live.and_then(|live| refusal(resource.as_ref(), live, &step)) {
            plan.conflicts.push(conflict);
            continue;
        }
        if let (Action::NoChange | Action::Update, Some(live)) = (step.action, live) {
            outputs.insert(step.address.clone(), live.outputs.clone());
        }
        plan.steps.push(step);
    }
    plan
}

/// Plans to delete everything that the stack manages. Unmanaged resources with its names are kept and listed as
/// conflicts.
pub fn plan_destroy(graph: &Graph, observation: &Observation) -> Plan {
    let mut plan = Plan::default();
    for resource in graph.order().iter().filter_map(|address| graph.resource(address)) {
        let Some(live) = observation.get(resource.address()) else { continue };
        match conflict(resource.as_ref(), live, &BTreeSet::new()) {
            Some(conflict) => plan.conflicts.push(conflict),
            None => plan.steps.push(step(resource.address(), Action::Delete, Changes::default())),
        }
    }
    plan
}

/// Returns the desired tags of one resource: those of the stack, if it can carry tags, and its digest, if all its
/// fields are known.
pub fn tags_of(resource: &dyn Resource, outputs: &Outputs, tags: &Tags) -> Tags {
    let mut wanted = if resource.taggable() { tags.clone() } else { Tags::new() };
    if let Some(digest) = digest::encode(&resource.desired(outputs)) {
        wanted.insert(DIGEST_TAG.to_owned(), digest);
    }
    wanted
}

/// Plans one resource with the outputs known so far. The apply calls this again when all outputs are known.
pub fn plan_step(resource: &dyn Resource, live: Option<&Live>, outputs: &Outputs, options: &PlanOptions) -> Step {
    let address = resource.address();
    let Some(live) = live else {
        return if resource.enabled() {
            step(address, Action::Create, diff::creation(&resource.desired(outputs)))
        } else {
            step(address, Action::NoChange, Changes::default())
        };
    };
    if !resource.enabled() {
        return step(address, Action::Delete, Changes::default());
    }
    let fields = resource.desired(outputs);
    let changes = diff::compare(live, &fields, &tags_of(resource, outputs, &options.tags));
    let replace_because: Vec<String> = resource
        .replace_on()
        .iter()
        .filter(|(field, _)| changes.has(*field) && !matches!(fields.field(*field), Some(Field::Unknown)))
        .map(|(field, reason)| format!("{field}: {reason}"))
        .collect();
    let action = match (changes.is_empty(), replace_because.is_empty()) {
        (true, _) => Action::NoChange,
        (false, true) => Action::Update,
        (false, false) => Action::Replace,
    };
    let adopted = live.ownership != Ownership::Ours;
    Step { replace_because, adopted, ..step(address, action, changes) }
}

fn step(address: &Address, action: Action, changes: Changes) -> Step {
    Step { address: address.clone(), action, changes, replace_because: Vec::new(), adopted: false }
}

/// Returns the conflict that an unmanaged resource is, unless it is to be adopted.
fn conflict(resource: &dyn Resource, live: &Live, adopt: &BTreeSet<Address>) -> Option<Conflict> {
    let (reason, adoptable) = match &live.ownership {
        Ownership::Ours => return None,
        Ownership::Foreign(reason) => (reason, true),
        Ownership::OutOfReach(reason) => (reason, false),
    };
    let (address, id) = (resource.address().clone(), live.id.clone());
    let resolved = adoptable && adopt.contains(&address);
    (!resolved).then(|| Conflict { address, id, reason: reason.clone(), adoptable })
}

/// Returns the conflict that a resource is which differs in a field that can never be changed.
fn refusal(resource: &dyn Resource, live: &Live, step: &Step) -> Option<Conflict> {
    let (field, reason) = resource.refuse_on().iter().find(|(field, _)| step.changes.has(*field))?;
    let (address, id) = (resource.address().clone(), live.id.clone());
    Some(Conflict { address, id, reason: format!("{field}: {reason}"), adoptable: false })
}
