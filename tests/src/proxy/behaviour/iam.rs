//! Roles and instance profiles: they take time to propagate, and cannot be deleted while in use.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use super::{Behave, Moments, Propagation, last_part};
use crate::proxy::call::{Answer, Call, between, elements};
use crate::proxy::lock;

/// Lambda's view of roles.
pub(super) struct RoleNotAssumable {
    time: Duration,
    created: Mutex<Propagation>,
}

impl RoleNotAssumable {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, created: Mutex::default() }
    }
}

impl Behave for RoleNotAssumable {
    fn before(&self, call: &Call) -> Option<Answer> {
        if call.service != "lambda" || !["CreateFunction", "UpdateFunctionConfiguration"].contains(&&*call.operation) {
            return None;
        }
        let role = call.json_text("Role")?;
        if lock(&self.created).is_known(last_part(&role), self.time) {
            return None;
        }
        let message = "The role defined for the function cannot be assumed by Lambda.";
        Some(Answer::error(call, 400, "InvalidParameterValueException", message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        let Some(role) = call.parameter("RoleName").filter(|_| answer.ok() && call.service == "iam") else { return };
        match call.operation.as_str() {
            "CreateRole" => lock(&self.created).made.set(role),
            "DeleteRole" => lock(&self.created).made.forget(&role),
            _ => {}
        }
    }
}

/// EC2's view of instance profiles.
pub(super) struct InvalidInstanceProfile {
    time: Duration,
    with_role: Mutex<Propagation>,
    /// The instance that has no profile, and whether it got one meanwhile.
    without: Mutex<Option<(String, bool)>>,
}

impl InvalidInstanceProfile {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, with_role: Mutex::default(), without: Mutex::default() }
    }

    /// Hides the profile of the first instance until it is given once more.
    fn hide(&self, call: &Call, answer: &mut Answer) {
        let mut without = lock(&self.without);
        match call.operation.as_str() {
            "RunInstances" if without.is_none() => {
                *without = elements(&answer.text(), "instanceId").first().map(|id| ((*id).to_owned(), false));
            }
            "AssociateIamInstanceProfile" => {
                if let Some((_, given)) = without.as_mut() {
                    *given = true;
                }
            }
            _ => {}
        }
        let Some((id, false)) = &*without else { return };
        let text = answer.text();
        const ASSOCIATIONS: &str = "iamInstanceProfileAssociationSet";
        let associations = between(&text, &format!("<{ASSOCIATIONS}>"), &format!("</{ASSOCIATIONS}>"));
        if let Some(associations) = associations.filter(|all| all.contains(&format!("<instanceId>{id}<"))) {
            return answer.set_body(text.replace(associations, ""));
        }
        if let Some((before, after)) = text.split_once(&format!("<instanceId>{id}<"))
            && let Some((between, rest)) = after.split_once("<iamInstanceProfile>")
            && let Some((_, rest)) = rest.split_once("</iamInstanceProfile>")
        {
            answer.set_body(format!("{before}<instanceId>{id}<{between}{rest}"));
        }
    }
}

impl Behave for InvalidInstanceProfile {
    fn before(&self, call: &Call) -> Option<Answer> {
        if !call.is("ec2", "RunInstances") {
            return None;
        }
        let (name, arn) = ("IamInstanceProfile.Name", "IamInstanceProfile.Arn");
        let profile = call.parameter(name).or_else(|| call.parameter(arn))?;
        if lock(&self.with_role).is_known(last_part(&profile), self.time) {
            return None;
        }
        let message = format!(
            "Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        );
        Some(Answer::error(call, 400, "InvalidParameterValue", &message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.service == "ec2" && answer.ok() {
            self.hide(call, answer);
        }
        let Some(profile) = call.parameter("InstanceProfileName").filter(|_| answer.ok()) else { return };
        match call.operation.as_str() {
            "AddRoleToInstanceProfile" => lock(&self.with_role).made.set(profile),
            "RemoveRoleFromInstanceProfile" | "DeleteInstanceProfile" => lock(&self.with_role).made.forget(&profile),
            _ => {}
        }
    }
}

/// The attachments that prevent deletion.
#[derive(Default)]
struct Attached {
    /// Policies of a role, and profiles with it.
    of_role: HashMap<String, HashSet<String>>,
    /// Roles in a profile.
    of_profile: HashMap<String, HashSet<String>>,
    /// When a role last lost a policy.
    taken_off: Moments,
}

/// Refuses to delete what is still in use.
pub(super) struct DeleteConflict {
    time: Duration,
    attached: Mutex<Attached>,
}

impl DeleteConflict {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, attached: Mutex::default() }
    }
}

impl Behave for DeleteConflict {
    fn before(&self, call: &Call) -> Option<Answer> {
        let attached = lock(&self.attached);
        let role = call.parameter("RoleName").filter(|_| call.is("iam", "DeleteRole"));
        if role.is_some_and(|role| attached.taken_off.within(&role, self.time)) {
            return Some(Answer::error(
                call,
                409,
                "DeleteConflict",
                "Cannot delete entity, must delete policies first.",
            ));
        }
        let in_use = match call.operation.as_str() {
            "DeleteRole" => attached.of_role.get(&call.parameter("RoleName")?),
            "DeleteInstanceProfile" => attached.of_profile.get(&call.parameter("InstanceProfileName")?),
            _ => None,
        };
        let first = in_use?.iter().next()?;
        let message = format!("Cannot delete entity, must detach or remove {first} first.");
        Some(Answer::error(call, 409, "DeleteConflict", &message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if !answer.ok() || call.service != "iam" {
            return;
        }
        let role = call.parameter("RoleName").unwrap_or_default();
        let policy = call.parameter("PolicyName").or_else(|| call.parameter("PolicyArn"));
        let profile = call.parameter("InstanceProfileName");
        let mut attached = lock(&self.attached);
        match (call.operation.as_str(), policy, profile) {
            ("PutRolePolicy" | "AttachRolePolicy", Some(policy), _) => {
                attached.of_role.entry(role).or_default().insert(policy);
            }
            ("DeleteRolePolicy" | "DetachRolePolicy", Some(policy), _) => {
                attached.taken_off.set(role.clone());
                attached.of_role.entry(role).or_default().remove(&policy);
            }
            ("AddRoleToInstanceProfile", _, Some(profile)) => {
                attached.of_role.entry(role.clone()).or_default().insert(profile.clone());
                attached.of_profile.entry(profile).or_default().insert(role);
            }
            ("RemoveRoleFromInstanceProfile", _, Some(profile)) => {
                attached.of_role.entry(role.clone()).or_default().remove(&profile);
                attached.of_profile.entry(profile).or_default().remove(&role);
            }
            _ => {}
        }
    }
}
