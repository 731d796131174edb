//! Launches a signaling host and waits until it runs and has its role.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification, Instance,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification,
    InstanceStateName, InstanceType, ResourceType, Subnet, SummaryStatus, VolumeType,
};
use std::time::{SystemTime, UNIX_EPOCH};

use super::instance::read;
use super::{GONE, IMAGE_TAG, USER_DATA_TAG, compressed, credits, ec2, ended, hash, image, is_alive, profile, ready};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, retry};
use peersync_engine::{ApplyContext, Progress, ResourceError, Tags, rule};

/// The root device of Amazon Linux, for images that do not name theirs.
const ROOT_DEVICE: &str = "/dev/xvda";
/// The number of seconds for which a repeated request means the same host. It must be less than the hour for which EC2
/// returns terminated hosts: these are part of the token, so that a request after a `down` creates a new host.
const TOKEN_PERIOD: u64 = 600;

/// Error codes for a zone that cannot take the host now: no capacity, a type that it does not have, or no free address.
const ZONE_CODES: &[&str] =
    &["InsufficientInstanceCapacity", "InsufficientCapacity", "Unsupported", "InsufficientFreeAddressesInSubnet"];
/// Error codes for a network without a place for the host.
const NO_PLACE_CODES: &[&str] = &["MissingInput", "VPCIdNotSpecified", "DefaultVpcDoesNotExist"];

