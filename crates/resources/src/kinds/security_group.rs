//! The security group of the signaling host. Inbound traffic is limited to that of the ingress and of the relay, without
//! SSH.

mod rules;
mod search;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, ResourceType, SecurityGroup as Found};
use serde_json::json;

use self::rules::{Names, Rule};
use super::{Former, Kind, ec2};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Ownership, Progress,
    Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Groups) };
const NAME: &str = "security_group";

/// The inbound rules as text.
const INBOUND: FieldName = FieldName::new("inbound");
/// The id of the VPC. Absent if it is not known where the group should be.
const VPC: FieldName = FieldName::new("vpc");
/// The outbound rules as text.
const OUTBOUND: FieldName = FieldName::new("outbound");

/// The fields that are rules.
const RULES: &[FieldName] = &[INBOUND, OUTBOUND];

const GONE: &[&str] = &["InvalidGroup.NotFound", "InvalidGroupId.NotFound", "InvalidSecurityGroupID.NotFound"];
/// Transient error codes while the EC2 instance that uses the group is being terminated.
const IN_USE: &[&str] = &["DependencyViolation", "InvalidGroup.InUse"];

/// Returns the address of the security group.
pub fn address() -> Address {
    Address::new(NAME, "signal")
}

struct SecurityGroup {
    stack: Arc<Stack>,
    address: Address,
    name: String,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(SecurityGroup { stack: stack.clone(), address: address(), name: stack.named("signal") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let groups = || ec2::arns(stack, &["security-group"]);
    vec![
        Permission::anywhere(&[
            "ec2:DescribeManagedPrefixLists",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ]),
        Permission::new(&["ec2:CreateSecurityGroup"], groups()).only(Condition::Tagged),
        // The network is not ours.
        Permission::new(&["ec2:CreateSecurityGroup"], ec2::arns(stack, &["vpc"])),
        Permission::new(&["ec2:CreateTags"], groups()).only(Condition::TaggedBy("CreateSecurityGroup")),
        Permission::new(
            &[
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateTags",
                "ec2:DeleteSecurityGroup",
                "ec2:DeleteTags",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ],
            groups(),
        )
        .only(Condition::Ours),
    ]
}

#[async_trait]
impl Resource for SecurityGroup {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[INBOUND]
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        &[(VPC, "a security group cannot be moved to another VPC; its host is replaced too")]
    }

    fn create_before_destroy(&self) -> bool {
        true
    }

    /// A host that is replaced is reached by the rules of before until its successor has taken over.
    fn keeps_former(&self, changes: &Changes) -> bool {
        rule!("former-rules-removed-after-host", changes.has_any(RULES))
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let Some(found) = self.find().await? else { return Ok(None) };
        let network = self.stack.find_network().await;
        let names = Names::of(network);
        let tags = ec2::tags(found.tags());
        let id = found.group_id.clone().unwrap_or_default();
        let view = |permissions| json!(rules::live(permissions, &names));
        let mut fields = LiveFields::new()
            .with(INBOUND, view(found.ip_permissions()))
            .with(OUTBOUND, view(found.ip_permissions_egress()));
        if network.vpc.is_some() {
            fields = fields.with(VPC, found.vpc_id.clone());
        }
        Ok(Some(Live {
            fields,
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: OutputMap::new().with("id", &id),
            id,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let signaling = &self.stack.config.signaling;
        let inbound = rules::inbound(signaling, self.stack.relay().as_ref());
        let outbound = rules::outbound(signaling.ingress);
        let fields = Fields::new().with(INBOUND, json!(inbound)).with(OUTBOUND, json!(outbound));
        match self.stack.network.get().and_then(|network| network.vpc.as_deref()) {
            Some(vpc) => fields.with(VPC, vpc),
            None => fields,
        }
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the security group";
        let network = self.stack.find_network().await;
        if let Some(problem) = &network.problem {
            return Err(problem.clone());
        }
        let call = self.stack.clients.ec2.create_security_group().group_name(&self.name);
        let call = call.set_vpc_id(network.vpc.clone());
        let call = call.description(self.stack.mark());
        let call = call.tag_specifications(ec2::tag_specification(ResourceType::SecurityGroup, context.tags));
        let id = match call.send().await {
            Ok(answer) => answer.group_id,
            // It exists because the response to an earlier attempt was lost; observe has ruled out an unmanaged one.
            Err(error)
                if rule!(
                    "security-group-create-survives-lost-answer",
                    code_of(&error) == Some("InvalidGroup.Duplicate")
                ) =>
            {
                self.find().await?.and_then(|found| found.group_id)
            }
            Err(error) => return Err(error).context(SUMMARY),
        };
        let id = id.ok_or_else(|| ResourceError::new(SUMMARY).caused_by("EC2 returned no identifier"))?;
        self.converge(context.progress, &id, Former::Removed).await?;
        Ok(OutputMap::new().with("id", id))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if self.keeps_former(changes) {
            self.converge(context.progress, &live.id, Former::Kept).await?;
        } else {
            self.finish(context, live, changes).await?;
        }
        Ok(live.outputs.clone())
    }

    async fn finish(&self, context: &ApplyContext<'_>, live: &Live, changes: &Changes) -> Result<(), ResourceError> {
        if changes.has_any(RULES) {
            self.converge(context.progress, &live.id, Former::Removed).await?;
        }
        ec2::exchange_tags(&self.stack, context, changes, vec![live.id.clone()]).await
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        retry::while_failing(
            progress,
            retry::Schedule::INSTANCE,
            |error| rule!("security-group-released-after-instance", error.is(IN_USE)),
            || async {
                let answer = self.stack.clients.ec2.delete_security_group().group_id(&live.id).send().await;
                let absent = rule!("security-group-delete-survives-absence", GONE);
                answer.found(absent, "failed to delete the security group").map(|_| ())
            },
        )
        .await
    }
}

impl SecurityGroup {
    /// Finds the group with the stack's name. If several VPCs have one, a managed group is preferred, and then the one in
    /// the VPC of the host. Unmanaged ones in other VPCs are in nobody's way.
    async fn find(&self) -> Result<Option<Found>, ResourceError> {
        let (groups, network) = futures::join!(self.named(), self.stack.find_network());
        let is_ours = |group: &Found| self.stack.ownership(&ec2::tags(group.tags())) == Ownership::Ours;
        let is_elsewhere = |group: &Found| network.vpc.is_some() && group.vpc_id != network.vpc;
        let groups = groups?.into_iter().filter(|group| is_ours(group) || !is_elsewhere(group));
        Ok(groups.min_by_key(|group| (!is_ours(group), is_elsewhere(group))))
    }

    /// Returns the groups with the stack's name in all VPCs.
    async fn named(&self) -> Result<Vec<Found>, ResourceError> {
        let filter = Filter::builder().name("group-name").values(&self.name).build();
        let groups = self.stack.clients.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
        groups.collect::<Result<Vec<_>, _>>().await.context("failed to list security groups")
    }

    /// Returns what the network of the host is called in rules.
    ///
    /// # Errors
    /// No host can be launched there.
    async fn names(&self) -> Result<Names, ResourceError> {
        let network = self.stack.find_network().await;
        network.problem.clone().map_or_else(|| Ok(Names::of(network)), Err)
    }

    /// Adds missing rules, then removes unexpected ones, unless they are kept for now. A new group has one that allows all
    /// outbound traffic.
    async fn converge(&self, progress: &Progress, id: &str, former: Former) -> Result<(), ResourceError> {
        let is_transient = |error: &ResourceError| rule!("security-group-visible-to-rules", error.is(GONE));
        let current = retry::while_failing(progress, retry::Schedule::PROPAGATION, is_transient, || self.read(id));
        let (current, names) = futures::try_join!(current, self.names())?;
        let signaling = &self.stack.config.signaling;
        let wanted = rules::inbound_rules(signaling, self.stack.relay().as_ref());
        let inbound = difference(rules::parse(current.ip_permissions(), &names), wanted);
        let wanted = rules::outbound_rules(signaling.ingress);
        let outbound = difference(rules::parse(current.ip_permissions_egress(), &names), wanted);
        let calls = rules::Calls { ec2: &self.stack.clients.ec2, group: id, names: &names };
        // That it was found once does not mean that it is found everywhere.
        let is_transient = |error: &ResourceError| rule!("security-group-visible-to-changes", error.is(GONE));
        retry::while_failing(progress, retry::Schedule::PROPAGATION, is_transient, || async {
            futures::try_join!(calls.authorize_inbound(&inbound.missing), calls.authorize_outbound(&outbound.missing))?;
            if former == Former::Removed {
                let (inbound, outbound) = (&inbound.unexpected, &outbound.unexpected);
                futures::try_join!(calls.revoke_inbound(inbound), calls.revoke_outbound(outbound))?;
            }
            Ok(())
        })
        .await
    }

    async fn read(&self, id: &str) -> Result<Found, ResourceError> {
        const SUMMARY: &str = "failed to read the security group";
        let answer = self.stack.clients.ec2.describe_security_groups().group_ids(id).send().await.context(SUMMARY)?;
        let found = answer.security_groups.into_iter().flatten().next();
        found.ok_or_else(|| ResourceError::new(SUMMARY).code(GONE.first().copied()))
    }
}

/// The rules to add and the rules to remove.
struct Difference {
    missing: Vec<Rule>,
    unexpected: Vec<Rule>,
}

fn difference(current: BTreeSet<Rule>, wanted: BTreeSet<Rule>) -> Difference {
    Difference {
        missing: wanted.difference(&current).cloned().collect(),
        unexpected: current.difference(&wanted).cloned().collect(),
    }
}
