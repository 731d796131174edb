//! The IAM roles: one for each function and one for the signaling host. Each has one inline policy with the permissions it
//! needs. Others are left alone, because an organisation may attach its own to every role; they are taken off only when the
//! role is deleted. One more role, `gateway`, is no longer wanted: earlier versions made it for the log of the API, for which
//! the stacks of a region now share one (`api_account`).
//!
//! A permissions boundary that the configuration does not name is compared only if the stack has set it: it gives a role
//! no rights, and an organisation may require its own.
//!
//! A new role takes a while to propagate; the resources that use it wait for that.
//!
//! Rights that a change takes away stay until nothing uses them any more (`former`).

mod access;
pub(super) mod documents;
mod former;
mod search;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use serde_json::Value;

pub use self::access::{Access, function_permissions};
use super::{Kind, exchange_tags};
use crate::permission::{Condition, Permission};
use crate::stack::{FUNCTIONS, Stack};
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Ownership, Progress,
    Resource, ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Roles) };
const NAME: &str = "iam_role";

/// The document that says who may assume the role.
const TRUST: FieldName = FieldName::new("trust");
/// The document of our policy of the role.
const DOCUMENT: FieldName = FieldName::new("policy");

/// The ARN of the permissions boundary. Absent if the configuration names none.
const BOUNDARY: FieldName = FieldName::new("permissions_boundary");

/// The name of our policy of each role.
pub(super) const POLICY: &str = "peersync";
/// The error codes for something that does not exist.
pub(super) const ABSENT: &[&str] = &["NoSuchEntity", "NoSuchEntityException"];
/// The error codes for something that already exists.
pub(super) const EXISTS: &[&str] = &["EntityAlreadyExists", "EntityAlreadyExistsException"];

/// The error codes for a role that still has a policy.
pub(super) const IN_USE: &[&str] = &["DeleteConflict", "DeleteConflictException"];
/// API Gateway, as the service that assumes a role.
pub(super) const API_GATEWAY: &str = "apigateway.amazonaws.com";
/// The part of the role that earlier versions made for the log of the API.
const EARLIER: &str = "gateway";

/// Returns the address of a role; `part` is a function's name, `signal` or `gateway`. Its outputs are `name`, `arn` and the
/// `id` that IAM has given it.
pub fn address(part: &str) -> Address {
    Address::new(NAME, part)
}

/// Returns the ARN of a role, which is known before the role exists.
pub fn role_arn(stack: &Stack, part: &str) -> String {
    stack.iam_arn(&format!("role/{}", stack.role(part)))
}

struct Role {
    stack: Arc<Stack>,
    address: Address,
    name: String,
    /// The service that may assume the role.
    service: &'static str,
    policy: Value,
}

fn parts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let functions = FUNCTIONS.into_iter().map(|function| (function, "lambda.amazonaws.com"));
    functions.chain([("signal", "ec2.amazonaws.com"), (EARLIER, API_GATEWAY)])
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let resource = |(part, service)| {
        let policy = match part {
            "signal" => documents::of_host(stack),
            EARLIER => documents::of_gateway(),
            function => documents::of_function(stack, function),
        };
        let (address, name) = (address(part), stack.role(part));
        Arc::new(Role { stack: stack.clone(), address, name, service, policy }) as Arc<dyn Resource>
    };
    parts().map(resource).collect()
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let roles: Vec<String> = parts().map(|(part, _)| role_arn(stack, part)).collect();
    vec![
        Permission::new(
            &["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
            roles.clone(),
        ),
        Permission::new(&["iam:CreateRole"], roles.clone()).only(Condition::TaggedInBoundary),
        Permission::new(&["iam:PutRolePolicy", boundary_call(stack)], roles.clone()).only(Condition::NamedInBoundary),
        Permission::new(
            &[
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
            ],
            roles,
        )
        .only(Condition::Named),
    ]
}

/// Returns the call that brings the permissions boundary to what the configuration says. Whoever works under one may not
/// take it off.
fn boundary_call(stack: &Stack) -> &'static str {
    match stack.config.stack.permissions_boundary {
        Some(_) => "iam:PutRolePermissionsBoundary",
        None => "iam:DeleteRolePermissionsBoundary",
    }
}

/// Returns the permission to give a role to the service that assumes it.
pub(super) fn passing(stack: &Stack, wanted: &str) -> Permission {
    let service = parts().find(|(part, _)| *part == wanted).map_or("", |(_, service)| service);
    Permission::new(&["iam:PassRole"], vec![role_arn(stack, wanted)]).only(Condition::PassedTo(service))
}

