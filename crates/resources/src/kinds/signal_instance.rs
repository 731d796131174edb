//! The signaling host: an EC2 instance with Amazon Linux 2023, reachable only through its ingress and Session Manager.
//!
//! Its software is defined by the user data, which is read only at the first boot, so a change needs a new host. The
//! new host is created first and takes over the address; then the old one is terminated.

mod certificate;
mod certified;
mod compressed;
mod credits;
mod ended;
mod files;
mod handover;
mod image;
mod instance;
mod launch;
mod power;
mod profile;
mod published;
mod ready;
mod relay_files;
mod search;
mod update_files;
mod user_data;
mod views;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{HttpTokensState, InstanceMetadataEndpointState};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use self::certificate::{CertificateTrouble, certificate_trouble};
use self::credits::CREDITS;
pub use self::image::{days, find_newer_image, host_for_tests, image_age, outdated};
pub use self::published::published_address;
pub use self::ready::{HostReport, host_report, only_waits};
pub use self::search::{Host, find_host};
use self::search::{find, find_all, is_alive};
pub use self::views::{lacks_domain, programs};
use super::{
    Kind, cloudfront_distribution, ec2, elastic_ip, iam_role, instance_profile, log_group, parameter_store, s3_program,
    security_group,
};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, retry};
use peersync_config::Ingress;
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, rule,
};
use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE, SIGNAL_ADDRESS};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Hosts) };
const NAME: &str = "signal_instance";

/// The tag with the SHA-256 of the user data, by which an interrupted launch is recognised.
const USER_DATA_TAG: &str = "peersync:user-data";
/// The tag with the image and how it was chosen, so that a new release of Amazon Linux does not replace the host.
const IMAGE_TAG: &str = "peersync:image";
/// The value of the field `image` if the configuration names no image.
const NEWEST_IMAGE: &str = "the newest at its creation";

const IMAGE: FieldName = FieldName::new("image");
const INSTANCE_TYPE: FieldName = FieldName::new("instance_type");
/// The user data, file by file. It can be changed only while a host is stopped.
const USER_DATA: FieldName = FieldName::new("user_data");
const PROFILE: FieldName = FieldName::new("instance_profile");
/// The id of the instance profile. One that is created again under the same name has another, and the host has no
/// credentials until it is given the new one.
const PROFILE_ID: FieldName = FieldName::new("instance_profile_id");
const GROUPS: FieldName = FieldName::new("security_groups");
/// The access to the metadata service.
const METADATA: FieldName = FieldName::new("metadata");
/// The id of the Elastic IP address that the host has.
const ELASTIC_IP: FieldName = FieldName::new("elastic_ip");
const STATE: FieldName = FieldName::new("state");
/// Whether the host says that its programs answer.
const READY: FieldName = FieldName::new("ready");
/// The id of the subnet. Wanted only if the configuration names one.
const SUBNET: FieldName = FieldName::new("subnet");
/// Further managed hosts, left over from an interrupted replacement.
const LEFTOVERS: FieldName = FieldName::new("leftovers");

const GONE: &[&str] = &["InvalidInstanceID.NotFound"];

/// Returns the address of the host.
pub fn address() -> Address {
    Address::new(NAME, "signal")
}