/// Where a host is launched.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The id of the subnet; `None` if EC2 chooses one of the default VPC.
    subnet: Option<&'a str>,
    /// Whether the host must ask for a public address, because the subnet may give none.
    asks_for_address: bool,
}

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
    /// Launches the host and waits until it runs. Returns its id, and what EC2 tells of it then.
    pub(super) async fn run(&self) -> Result<(String, Instance), ResourceError> {
        let progress = self.context.progress;
        let image = self.image().await?;
        let described = image::describe(self.stack, &image).await?;
        image::check_architecture(self.stack, described.as_ref())?;
        let published = described.as_ref().and_then(image::published);
        let root = described.and_then(|image| image.root_device_name).unwrap_or_else(|| ROOT_DEVICE.to_owned());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let period = rule!(
            "instance-launch-is-idempotent",
            now.as_secs() / TOKEN_PERIOD,
            without: now.subsec_nanos().into()
        );
        let id = self.somewhere(&Machine { image, published, root, period }).await?;
        let mut running = until_running(self.stack, progress, &id).await?;
        if rule!("instance-profile-attached-after-launch", running.iam_instance_profile().is_none()) {
            profile::attach(self.stack, progress, &id, self.profile).await?;
            running = read(self.stack, &id).await?.unwrap_or(running);
        }
        Ok((id, running))
    }

    /// Waits until the new host may take over. If it is to replace another and does not become ready, it is terminated, and
    /// the other goes on.
    pub(super) async fn until_it_may_take_over(&self, id: &str) -> Result<(), ResourceError> {
        let replaces = self.older.iter().any(is_alive);
        match self.refusal(id, replaces).await? {
            Some(refusal) if replaces => Err(self.give_up(id, refusal).await),
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Launches the host in the configured subnet, or else where EC2 chooses, and if that zone cannot take it, in another.
    async fn somewhere(&self, machine: &Machine) -> Result<String, ResourceError> {
        let configured = self.stack.config.signaling.subnet.as_deref();
        let subnets = match configured {
            Some(_) => Ok(Vec::new()),
            None => self.stack.default_subnets().await,
        };
        let asks_for_address = !subnets.as_ref().is_ok_and(|subnets| give_addresses(subnets));
        let full = match self.launched(machine, Place { subnet: configured, asks_for_address }).await {
            Err(error) if rule!("launch-tries-other-zones", error.is(ZONE_CODES)) => error,
            result => return result,
        };
        if configured.is_some() {
            let zone = self.stack.network.get().and_then(|network| network.zone.clone());
            return Err(self.nowhere(&full, zone.into_iter().collect()));
        }
        // Whoever may not list the subnets gets EC2's own answer.
        let Ok(subnets) = subnets else { return Err(full) };
        let mut tried = Vec::new();
        let mut full = full;
        for subnet in subnets {
            let Some(id) = subnet.subnet_id() else { continue };
            let zone = subnet.availability_zone().unwrap_or(id).to_owned();
            self.context.progress.waiting(format!("capacity in {zone}"));
            let place = Place { subnet: Some(id), asks_for_address: subnet.map_public_ip_on_launch() != Some(true) };
            match self.launched(machine, place).await {
                Err(error) if error.is(ZONE_CODES) => full = error,
                result => return result,
            }
            tried.push(zone);
        }
        Err(self.nowhere(&full, tried))
    }

    /// Returns the error that no zone can take the host.
    fn nowhere(&self, last: &ResourceError, tried: Vec<String>) -> ResourceError {
        let instance_type = &self.stack.config.signaling.instance_type;
        let zones = if tried.is_empty() { "the zone of the subnet".to_owned() } else { tried.join(", ") };
        let advice = match self.stack.config.signaling.subnet {
            Some(_) => "choose another `subnet` or `instance_type` under [signaling], or run the command again later",
            None => "choose another `instance_type` under [signaling], or run the command again later",
        };
        ResourceError::new("no zone can take the signaling host")
            .code(last.code.as_deref())
            .caused_by(format!("{instance_type} was tried in {zones}: {}", last.causes().join(": ")))
            .hint(advice)
    }

    async fn launched(&self, machine: &Machine, place: Place<'_>) -> Result<String, ResourceError> {
        let progress = self.context.progress;
        retry::while_failing(progress, retry::Schedule::PROPAGATION, profile::is_transient, || {
            self.launch(machine, place)
        })
        .await
    }

    async fn image(&self) -> Result<String, ResourceError> {
        match &self.stack.config.signaling.image {
            Some(image) => Ok(image.clone()),
            None => image::newest(self.stack).await,
        }
    }

    async fn launch(&self, machine: &Machine, place: Place<'_>) -> Result<String, ResourceError> {
        const SUMMARY: &str = "failed to launch the signaling host";
        let Machine { image, root, .. } = machine;
        let instance_type = self.stack.config.signaling.instance_type.as_str();
        let tags = self.tags(machine);
        let disk = EbsBlockDevice::builder().encrypted(true).volume_type(VolumeType::Gp3).delete_on_termination(true);
        let disk = BlockDeviceMapping::builder().device_name(root).ebs(disk.build()).build();
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1);
        let answer = self
            .placed(self.stack.clients.ec2.run_instances(), place)
            .image_id(image)
            .instance_type(InstanceType::from(instance_type))
            .min_count(1)
            .max_count(1)
            .client_token(self.token(machine, place.subnet))
            .set_credit_specification(credits::of_launch(instance_type))
            .iam_instance_profile(IamInstanceProfileSpecification::builder().name(self.profile).build())
            .block_device_mappings(disk)
            .metadata_options(metadata.build())
            .user_data(compressed::encoded(&self.user_data))
            .tag_specifications(ec2::tag_specification(ResourceType::Instance, &tags))
            .tag_specifications(ec2::tag_specification(ResourceType::Volume, self.context.tags))
            .send()
            .await
            .context(SUMMARY)
            .map_err(hinted)?;
        let launched = answer.instances.and_then(|instances| instances.into_iter().next());
        launched.and_then(|instance| instance.instance_id).ok_or_else(|| ResourceError::new(SUMMARY))
    }

    /// Says where the host is launched. It fetches its programs before it has the Elastic IP address, and with a tunnel it has
    /// none, so it needs a public address of its own. Where the subnet gives none, the interface asks for one; the interface
    /// then names the groups and the subnet.
    fn placed(&self, call: RunInstancesFluentBuilder, place: Place<'_>) -> RunInstancesFluentBuilder {
        let subnet = place.subnet.map(str::to_owned);
        if !place.asks_for_address {
            return call.security_group_ids(self.group).set_subnet_id(subnet);
        }
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .associate_public_ip_address(true)
            .delete_on_termination(true)
            .groups(self.group)
            .set_subnet_id(subnet);
        call.network_interfaces(interface.build())
    }

    /// Returns the tags of the context with those of this host: its user data, image and name.
    fn tags(&self, machine: &Machine) -> Tags {
        let mut tags = self.context.tags.clone();
        let chosen = if self.stack.config.signaling.image.is_some() { "configured" } else { "newest" };
        tags.insert(IMAGE_TAG.to_owned(), format!("{chosen} {}", machine.image));
        tags.extend(machine.published.clone().map(|moment| (image::PUBLISHED_TAG.to_owned(), moment)));
        tags.insert(USER_DATA_TAG.to_owned(), self.user_data_hash.clone());
        tags.insert("Name".to_owned(), self.stack.named("signal"));
        tags
    }

    /// Returns the client token. It is the same for the same request until the host exists, so that a repeated call
    /// whose first response was lost launches no second host.
    fn token(&self, machine: &Machine, subnet: Option<&str>) -> String {
        let older: Vec<&str> = self.older.iter().filter_map(Instance::instance_id).collect();
        let instance_type = &self.stack.config.signaling.instance_type;
        let (tags, period) = (self.tags(machine), machine.period);
        let place = format!("{} {}", self.group, subnet.unwrap_or_default());
        let text = format!("{tags:?} {place} {} {older:?} {instance_type} {period}", self.profile);
        hash(&text)
    }

    /// Returns why the host is not ready, if it is not in time. That it cannot be read is an error, and says nothing about it.
    async fn refusal(&self, id: &str, replaces: bool) -> Result<Option<ResourceError>, ResourceError> {
        if replaces && !self.becomes_healthy(id).await? {
            let seconds = retry::Schedule::INSTANCE.deadline.as_secs();
            let cause = format!("EC2's check of the instance was not passed after {seconds} s");
            return Ok(Some(ResourceError::new("the signaling host did not become ready").caused_by(cause)));
        }
        ready::refusal(self.stack, self.context.progress, id).await
    }

    /// Terminates a host that did not become ready, so that the next run takes the old one for the stack's host.
    async fn give_up(&self, id: &str, mut error: ResourceError) -> ResourceError {
        let ended = self.stack.clients.ec2.terminate_instances().instance_ids(id).send().await;
        let outcome = if ended.is_ok() { "is terminated" } else { "could not be terminated" };
        error.summary = format!("the new signaling host did not become ready and {outcome}; the old one goes on");
        error
    }

    async fn becomes_healthy(&self, id: &str) -> Result<bool, ResourceError> {
        let reason = "the new signaling host to become healthy before it takes over";
        let healthy = retry::within(self.context.progress, retry::Schedule::INSTANCE, reason, || async {
            let answer = self.stack.clients.ec2.describe_instance_status().instance_ids(id).send().await;
            let answer = answer.found(GONE, "failed to read the status of the new signaling host")?;
            let status = answer.and_then(|answer| answer.instance_statuses?.into_iter().next());
            let healthy = status.is_some_and(|status| {
                status.instance_status().and_then(|summary| summary.status()) == Some(&SummaryStatus::Ok)
            });
            Ok(rule!("instance-healthy-before-takeover", healthy, without: true).then_some(()))
        });
        healthy.await.map(|healthy| healthy.is_some())
    }
}

