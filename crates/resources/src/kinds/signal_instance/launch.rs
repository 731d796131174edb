//! Launches a signaling host and waits until it runs and has its role.

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification, Instance,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceStateName, InstanceType, ResourceType,
    SummaryStatus, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::{SystemTime, UNIX_EPOCH};

use super::instance::read;
use super::{GONE, IMAGE_TAG, USER_DATA_TAG, ec2, hash, is_alive, ready};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, retry};
use peersync_engine::{ApplyContext, Progress, ResourceError, Tags, rule};

/// AWS's public parameter that holds the id of the newest Amazon Linux 2023 image.
pub(super) const NEWEST_IMAGE_PARAMETER: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
/// The root device of Amazon Linux, for images that do not name theirs.
const ROOT_DEVICE: &str = "/dev/xvda";
/// The number of seconds for which a repeated request means the same host. It must be less than the hour for which EC2
/// returns terminated hosts: these are part of the token, so that a request after a `down` creates a new host.
const TOKEN_PERIOD: u64 = 600;

/// A request for a new host.
pub(super) struct LaunchRequest<'a> {
    pub(super) stack: &'a Stack,
    pub(super) context: &'a ApplyContext<'a>,
    pub(super) user_data: String,
    pub(super) user_data_hash: String,
    pub(super) group: &'a str,
    /// The name of the instance profile.
    pub(super) profile: &'a str,
    /// The existing hosts, including terminated ones.
    pub(super) older: &'a [Instance],
}

impl LaunchRequest<'_> {
    /// Launches the host and waits until it is ready. Returns its id. If it replaces another and does not become ready, it
    /// is terminated, and the other goes on.
    pub(super) async fn run(&self) -> Result<String, ResourceError> {
        let progress = self.context.progress;
        let image = self.image().await?;
        let root = self.root_device(&image).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let period = rule!(
            "instance-launch-is-idempotent",
            now.as_secs() / TOKEN_PERIOD,
            without: now.subsec_nanos().into()
        );
        let token = self.token(&image, period);
        let launched = retry::while_failing(progress, retry::Schedule::PROPAGATION, is_transient, || {
            self.launch(&image, &root, &token)
        });
        let id = launched.await?;
        let running = until_running(self.stack, progress, &id).await?;
        if rule!("instance-profile-attached-after-launch", running.iam_instance_profile().is_none()) {
            self.attach_profile(&id).await?;
        }
        let replaces = self.older.iter().any(is_alive);
        match self.until_ready(&id, replaces).await {
            Err(error) if replaces => Err(self.give_up(&id, error).await),
            ready => ready.map(|()| id),
        }
    }

    async fn image(&self) -> Result<String, ResourceError> {
        const SUMMARY: &str = "failed to find the newest image of Amazon Linux 2023";
        if let Some(image) = &self.stack.config.signaling.image {
            return Ok(image.clone());
        }
        let answer = self.stack.clients.ssm.get_parameter().name(NEWEST_IMAGE_PARAMETER).send().await;
        let parameter = answer.context(SUMMARY)?.parameter;
        parameter
            .and_then(|parameter| parameter.value)
            .ok_or_else(|| ResourceError::new(SUMMARY).hint("set `image` under [signaling] to an image id"))
    }

    async fn root_device(&self, image: &str) -> Result<String, ResourceError> {
        let answer = self.stack.clients.ec2.describe_images().image_ids(image).send().await;
        let absent = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"];
        let answer = answer.found(&absent, "failed to read the image of the signaling host")?;
        let image = answer.and_then(|answer| answer.images?.into_iter().next());
        Ok(image.and_then(|image| image.root_device_name).unwrap_or_else(|| ROOT_DEVICE.to_owned()))
    }

    async fn launch(&self, image: &str, root: &str, token: &str) -> Result<String, ResourceError> {
        const SUMMARY: &str = "failed to launch the signaling host";
        let tags = self.tags(image);
        let disk = EbsBlockDevice::builder().encrypted(true).volume_type(VolumeType::Gp3).delete_on_termination(true);
        let disk = BlockDeviceMapping::builder().device_name(root).ebs(disk.build()).build();
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1);
        let call = self.stack.clients.ec2.run_instances();
        let answer = call
            .image_id(image)
            .instance_type(InstanceType::from(self.stack.config.signaling.instance_type.as_str()))
            .min_count(1)
            .max_count(1)
            .client_token(token)
            .security_group_ids(self.group)
            .iam_instance_profile(self.profile())
            .block_device_mappings(disk)
            .metadata_options(metadata.build())
            .user_data(STANDARD.encode(&self.user_data))
            .tag_specifications(ec2::tag_specification(ResourceType::Instance, &tags))
            .tag_specifications(ec2::tag_specification(ResourceType::Volume, self.context.tags))
            .send()
            .await
            .context(SUMMARY)
            .map_err(hinted)?;
        let launched = answer.instances.and_then(|instances| instances.into_iter().next());
        launched.and_then(|instance| instance.instance_id).ok_or_else(|| ResourceError::new(SUMMARY))
    }

    /// Returns the tags of the context with those of this host: its user data, image and name.
    fn tags(&self, image: &str) -> Tags {
        let mut tags = self.context.tags.clone();
        let chosen = if self.stack.config.signaling.image.is_some() { "configured" } else { "newest" };
        tags.insert(IMAGE_TAG.to_owned(), format!("{chosen} {image}"));
        tags.insert(USER_DATA_TAG.to_owned(), self.user_data_hash.clone());
        tags.insert("Name".to_owned(), self.stack.named("signal"));
        tags
    }

    /// Returns the client token. It is the same for the same request until the host exists, so that a repeated call
    /// whose first response was lost launches no second host.
    fn token(&self, image: &str, period: u64) -> String {
        let older: Vec<&str> = self.older.iter().filter_map(Instance::instance_id).collect();
        let instance_type = &self.stack.config.signaling.instance_type;
        let tags = self.tags(image);
        let text = format!("{tags:?} {} {} {older:?} {instance_type} {period}", self.group, self.profile);
        hash(&text)
    }

    fn profile(&self) -> IamInstanceProfileSpecification {
        IamInstanceProfileSpecification::builder().name(self.profile).build()
    }

    async fn attach_profile(&self, id: &str) -> Result<(), ResourceError> {
        retry::while_failing(self.context.progress, retry::Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.ec2.associate_iam_instance_profile().instance_id(id);
            let call = call.iam_instance_profile(self.profile());
            call.send().await.context("failed to attach the instance profile to the signaling host").map(|_| ())
        })
        .await
    }

    async fn until_ready(&self, id: &str, replaces: bool) -> Result<(), ResourceError> {
        if replaces {
            self.until_healthy(id).await?;
        }
        ready::until_ready(self.stack, self.context.progress, id).await
    }

    /// Terminates a host that did not become ready, so that the next run takes the old one for the stack's host.
    async fn give_up(&self, id: &str, mut error: ResourceError) -> ResourceError {
        let ended = self.stack.clients.ec2.terminate_instances().instance_ids(id).send().await;
        let outcome = if ended.is_ok() { "is terminated" } else { "could not be terminated" };
        error.summary = format!("the new signaling host did not become ready and {outcome}; the old one goes on");
        error
    }

    async fn until_healthy(&self, id: &str) -> Result<(), ResourceError> {
        let reason = "the new signaling host to become healthy before it takes over";
        retry::until(self.context.progress, retry::Schedule::INSTANCE, reason, || async {
            let answer = self.stack.clients.ec2.describe_instance_status().instance_ids(id).send().await;
            let answer = answer.found(GONE, "failed to read the status of the new signaling host")?;
            let status = answer.and_then(|answer| answer.instance_statuses?.into_iter().next());
            let healthy = status.is_some_and(|status| {
                status.instance_status().and_then(|summary| summary.status()) == Some(&SummaryStatus::Ok)
            });
            Ok(rule!("instance-healthy-before-takeover", healthy, without: true).then_some(()))
        })
        .await
    }
}

