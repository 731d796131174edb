//! The Elastic IP address of the signaling host. It exists before the host and stays when the host is replaced.

mod search;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Address as Found, DomainType, ResourceType};
use serde_json::{Value, json};

use super::{Kind, ec2};
use crate::permission::{Condition, Permission};
use crate::stack::{DNS_SUFFIX, Stack};
use peersync_aws::{Context as _, NotFound as _, retry};
use peersync_config::Ingress;
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs, Progress,
    Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Addresses) };
const NAME: &str = "elastic_ip";

const GONE: &[&str] = &["InvalidAllocationID.NotFound", "InvalidAssociationID.NotFound", "InvalidAddress.NotFound"];
/// Transient error codes while the host that uses the address is being terminated.
const IN_USE: &[&str] = &["InvalidIPAddress.InUse", "DependencyViolation"];
/// Further managed addresses. A call that is repeated because its response was lost leaves one, because
/// `AllocateAddress` has no client token.
const DUPLICATES: FieldName = FieldName::new("duplicates");

/// Returns the resource address of the Elastic IP address.
pub fn address() -> Address {
    Address::new(NAME, "signal")
}

struct ElasticIp {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(ElasticIp { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let addresses = || ec2::arns(stack, &["elastic-ip"]);
    vec![
        Permission::anywhere(&["ec2:DescribeAddresses"]),
        Permission::new(&["ec2:AllocateAddress"], addresses()).only(Condition::Tagged),
        Permission::new(&["ec2:CreateTags"], addresses()).only(Condition::TaggedBy("AllocateAddress")),
        Permission::new(
            &["ec2:CreateTags", "ec2:DeleteTags", "ec2:DisassociateAddress", "ec2:ReleaseAddress"],
            addresses(),
        )
        .only(Condition::Ours),
        // The host's network interface has no tags.
        Permission::new(&["ec2:DisassociateAddress"], ec2::arns(stack, &["network-interface"])),
    ]
}

#[async_trait]
impl Resource for ElasticIp {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    /// A Cloudflare Tunnel connects outwards, so that the host needs no Elastic IP address.
    fn enabled(&self) -> bool {
        self.stack.config.signaling.ingress != Ingress::Cloudflare
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let mut found = found(&self.stack, reads).await?.into_iter();
        let Some(first) = found.next() else { return Ok(None) };
        let duplicates: Vec<String> = found.filter_map(|one| one.allocation_id).collect();
        let id = first.allocation_id().unwrap_or_default().to_owned();
        Ok(Some(Live {
            fields: LiveFields::new().with(DUPLICATES, duplicates),
            tags: Some(ec2::tags(first.tags())),
            outputs: self.outputs(&id, first.public_ip().unwrap_or_default()),
            id,
            ..Live::default()
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new().with(DUPLICATES, json!([]))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to allocate the address of the signaling host";
        let call = self.stack.clients.ec2.allocate_address().domain(DomainType::Vpc);
        let call = call.tag_specifications(ec2::tag_specification(ResourceType::ElasticIp, context.tags));
        let answer = call.send().await.context(SUMMARY)?;
        match (answer.allocation_id(), answer.public_ip()) {
            (Some(id), Some(ip)) => Ok(self.outputs(id, ip)),
            _ => Err(ResourceError::new(SUMMARY).caused_by("EC2 returned no identifier")),
        }
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if let Some(LiveField::Known(Value::Array(duplicates))) = live.fields.field(DUPLICATES) {
            for duplicate in duplicates.iter().filter_map(Value::as_str) {
                self.release(context.progress, duplicate, None).await?;
            }
        }
        ec2::exchange_tags(&self.stack, context, changes, vec![live.id.clone()]).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, _: &Live) -> Result<(), ResourceError> {
        for found in find(&self.stack).await? {
            self.release(progress, found.allocation_id().unwrap_or_default(), found.association_id()).await?;
        }
        Ok(())
    }
}

impl ElasticIp {
    fn outputs(&self, id: &str, ip: &str) -> OutputMap {
        let dns = public_name(ip, &self.stack.clients.region, DNS_SUFFIX);
        OutputMap::new().with("id", id).with("ip", ip).with("dns", dns)
    }

    async fn release(&self, progress: &Progress, id: &str, association: Option<&str>) -> Result<(), ResourceError> {
        let ec2 = &self.stack.clients.ec2;
        rule!("address-disassociated-before-delete" => {
            if let Some(association) = association.filter(|association| !association.is_empty()) {
                let answer = ec2.disassociate_address().association_id(association).send().await;
                answer.found(GONE, "failed to disassociate the address from the signaling host")?;
            }
        });
        let is_transient = |error: &ResourceError| rule!("address-released-after-instance", error.is(IN_USE));
        retry::while_failing(progress, retry::Schedule::INSTANCE, is_transient, || async {
            let answer = ec2.release_address().allocation_id(id).send().await;
            let gone = rule!("address-delete-survives-absence", GONE);
            answer.found(gone, "failed to release the address of the signaling host").map(|_| ())
        })
        .await
    }
}

/// Returns the addresses of the stack as of the graph's shared read.
pub(super) async fn found(stack: &Stack, reads: &SharedReads) -> Result<Vec<Found>, ResourceError> {
    reads.get(NAME, find(stack)).await
}

/// Reads the addresses of the stack, those in use first. Addresses have no names, so they are found by tags alone.
async fn find(stack: &Stack) -> Result<Vec<Found>, ResourceError> {
    let call = stack.clients.ec2.describe_addresses().set_filters(Some(ec2::of_stack(stack)));
    let answer = call.send().await.context("failed to list the addresses")?;
    let mut found = answer.addresses.unwrap_or_default();
    found.retain(|one| ec2::is_ours(stack, one.tags()));
    found.sort_by_key(|one| (one.association_id().is_none_or(str::is_empty), one.allocation_id().map(str::to_owned)));
    Ok(found)
}

/// Returns the public DNS name that AWS gives an address.
fn public_name(ip: &str, region: &str, suffix: &str) -> String {
    let zone = if region == "us-east-1" { "compute-1".to_owned() } else { format!("{region}.compute") };
    format!("ec2-{}.{zone}.{suffix}", ip.replace('.', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_dns_name_is_derived_from_address_and_region() {
        assert_eq!(public_name("192.0.2.1", "us-east-1", "amazonaws.com"), "ec2-192-0-2-1.compute-1.amazonaws.com");
        assert_eq!(
            public_name("192.0.2.1", "eu-central-1", "amazonaws.com"),
            "ec2-192-0-2-1.eu-central-1.compute.amazonaws.com"
        );
    }
}