/// Returns whether every subnet that EC2 may choose gives a host a public address, as in a default VPC that nobody has
/// changed.
fn give_addresses(subnets: &[Subnet]) -> bool {
    !subnets.is_empty() && subnets.iter().all(|subnet| subnet.map_public_ip_on_launch() == Some(true))
}

/// What is launched.
struct Machine {
    /// The id of the image.
    image: String,
    /// When it was published, in RFC 3339 and UTC.
    published: Option<String>,
    /// The device of its disk.
    root: String,
    /// The time during which a repeated request means the same host.
    period: u64,
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
                let (code, message) = instance.state_reason().map(|why| (why.code(), why.message())).unzip();
                Err(ended::error(code.flatten().unwrap_or_default(), message.flatten().unwrap_or_default()))
            }
            _ => rule!("instance-running-after-launch", Ok(None), without: Ok(Some(instance))),
        }
    })
    .await
}

fn hinted(error: ResourceError) -> ResourceError {
    if error.is(NO_PLACE_CODES) {
        error.hint(
            "the default VPC has no subnet: set `subnet` under [signaling] to one that leads to the internet, or create one \
             with `aws ec2 create-default-subnet --availability-zone ZONE`",
        )
    } else if error.is(&["Unsupported", "InvalidInstanceType", "InvalidParameterValue"])
        && !profile::is_transient(&error)
    {
        error.hint(
            "check `instance_type` and `image` under [signaling]: the image must be for the processors of the type, and the type \
             offered in the region",
        )
    } else {
        error
    }
}