#[async_trait]
impl Resource for Role {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    fn enabled(&self) -> bool {
        self.address.name != EARLIER
    }

    /// Whatever has the role goes on by the way in of before until the new one serves.
    fn keeps_former(&self, changes: &Changes) -> bool {
        rule!("former-rights-removed-after-use", self.beside_former(changes).is_some())
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let iam = &self.stack.clients.iam;
        let role = iam.get_role().role_name(&self.name).send().await;
        let role = role.found(ABSENT, "failed to read the role")?.and_then(|answer| answer.role);
        let Some(role) = role else { return Ok(None) };
        let policy = iam.get_role_policy().role_name(&self.name).policy_name(POLICY).send().await;
        let policy = policy.found(ABSENT, "failed to read the policy of the role")?;
        let policy = policy.map_or(Value::Null, |answer| documents::parse(&answer.policy_document));
        let trust = role.assume_role_policy_document.as_deref().map_or(Value::Null, documents::parse);
        let boundary = role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
        let boundary = boundary.map(|arn| (BOUNDARY.to_string(), arn.into()));
        let mut fields = LiveFields::new().with(TRUST, trust).with(DOCUMENT, policy);
        fields.extend(boundary);
        let tags: Tags = role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
        Ok(Some(Live {
            id: self.name.clone(),
            fields,
            ownership: self.ownership(&role.path, &tags),
            tags: Some(tags),
            outputs: self.outputs(&role.role_id),
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let fields = Fields::new().with(TRUST, documents::trust(self.service)).with(DOCUMENT, self.policy.clone());
        match self.boundary() {
            Some(boundary) => fields.with(BOUNDARY, boundary),
            None => fields,
        }
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the role";
        let tags = sdk_tags!(try Tag, context.tags).context(SUMMARY)?;
        let call = self.stack.clients.iam.create_role().role_name(&self.name).set_tags(Some(tags));
        let call = call.assume_role_policy_document(documents::trust(self.service).to_string());
        let call = call.set_permissions_boundary(self.boundary().map(str::to_owned));
        let answer = call.description(self.stack.mark()).send().await;
        // It exists if the response to an earlier attempt was lost; observe has ruled out an unmanaged one.
        let created = answer.found(rule!("iam-role-create-survives-lost-answer", EXISTS), SUMMARY)?;
        self.put_policy(context.progress, &self.policy).await?;
        let id = match created.and_then(|answer| answer.role) {
            Some(role) => role.role_id,
            None => self.id(context.progress).await?,
        };
        Ok(self.outputs(&id))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let iam = &self.stack.clients.iam;
        if changes.has(BOUNDARY) {
            // Before the policies, which the caller may write only within the boundary.
            self.set_boundary().await?;
        }
        if changes.has(TRUST) {
            let document = documents::trust(self.service).to_string();
            let call = iam.update_assume_role_policy().role_name(&self.name).policy_document(document);
            call.send().await.context("failed to change who may assume the role")?;
        }
        if !self.keeps_former(changes) {
            self.finish(context, live, changes).await?;
        } else if let Some(both) = self.beside_former(changes).filter(|both| policy_before(changes) != Some(both)) {
            self.put_policy(context.progress, &both).await?;
        }
        Ok(live.outputs.clone())
    }

    async fn finish(&self, context: &ApplyContext<'_>, _: &Live, changes: &Changes) -> Result<(), ResourceError> {
        let iam = &self.stack.clients.iam;
        if changes.has(DOCUMENT) {
            self.put_policy(context.progress, &self.policy).await?;
        }
        let remove = |keys| async {
            let call = iam.untag_role().role_name(&self.name).set_tag_keys(Some(keys));
            call.send().await.context("failed to remove tags of the role").map(|_| ())
        };
        let put = async {
            let tags = sdk_tags!(try Tag, context.tags).context("failed to tag the role")?;
            let call = iam.tag_role().role_name(&self.name).set_tags(Some(tags));
            call.send().await.context("failed to tag the role").map(|_| ())
        };
        exchange_tags(changes, remove, put).await
    }

    async fn delete(&self, progress: &Progress, _: &Live) -> Result<(), ResourceError> {
        rule!("iam-role-detached-before-delete" => {
            self.take_off(progress).await?;
        });
        // The removal of the policies takes a while to propagate.
        let is_transient = |error: &ResourceError| rule!("iam-role-detaching-takes-time", error.is(IN_USE));
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            let answer = self.stack.clients.iam.delete_role().role_name(&self.name).send().await;
            let absent = rule!("iam-role-delete-survives-absence", ABSENT);
            answer.found(absent, "failed to delete the role").map(|_| ())
        })
        .await
    }
}

impl Role {
    /// A role with a path has another ARN than the stack's, and keeps it.
    fn ownership(&self, path: &str, tags: &Tags) -> Ownership {
        match self.stack.ownership(tags) {
            Ownership::Foreign(_) if path.len() > 1 => {
                Ownership::OutOfReach(format!("it has the path {path}, and the path of a role cannot be changed"))
            }
            ownership => ownership,
        }
    }