struct SignalInstance {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(SignalInstance { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    // The ARNs of AWS's public parameters and images have no account.
    let (partition, region) = (&stack.identity.partition, &stack.clients.region);
    // Those for all architectures, so that a change of the type needs no other policy.
    let newest_image = format!("arn:{partition}:ssm:{region}::parameter{}*", image::NEWEST_IMAGE_PARAMETER);
    let images = format!("arn:{partition}:ec2:{region}::image/*");
    let published_in = stack.arn("dynamodb", &format!("table/{}", stack.named(published::TABLE)));
    let launched = || ec2::arns(stack, &["instance", "volume"]);
    let not_ours = ec2::arns(stack, &["network-interface", "subnet"]).into_iter().chain([images]).collect();
    vec![
        Permission::anywhere(&[
            "ec2:DescribeAddresses",
            "ec2:DescribeIamInstanceProfileAssociations",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceCreditSpecifications",
            "ec2:DescribeInstanceStatus",
            "ec2:DescribeInstances",
        ]),
        Permission::new(&["ec2:GetConsoleOutput"], ec2::arns(stack, &["instance"])).only(Condition::Ours),
        Permission::new(&["ssm:GetParameter"], vec![newest_image]),
        Permission::new(&["dynamodb:GetItem"], vec![published_in]).only(Condition::OfItems(SIGNAL_ADDRESS)),
        Permission::new(&["ec2:DescribeInstanceAttribute"], ec2::arns(stack, &["instance"])),
        Permission::new(&["ec2:RunInstances"], launched()).only(Condition::Tagged),
        Permission::new(&["ec2:RunInstances"], ec2::arns(stack, &["security-group"])).only(Condition::Ours),
        Permission::new(&["ec2:RunInstances"], not_ours),
        Permission::new(&["ec2:CreateTags"], launched()).only(Condition::TaggedBy("RunInstances")),
        Permission::new(&["ec2:CreateTags", "ec2:DeleteTags"], launched()).only(Condition::Ours),
        Permission::new(&["ec2:AssociateAddress"], ec2::arns(stack, &["elastic-ip", "instance"])).only(Condition::Ours),
        // The host's network interface has no tags.
        Permission::new(&["ec2:AssociateAddress"], ec2::arns(stack, &["network-interface"])),
        Permission::new(
            &[
                "ec2:AssociateIamInstanceProfile",
                "ec2:ModifyInstanceAttribute",
                "ec2:ModifyInstanceCreditSpecification",
                "ec2:ModifyInstanceMetadataOptions",
                "ec2:ReplaceIamInstanceProfileAssociation",
                "ec2:StartInstances",
                "ec2:TerminateInstances",
            ],
            ec2::arns(stack, &["instance"]),
        )
        .only(Condition::Ours),
        // For the groups of a host.
        Permission::new(&["ec2:ModifyInstanceAttribute"], ec2::arns(stack, &["security-group"])).only(Condition::Ours),
    ]
}

#[async_trait]
impl Resource for SignalInstance {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.stack.named("signal"))
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[INSTANCE_TYPE, CREDITS, SUBNET]
    }

    fn dependencies(&self) -> Vec<Address> {
        let needed = [
            rule!("signal-instance-after-distribution", Some(cloudfront_distribution::address())),
            rule!("signal-instance-after-elastic-ip", Some(elastic_ip::address())),
            rule!("signal-instance-after-instance-profile", Some(instance_profile::address())),
            rule!("signal-instance-after-log-group", Some(log_group::address("signal"))),
            rule!("signal-instance-after-program", Some(s3_program::address(s3_program::SIGNAL))),
            rule!("signal-instance-after-relay-program", Some(s3_program::address(s3_program::RELAY))),
            rule!("former-programs-after-signal-instance", Some(s3_program::former_address())),
            rule!("signal-instance-after-security-group", Some(security_group::address())),
            rule!("signal-instance-after-tunnel-token", Some(parameter_store::address(parameter_store::TUNNEL_TOKEN))),
            // The rights of a host end after it.
            rule!("host-rights-end-after-host", Some(iam_role::address("signal"))),
        ];
        let kept = [ACME_ACCOUNT, ACME_CERTIFICATE].map(parameter_store::address).to_vec();
        needed.into_iter().flatten().chain(rule!("kept-certificate-deleted-after-host", kept)).collect()
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        &[
            (IMAGE, "the image of an instance cannot be changed"),
            (INSTANCE_TYPE, "changing the type would stop the host; a new one takes over without downtime"),
            (SUBNET, "a host cannot be moved to another subnet"),
            (USER_DATA, "a host reads its user data only at the first boot"),
        ]
    }

    fn outdated(&self, live: &Live) -> Option<String> {
        image::outdated(&self.stack, live)
    }