/// Waits until the EC2 instance runs, and returns it.
///
/// # Errors
/// The instance terminated, or did not run within the deadline.
pub(super) async fn until_running(stack: &Stack, progress: &Progress, id: &str) -> Result<Instance, ResourceError> {
    retry::until(progress, retry::Schedule::INSTANCE, "the signaling host to start running", || async {
        // A new instance may not be found at first.
        let Some(instance) = read(stack, id).await? else {
            return rule!(
                "instance-visible-after-launch",
                Ok(None),
                without: Err(ResourceError::new("the signaling host does not exist")),
            );
        };
        match instance.state().and_then(|state| state.name()) {
            Some(InstanceStateName::Running) => Ok(Some(instance)),
            Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated) => {
                let why = instance.state_reason().and_then(|reason| reason.message()).unwrap_or("EC2 gave no reason");
                Err(ResourceError::new("the signaling host terminated before it was running").caused_by(why.to_owned()))
            }
            _ => rule!("instance-running-after-launch", Ok(None), without: Ok(Some(instance))),
        }
    })
    .await
}

/// Returns whether the error means that the role, the security group or the profile has not propagated yet.
fn is_transient(error: &ResourceError) -> bool {
    let profile = error.causes().iter().any(|cause| cause.to_lowercase().contains("iam instance profile"));
    rule!("instance-profile-visible-to-launch", error.is(&["InvalidParameterValue"]) && profile)
        || rule!("security-group-visible-to-launch", error.is(&["InvalidGroup.NotFound", "InvalidGroupId.NotFound"]))
}

fn hinted(error: ResourceError) -> ResourceError {
    if error.is(&["Unsupported", "InvalidInstanceType", "InvalidParameterValue"]) && !is_transient(&error) {
        error.hint(
            "check `instance_type` and `image` under [signaling]: the type must be x86_64 and offered in the region",
        )
    } else if error.is(&["VcpuLimitExceeded", "InstanceLimitExceeded", "InsufficientInstanceCapacity"]) {
        error.hint("choose another `instance_type` under [signaling], or request a quota increase")
    } else {
        error
    }
}