    fn outputs(&self, id: &str) -> OutputMap {
        let arn = role_arn(&self.stack, &self.address.name);
        OutputMap::new().with("name", &self.name).with("arn", arn).with("id", id)
    }

    /// Reads the id that IAM has given the role. One that is created again under the same name has another.
    async fn id(&self, progress: &Progress) -> Result<String, ResourceError> {
        let is_transient = |error: &ResourceError| error.is(ABSENT);
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            let answer = self.stack.clients.iam.get_role().role_name(&self.name).send().await;
            let role = answer.context("failed to read the role")?.role;
            Ok(role.map(|role| role.role_id).unwrap_or_default())
        })
        .await
    }

    async fn put_policy(&self, progress: &Progress, policy: &Value) -> Result<(), ResourceError> {
        // The next call may not find a new role.
        let is_transient = |error: &ResourceError| rule!("iam-role-visible-to-policy", error.is(ABSENT));
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.iam.put_role_policy().role_name(&self.name).policy_name(POLICY);
            let call = call.policy_document(policy.to_string());
            call.send().await.context("failed to set the policy of the role").map(|_| ())
        })
        .await
    }

    /// Returns the policy with the rights of before beside the new ones; `None` if there were no others.
    fn beside_former(&self, changes: &Changes) -> Option<Value> {
        former::beside(&self.stack, &self.policy, policy_before(changes)?)
    }

    /// Returns the ARN of the boundary that the configuration names.
    fn boundary(&self) -> Option<&str> {
        self.stack.config.stack.permissions_boundary.as_deref()
    }

    async fn set_boundary(&self) -> Result<(), ResourceError> {
        let iam = &self.stack.clients.iam;
        let Some(boundary) = self.boundary() else {
            let answer = iam.delete_role_permissions_boundary().role_name(&self.name).send().await;
            return answer.found(ABSENT, "failed to remove the permissions boundary of the role").map(|_| ());
        };
        let call = iam.put_role_permissions_boundary().role_name(&self.name).permissions_boundary(boundary);
        call.send().await.context("failed to set the permissions boundary of the role").map(|_| ())
    }

    /// Returns the ARNs of the managed policies that are attached to the role.
    async fn attached(&self) -> Result<Vec<String>, ResourceError> {
        let call = self.stack.clients.iam.list_attached_role_policies().role_name(&self.name);
        let policies = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let policies = policies.found(ABSENT, "failed to list the policies of the role")?.unwrap_or_default();
        Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }

    /// Returns the names of the role's inline policies.
    async fn inline(&self) -> Result<Vec<String>, ResourceError> {
        let call = self.stack.clients.iam.list_role_policies().role_name(&self.name);
        let names = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        Ok(names.found(ABSENT, "failed to list the policies of the role")?.unwrap_or_default())
    }

    /// Detaches all managed policies and deletes all inline ones, those of others too: no role with a policy can be deleted.
    async fn take_off(&self, progress: &Progress) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to remove a policy from the role";
        let iam = &self.stack.clients.iam;
        let (attached, inline) = futures::try_join!(self.attached(), self.inline())?;
        for arn in attached {
            progress.waiting(format!("IAM to detach {arn}, which somebody else has attached"));
            let answer = iam.detach_role_policy().role_name(&self.name).policy_arn(arn).send().await;
            answer.found(ABSENT, SUMMARY)?;
        }
        for name in inline {
            if name != POLICY {
                progress.waiting(format!("IAM to delete the policy {name}, which somebody else has added"));
            }
            let answer = iam.delete_role_policy().role_name(&self.name).policy_name(name).send().await;
            answer.found(ABSENT, SUMMARY)?;
        }
        Ok(())
    }
}

/// Returns the policy of before, if it changes.
fn policy_before(changes: &Changes) -> Option<&Value> {
    changes.iter().find(|change| change.field == DOCUMENT.as_str()).map(|change| &change.old)
}
