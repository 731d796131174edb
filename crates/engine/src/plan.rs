//! What has to be done, as plain data. Planning is pure: it works on what was observed and makes no calls.

use std::collections::BTreeSet;

use serde::Serialize;

use super::diff::{self, Changes, DIGEST_TAG, ExpiryChange, FieldChange, RECORD_TAG, Reason};
use super::value::{Field, Ownership};
use super::{Action, Address, FieldName, Graph, Live, Observation, Outputs, Resource, Tags, digest, tag_record};

/// What is done to one resource, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The resource.
    pub address: Address,
    /// Its name or identifier in AWS, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
    /// The resources that are created or replaced before it, from which some of its changes follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub follows_from: Vec<Address>,
    /// The fields that were not compared, each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// The fields that matter most if it is created.
    #[serde(skip)]
    pub highlights: &'static [FieldName],
}

impl Step {
    /// Creates a step of which nothing else is known.
    pub fn new(address: Address, action: Action, changes: Changes) -> Self {
        Self {
            address,
            name: None,
            action,
            changes,
            replace_because: Vec::new(),
            adopted: false,
            follows_from: Vec::new(),
            not_compared: Vec::new(),
            highlights: &[],
        }
    }

    /// Returns whether the step changes nothing but the expiry.
    pub fn is_expiry_change(&self) -> bool {
        let mut shown = self.changes.shown().peekable();
        self.action == Action::Update && shown.peek().is_some() && shown.all(FieldChange::is_expiry)
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
        let mut step = plan_step(resource.as_ref(), live, &visible, options);
        if let Some(conflict) = live.and_then(|live| refusal(resource.as_ref(), live, &step)) {
            plan.conflicts.push(conflict);
            continue;
        }
        if step.changes.iter().any(|change| change.reason == Reason::Consequence) {
            let missing = graph.dependencies(resource.address()).filter(|address| !outputs.has(address));
            step.follows_from = missing.cloned().collect();
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
            None => plan.steps.push(step(resource.as_ref(), Some(live), Action::Delete, Changes::default())),
        }
    }
    plan
}

/// Returns the desired tags of one resource: those of the stack with their record, if it can carry tags, and its digest,
/// if all its fields are known.
pub fn tags_of(resource: &dyn Resource, outputs: &Outputs, tags: &Tags) -> Tags {
    let mut wanted = Tags::new();
    if resource.taggable() {
        wanted.clone_from(tags);
        wanted.insert(RECORD_TAG.to_owned(), tag_record::encode(tags));
    }
    if let Some(digest) = digest::encode(&resource.desired(outputs)) {
        wanted.insert(DIGEST_TAG.to_owned(), digest);
    }
    wanted
}

/// Plans one resource with the outputs known so far. The apply calls this again when all outputs are known.
pub fn plan_step(resource: &dyn Resource, live: Option<&Live>, outputs: &Outputs, options: &PlanOptions) -> Step {
    let Some(present) = live else {
        return if resource.enabled() {
            step(resource, live, Action::Create, diff::creation(&resource.desired(outputs)))
        } else {
            step(resource, live, Action::NoChange, Changes::default())
        };
    };
    if !resource.enabled() {
        return step(resource, live, Action::Delete, Changes::default());
    }
    let fields = resource.desired(outputs);
    let changes = diff::compare(present, &fields, &tags_of(resource, outputs, &options.tags));
    let replace_because: Vec<String> = resource
        .replace_on()
        .iter()
        .filter(|(field, _)| changes.has(*field) && !matches!(fields.field(*field), Some(Field::Unknown)))
        .map(|(field, reason)| format!("{field}: {reason}"))
        .chain(resource.outdated(present))
        .collect();
    let action = match (changes.is_empty(), replace_because.is_empty()) {
        (true, true) => Action::NoChange,
        (false, true) => Action::Update,
        (_, false) => Action::Replace,
    };
    let adopted = present.ownership != Ownership::Ours;
    let not_compared = diff::not_compared(&fields);
    Step { replace_because, adopted, not_compared, ..step(resource, live, action, changes) }
}

fn step(resource: &dyn Resource, live: Option<&Live>, action: Action, changes: Changes) -> Step {
    let name = resource.name().or_else(|| live.map(|live| live.id.clone()));
    let name = name.filter(|name| !name.is_empty());
    Step { name, highlights: resource.highlights(), ..Step::new(resource.address().clone(), action, changes) }
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
