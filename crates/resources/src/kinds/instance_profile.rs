//! The instance profile, through which the signaling host assumes its role.

mod search;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use serde_json::Value;

use super::iam_role::{self, ABSENT, EXISTS};
use super::{Kind, exchange_tags};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::retry::{Schedule, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs, Progress,
    Resource, ResourceError, SharedReads, Tags, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Profiles) };
const NAME: &str = "instance_profile";

/// The name of the role in the profile.
const ROLE: FieldName = FieldName::new("role");

/// Returns the address of the profile. Its outputs are `name`, `arn` and the `id` that IAM has given it.
pub fn address() -> Address {
    Address::new(NAME, "signal")
}

struct Profile {
    stack: Arc<Stack>,
    address: Address,
    /// The name of the profile and of the role in it.
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Profile { stack: stack.clone(), address: address(), name: stack.role("signal") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let profile = || vec![stack.iam_arn(&format!("instance-profile/{}", stack.role("signal")))];
    vec![
        Permission::new(&["iam:GetInstanceProfile"], profile()),
        Permission::new(&["iam:CreateInstanceProfile"], profile()).only(Condition::Tagged),
        Permission::new(
            &[
                "iam:AddRoleToInstanceProfile",
                "iam:DeleteInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
                "iam:TagInstanceProfile",
                "iam:UntagInstanceProfile",
            ],
            profile(),
        )
        .only(Condition::Named),
        // Adding a role to a profile requires permission to pass it.
        iam_role::passing(stack, "signal"),
    ]
}

#[async_trait]
impl Resource for Profile {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("instance-profile-after-iam-role", vec![iam_role::address("signal")])
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let answer = self.stack.clients.iam.get_instance_profile().instance_profile_name(&self.name).send().await;
        let answer = answer.found(ABSENT, "failed to read the instance profile")?;
        let Some(profile) = answer.and_then(|answer| answer.instance_profile) else { return Ok(None) };
        let tags: Tags = profile.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
        let role = profile.roles.first().map(|role| role.role_name.clone());
        Ok(Some(Live {
            id: self.name.clone(),
            fields: LiveFields::new().with(ROLE, role),
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: self.outputs(&profile.instance_profile_id),
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new().with(ROLE, self.name.as_str())
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the instance profile";
        let tags = sdk_tags!(try Tag, context.tags).context(SUMMARY)?;
        let call = self.stack.clients.iam.create_instance_profile().instance_profile_name(&self.name);
        let answer = call.set_tags(Some(tags)).send().await;
        // It exists if the response to an earlier attempt was lost; observe has ruled out an unmanaged one.
        let created = answer.found(rule!("instance-profile-create-survives-lost-answer", EXISTS), SUMMARY)?;
        self.add_role(context.progress).await?;
        let id = match created.and_then(|answer| answer.instance_profile) {
            Some(profile) => profile.instance_profile_id,
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
        if changes.has(ROLE) {
            if let Some(LiveField::Known(Value::String(other))) = live.fields.field(ROLE) {
                self.remove_role(other).await?;
            }
            self.add_role(context.progress).await?;
        }
        let iam = &self.stack.clients.iam;
        let remove = |keys| async {
            let call = iam.untag_instance_profile().instance_profile_name(&self.name).set_tag_keys(Some(keys));
            call.send().await.context("failed to remove tags of the instance profile").map(|_| ())
        };
        let put = async {
            let tags = sdk_tags!(try Tag, context.tags).context("failed to tag the instance profile")?;
            let call = iam.tag_instance_profile().instance_profile_name(&self.name).set_tags(Some(tags));
            call.send().await.context("failed to tag the instance profile").map(|_| ())
        };
        exchange_tags(changes, remove, put).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        if let Some(LiveField::Known(Value::String(role))) = live.fields.field(ROLE) {
            rule!("instance-profile-emptied-before-delete" => {
                self.remove_role(role).await?;
            });
        }
        let call = self.stack.clients.iam.delete_instance_profile().instance_profile_name(&live.id);
        let absent = rule!("instance-profile-delete-survives-absence", ABSENT);
        call.send().await.found(absent, "failed to delete the instance profile").map(|_| ())
    }
}

impl Profile {
    fn outputs(&self, id: &str) -> OutputMap {
        let arn = self.stack.iam_arn(&format!("instance-profile/{}", self.name));
        OutputMap::new().with("name", &self.name).with("arn", arn).with("id", id)
    }

    async fn id(&self, progress: &Progress) -> Result<String, ResourceError> {
        let is_transient = |error: &ResourceError| error.is(ABSENT);
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.iam.get_instance_profile().instance_profile_name(&self.name);
            let profile = call.send().await.context("failed to read the instance profile")?.instance_profile;
            Ok(profile.map(|profile| profile.instance_profile_id).unwrap_or_default())
        })
        .await
    }

    async fn add_role(&self, progress: &Progress) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to add the role to the instance profile";
        // The next call may not find a new role or profile.
        let is_transient = |error: &ResourceError| rule!("instance-profile-visible-to-role", error.is(ABSENT));
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.iam.add_role_to_instance_profile().instance_profile_name(&self.name);
            // A profile holds one role, so a repeated call fails because it is full.
            let answer = call.role_name(&self.name).send().await;
            let full: &[&str] =
                rule!("instance-profile-role-survives-lost-answer", &["LimitExceeded", "LimitExceededException"]);
            answer.found(full, SUMMARY).map(|_| ())
        })
        .await
    }

    async fn remove_role(&self, role: &str) -> Result<(), ResourceError> {
        let call = self.stack.clients.iam.remove_role_from_instance_profile().instance_profile_name(&self.name);
        let answer = call.role_name(role).send().await;
        answer.found(ABSENT, "failed to remove the role from the instance profile").map(|_| ())
    }
}