    fn create_before_destroy(&self) -> bool {
        true
    }

    /// The others serve until nobody is led to them.
    fn keeps_former(&self, changes: &Changes) -> bool {
        rule!("leftover-host-ends-after-what-leads-to-it", changes.has(LEFTOVERS))
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (found, addresses) = futures::try_join!(find(&self.stack), elastic_ip::found(&self.stack, reads))?;
        let mut found = found.into_iter();
        let Some(current) = found.next() else { return Ok(None) };
        let leftovers: Vec<String> = found.filter_map(|instance| instance.instance_id).collect();
        let tags = ec2::tags(current.tags());
        let id = current.instance_id.clone().unwrap_or_default();
        let (user_data, credits) =
            futures::try_join!(views::user_data_view(&self.stack, &id), credits::view(&self.stack, &current))?;
        Ok(Some(Live {
            fields: credits
                .into_iter()
                .fold(LiveFields::new(), |fields, credits| fields.with(CREDITS, credits))
                .with(IMAGE, views::image_view(&current, &tags))
                .with(INSTANCE_TYPE, current.instance_type().map(|one| one.as_str()))
                .with(SUBNET, current.subnet_id())
                .with(USER_DATA, user_data)
                .with(PROFILE, views::profile_name(&current))
                .with(PROFILE_ID, views::profile_id(&current))
                .with(GROUPS, views::groups_view(&current))
                .with(METADATA, views::metadata_view(&current))
                .with(ELASTIC_IP, views::address_view(&addresses, &id))
                .with(STATE, views::state_view(&current))
                .with(READY, ready::view(&self.stack, &current))
                .with(LEFTOVERS, leftovers),
            outputs: image::with_image(outputs(&id), &current, &tags),
            tags: Some(tags),
            id,
            ..Live::default()
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let signaling = &self.stack.config.signaling;
        let user_data = user_data::build(&self.stack, outputs).map(|text| user_data::parts(&text));
        let group = outputs.get(&security_group::address(), "id").map(|id| json!([id]));
        let elastic_ip = match signaling.ingress {
            Ingress::Cloudflare => Field::Known(Value::Null),
            _ => Field::known_or_unknown(outputs.get(&elastic_ip::address(), "id")),
        };
        let chosen = signaling.subnet.as_deref().map(|subnet| (SUBNET, subnet));
        let credits = credits::wanted(&signaling.instance_type).map(|credits| (CREDITS, credits));
        let optional = chosen.into_iter().chain(credits);
        optional
            .fold(Fields::new(), |fields, (name, value)| fields.with(name, value))
            .with(IMAGE, signaling.image.as_deref().unwrap_or(NEWEST_IMAGE))
            .with(INSTANCE_TYPE, signaling.instance_type.as_str())
            .with(USER_DATA, Field::known_or_unknown(user_data))
            .with(PROFILE, Field::known_or_unknown(outputs.get(&instance_profile::address(), "name")))
            .with(PROFILE_ID, Field::known_or_unknown(outputs.get(&instance_profile::address(), "id")))
            .with(GROUPS, Field::known_or_unknown(group))
            .with(METADATA, "token required, 1 hop")
            .with(ELASTIC_IP, elastic_ip)
            .with(STATE, "running")
            .with(READY, true)
            .with(LEFTOVERS, json!([]))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let user_data = user_data::build(&self.stack, context.outputs).ok_or_else(|| {
            ResourceError::new("the URL of the pages or the address is not known when the host is created")
        })?;
        let older = find_all(&self.stack).await?;
        let request = launch::LaunchRequest {
            stack: &self.stack,
            context,
            user_data_hash: hash(&user_data),
            user_data,
            group: context.outputs.require(&security_group::address(), "id")?,
            profile: context.outputs.require(&instance_profile::address(), "name")?,
            older: &older,
        };
        let (id, running) = request.run().await?;
        rule!("instance-has-the-new-profile" => {
            self.renew_profile(context, &id, &running).await?;
        });
        request.until_it_may_take_over(&id).await?;
        if older.iter().any(is_alive) {
            self.take_over(context, &id).await?;
        } else {
            self.associate(context, &id).await?;
        }
        let before = older.into_iter().filter(is_alive).filter_map(|one| one.instance_id);
        certified::until_certified(&self.stack, context.progress, &id, before).await?;
        Ok(outputs(&id))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let ec2 = &self.stack.clients.ec2;
        if changes.has(STATE) {
            self.start(context.progress, &live.id).await?;
        }
        if changes.has_any(&[PROFILE, PROFILE_ID]) {
            self.attach_profile(context, &live.id).await?;
        }
        if changes.has(GROUPS) {
            let group = context.outputs.require(&security_group::address(), "id")?;
            let call = ec2.modify_instance_attribute().instance_id(&live.id).groups(group);
            call.send().await.context("failed to change the security group of the signaling host")?;
        }
        if changes.has(METADATA) {
            let call = ec2.modify_instance_metadata_options().instance_id(&live.id);
            let call = call.http_tokens(HttpTokensState::Required).http_put_response_hop_limit(1);
            let call = call.http_endpoint(InstanceMetadataEndpointState::Enabled);
            call.send().await.context("failed to change the metadata options of the signaling host")?;
        }
        if changes.has(CREDITS) {
            credits::change(&self.stack, &live.id).await?;
        }
        // What an interrupted run began: the host takes over, and the others end, only once it is ready.
        if changes.has_any(&[READY, ELASTIC_IP, LEFTOVERS]) {
            ready::until_ready(&self.stack, context.progress, &live.id).await?;
        }
        if changes.has(ELASTIC_IP) {
            self.take_over(context, &live.id).await?;
        }
        let before = live.fields.texts(LEFTOVERS);
        certified::until_certified(&self.stack, context.progress, &live.id, before).await?;
        if !self.keeps_former(changes) {
            self.finish(context, live, changes).await?;
        }
        Ok(live.outputs.clone())
    }

    async fn finish(&self, context: &ApplyContext<'_>, live: &Live, changes: &Changes) -> Result<(), ResourceError> {
        if changes.has(LEFTOVERS) {
            self.terminate(context.progress, live.fields.texts(LEFTOVERS)).await?;
        }
        if changes.tags() {
            // The volume was created with the same tags.
            let instance = instance::read(&self.stack, &live.id).await?;
            let ids = [live.id.clone()].into_iter().chain(instance.iter().flat_map(views::volumes)).collect();
            ec2::exchange_tags(&self.stack, context, changes, ids).await?;
        }
        Ok(())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        let found = find(&self.stack).await?;
        let ids = found.into_iter().filter_map(|instance| instance.instance_id).chain([live.id.clone()]);
        self.terminate(progress, ids.collect()).await
    }

    /// Terminates the old hosts by id, because the new one carries the same tags.
    async fn retire(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.terminate(progress, live.fields.texts(LEFTOVERS).into_iter().chain([live.id.clone()]).collect()).await
    }
}

impl SignalInstance {
    /// Associates the stack's Elastic IP address with the host, and disassociates it from any other.
    async fn associate(&self, context: &ApplyContext<'_>, id: &str) -> Result<(), ResourceError> {
        if self.stack.config.signaling.ingress == Ingress::Cloudflare {
            return Ok(());
        }
        let allocation = context.outputs.require(&elastic_ip::address(), "id")?;
        let is_transient = |error: &ResourceError| {
            rule!(
                "instance-ready-for-address",
                error.is(GONE) || error.is(&["InvalidAllocationID.NotFound", "IncorrectInstanceState"])
            )
        };
        retry::while_failing(context.progress, retry::Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.ec2.associate_address().allocation_id(allocation).instance_id(id);
            call.allow_reassociation(true)
                .send()
                .await
                .context("failed to associate the address with the signaling host")
        })
        .await
        .map(|_| ())
    }
}

fn outputs(id: &str) -> OutputMap {
    OutputMap::new().with("id", id)
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests;
