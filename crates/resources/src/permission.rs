//! The permissions that the deployer's role needs for a stack, and the conditions under which they are enough.

use serde_json::{Value, json};

use crate::stack::{DNS_SUFFIX, MANAGED_BY, MANAGED_BY_TAG, STACK_TAG, Stack};

/// Calls that the deployer makes, for its least-privilege IAM policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The IAM actions, such as `logs:CreateLogGroup`.
    pub actions: Vec<&'static str>,
    /// The ARNs that the actions apply to, with wildcards if AWS supports nothing narrower.
    pub resources: Vec<String>,
    /// When the calls are allowed.
    pub condition: Condition,
}

/// When calls are allowed. Which of them IAM knows for an action is in the Service Authorization Reference; the suite
/// `policy` checks each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Always: the calls only read, or IAM knows no condition that would help.
    Always,
    /// If the resource carries the stack's tags. For resources whose identifiers AWS assigns.
    Ours,
    /// If the resource does not carry the tags of another stack. For resources that are named after the stack: those that
    /// do not exist yet have no tags, nor have those that are adopted.
    Named,
    /// If the request puts the stack's tags on what it creates or tags.
    Tagged,
    /// Like [`Condition::Tagged`], if the resource is of no stack yet. For calls that tag what they create, and are
    /// authorized like calls that tag what exists.
    FirstTagged,
    /// Like [`Condition::Named`], and if the role has the stack's permissions boundary, should the configuration name one.
    /// For calls that give a role rights.
    NamedInBoundary,
    /// Like [`Condition::Tagged`], and if the request puts the stack's permissions boundary on the role.
    TaggedInBoundary,
    /// Like [`Condition::Tagged`], as a part of this call to EC2, which creates the resource.
    TaggedBy(&'static str),
    /// If the resource is one that the stacks of an account share: it carries the tag of this program. For what has a name
    /// of its own among all stacks.
    Shared,
    /// If the request puts the tag of this program on what the stacks share.
    SharedTagged,
    /// Like [`Condition::SharedTagged`], and if the request puts the stack's permissions boundary on the role, should the
    /// configuration name one.
    SharedTaggedInBoundary,
    /// Like [`Condition::Shared`], and if the role has the stack's permissions boundary, should the configuration name one.
    SharedInBoundary,
    /// If EC2 makes the call for the caller.
    ThroughEc2,
    /// Like [`Condition::ThroughEc2`], and if the grant is for a service of AWS.
    GrantToEc2,
    /// If the role is passed to this service.
    PassedTo(&'static str),
    /// If the keys of the items begin with this.
    OfItems(&'static str),
}

impl Permission {
    /// Returns the permission for these calls, without a condition.
    pub fn new(actions: &[&'static str], resources: Vec<String>) -> Self {
        Self { actions: actions.to_vec(), resources, condition: Condition::Always }
    }

    /// Returns the permission for calls that apply to no resource in particular, or to all.
    pub fn anywhere(actions: &[&'static str]) -> Self {
        Self::new(actions, vec!["*".to_owned()])
    }

    /// Returns the permission under a condition.
    pub fn only(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }
}

impl Condition {
    /// Returns the condition without its part about the permissions boundary if the configuration names none, so that those
    /// that are the same then are equal.
    #[must_use]
    pub fn simplified(self, stack: &Stack) -> Self {
        match self {
            _ if stack.config.stack.permissions_boundary.is_some() => self,
            Self::NamedInBoundary => Self::Named,
            Self::TaggedInBoundary => Self::Tagged,
            Self::SharedInBoundary => Self::Shared,
            Self::SharedTaggedInBoundary => Self::SharedTagged,
            other => other,
        }
    }

    /// Returns the condition as IAM reads it; `None` for [`Condition::Always`]. The stack's name may be a pattern.
    pub fn to_json(self, stack: &Stack) -> Option<Value> {
        let name = stack.name();
        let operator = if name.contains('*') { "StringLike" } else { "StringEquals" };
        let (of_resource, of_request) = (format!("aws:ResourceTag/{STACK_TAG}"), format!("aws:RequestTag/{STACK_TAG}"));
        Some(match self {
            Self::Always => return None,
            Self::Ours => json!({ operator: { of_resource: name } }),
            Self::Named => json!({ format!("{operator}IfExists"): { of_resource: name } }),
            Self::Tagged => json!({ operator: { of_request: name } }),
            Self::FirstTagged => json!({ operator: { of_request: name }, "Null": { of_resource: "true" } }),
            Self::TaggedBy(call) => json!({ operator: { of_request: name, "ec2:CreateAction": call } }),
            Self::NamedInBoundary => return Self::Named.to_json(stack).map(|condition| in_boundary(condition, stack)),
            Self::TaggedInBoundary => {
                return Self::Tagged.to_json(stack).map(|condition| in_boundary(condition, stack));
            }
            Self::Shared => json!({ "StringEquals": { format!("aws:ResourceTag/{MANAGED_BY_TAG}"): MANAGED_BY } }),
            Self::SharedTagged => {
                json!({ "StringEquals": { format!("aws:RequestTag/{MANAGED_BY_TAG}"): MANAGED_BY } })
            }
            Self::SharedTaggedInBoundary => {
                return Self::SharedTagged.to_json(stack).map(|condition| in_boundary(condition, stack));
            }
            Self::SharedInBoundary => {
                return Self::Shared.to_json(stack).map(|condition| in_boundary(condition, stack));
            }
            Self::ThroughEc2 => json!({ "StringEquals": { "kms:ViaService": ec2(stack) } }),
            Self::GrantToEc2 => json!({
                "StringEquals": { "kms:ViaService": ec2(stack) },
                "Bool": { "kms:GrantIsForAWSResource": "true" },
            }),
            Self::PassedTo(service) => json!({ "StringEquals": { "iam:PassedToService": service } }),
            Self::OfItems(prefix) => {
                json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": format!("{prefix}*") } })
            }
        })
    }
}

/// Returns the name of EC2 in the stack's region, as KMS knows it.
fn ec2(stack: &Stack) -> String {
    format!("ec2.{}.{}", stack.clients.region, DNS_SUFFIX)
}

/// Returns the condition with the permissions boundary, if the configuration names one.
fn in_boundary(mut condition: Value, stack: &Stack) -> Value {
    if let (Some(boundary), Some(operators)) = (&stack.config.stack.permissions_boundary, condition.as_object_mut()) {
        let equals = operators.entry("StringEquals").or_insert_with(|| json!({}));
        if let Some(keys) = equals.as_object_mut() {
            keys.insert("iam:PermissionsBoundary".to_owned(), json!(boundary));
        }
    }
    condition
}
