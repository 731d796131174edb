//! Gives a host its instance profile.

use aws_sdk_ec2::types::{Filter, IamInstanceProfileSpecification, Instance};

use super::SignalInstance;
use crate::kinds::instance_profile;
use crate::stack::Stack;
use peersync_aws::{Context as _, retry};
use peersync_engine::{ApplyContext, Progress, ResourceError, rule};

impl SignalInstance {
    /// Attaches the profile once more if EC2 has given a new host an earlier one of the same name.
    pub(super) async fn renew_profile(
        &self,
        context: &ApplyContext<'_>,
        id: &str,
        running: &Instance,
    ) -> Result<(), ResourceError> {
        let wanted = context.outputs.require(&instance_profile::address(), "id")?;
        let attached = running.iam_instance_profile().and_then(|profile| profile.id());
        if attached.is_some_and(|attached| attached != wanted) {
            self.attach_profile(context, id).await
        } else {
            Ok(())
        }
    }

    /// Attaches the instance profile of the stack, in place of any other.
    pub(super) async fn attach_profile(&self, context: &ApplyContext<'_>, id: &str) -> Result<(), ResourceError> {
        let profile = context.outputs.require(&instance_profile::address(), "name")?;
        attach(&self.stack, context.progress, id, profile).await
    }
}

/// Attaches an instance profile to a host, in place of any other.
pub(super) async fn attach(stack: &Stack, progress: &Progress, id: &str, profile: &str) -> Result<(), ResourceError> {
    // EC2 may not know a new profile at first.
    retry::while_failing(progress, retry::Schedule::PROPAGATION, is_transient, || associate(stack, id, profile)).await
}

async fn associate(stack: &Stack, id: &str, profile: &str) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to attach the instance profile to the signaling host";
    let ec2 = &stack.clients.ec2;
    let filter = Filter::builder().name("instance-id").values(id).build();
    let found = ec2.describe_iam_instance_profile_associations().filters(filter).send().await.context(SUMMARY)?;
    let mut found = found.iam_instance_profile_associations.into_iter().flatten();
    let profile = IamInstanceProfileSpecification::builder().name(profile).build();
    match found.find_map(|association| association.association_id) {
        Some(association) => {
            let call = ec2.replace_iam_instance_profile_association().association_id(association);
            call.iam_instance_profile(profile).send().await.context(SUMMARY).map(|_| ())
        }
        None => {
            let call = ec2.associate_iam_instance_profile().instance_id(id).iam_instance_profile(profile);
            call.send().await.context(SUMMARY).map(|_| ())
        }
    }
}

/// Returns whether the error means that the role, the security group or the profile has not propagated yet.
pub(super) fn is_transient(error: &ResourceError) -> bool {
    let profile = error.causes().iter().any(|cause| cause.to_lowercase().contains("iam instance profile"));
    rule!("instance-profile-visible-to-launch", error.is(&["InvalidParameterValue"]) && profile)
        || rule!("security-group-visible-to-launch", error.is(&["InvalidGroup.NotFound", "InvalidGroupId.NotFound"]))
}
