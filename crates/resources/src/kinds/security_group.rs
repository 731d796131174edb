//! The firewall of the signaling host. What may come in depends on the ingress; nothing else does, and there is no SSH.

mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, ResourceType, SecurityGroup as Found};
use serde_json::json;

use self::rules::{Names, Rule};
use super::{Kind, Permission, ec2};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, code_of, retry};
use peersync_config::Ingress;
use peersync_engine::{
    Address, ApplyContext, Changes, Failure, Field, Fields, Live, LiveField, OutputMap, Outputs, Progress, Resource,
    ResourceError,
};

/// The registry's line.
pub const KIND: Kind = Kind { name: NAME, permissions, instances };
const NAME: &str = "security_group";

const GONE: &[&str] = &["InvalidGroup.NotFound", "InvalidGroupId.NotFound", "InvalidSecurityGroupID.NotFound"];
/// While the instance that uses it is on its way out.
const IN_USE: &[&str] = &["DependencyViolation", "InvalidGroup.InUse"];
const INBOUND: &str = "inbound";
const OUTBOUND: &str = "outbound";

/// The address of the signaling host's group.
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
    vec![
        Permission {
            actions: vec!["ec2:DescribeManagedPrefixLists", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"],
            resources: vec!["*".to_owned()],
        },
        Permission {
            actions: vec![
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateSecurityGroup",
                "ec2:CreateTags",
                "ec2:DeleteSecurityGroup",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ],
            resources: ec2::arns(stack),
        },
    ]
}

#[async_trait]
impl Resource for SecurityGroup {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (found, names) = futures::try_join!(self.find(), self.names())?;
        let Some(found) = found else { return Ok(None) };
        let tags = ec2::tags(found.tags());
        let id = found.group_id.clone().unwrap_or_default();
        let view = |permissions| LiveField::known(json!(rules::live(permissions, &names)));
        Ok(Some(Live {
            fields: [
                (INBOUND.to_owned(), view(found.ip_permissions())),
                (OUTBOUND.to_owned(), view(found.ip_permissions_egress())),
            ]
            .into(),
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: OutputMap::new().with("id", &id),
            id,
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        let ingress = self.stack.config.signaling.ingress;
        [
            (INBOUND.to_owned(), Field::known(json!(rules::inbound(ingress)))),
            (OUTBOUND.to_owned(), Field::known(json!(rules::outbound(ingress)))),
        ]
        .into()
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the security group";
        let vpc = self.default_vpc().await?;
        let call = self.stack.clients.ec2.create_security_group().group_name(&self.name).vpc_id(vpc);
        let call = call.description(self.stack.mark());
        let call = call.tag_specifications(ec2::tag_specification(ResourceType::SecurityGroup, context.tags));
        let id = match call.send().await {
            Ok(answer) => answer.group_id,
            // A repeated call had already succeeded; observe has seen that nobody else has it.
            Err(error) if code_of(&error) == Some("InvalidGroup.Duplicate") => {
                self.find().await?.and_then(|found| found.group_id)
            }
            Err(error) => return Err(error).context(SUMMARY),
        };
        let id = id.ok_or_else(|| ResourceError::new(SUMMARY).caused_by("EC2 gave no identifier"))?;
        self.converge(context.progress, &id).await?;
        Ok(OutputMap::new().with("id", id))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if changes.has_any(&[INBOUND, OUTBOUND]) {
            self.converge(context.progress, &live.id).await?;
        }
        if changes.tags() {
            ec2::tag(&self.stack, context, &[&live.id]).await?;
        }
        Ok(live.outputs.clone())
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        retry::while_failing(
            progress,
            retry::Schedule::INSTANCE,
            |error| error.is(IN_USE),
            || async {
                let answer = self.stack.clients.ec2.delete_security_group().group_id(&live.id).send().await;
                answer.found(GONE, "failed to delete the security group").map(|_| ())
            },
        )
        .await
    }
}

impl SecurityGroup {
    /// The group with our name; where there are several, in several networks, rather one that is ours.
    async fn find(&self) -> Result<Option<Found>, ResourceError> {
        let filter = Filter::builder().name("group-name").values(&self.name).build();
        let groups = self.stack.clients.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
        let groups = groups.collect::<Result<Vec<_>, _>>().await.context("failed to list security groups")?;
        let foreign =
            |group: &Found| self.stack.ownership(&ec2::tags(group.tags())) != peersync_engine::Ownership::Ours;
        Ok(groups.into_iter().min_by_key(foreign))
    }

    async fn default_vpc(&self) -> Result<String, ResourceError> {
        let filter = Filter::builder().name("is-default").values("true").build();
        let networks = self.stack.clients.ec2.describe_vpcs().filters(filter).into_paginator().items().send();
        let networks =
            networks.collect::<Result<Vec<_>, _>>().await.context("failed to look for the default network")?;
        networks.into_iter().find_map(|network| network.vpc_id).ok_or_else(|| {
            ResourceError::new("the region has no default network (VPC)")
                .hint("make one with `aws ec2 create-default-vpc`, or choose another region")
        })
    }

    /// The list of addresses from which CloudFront calls. Endpoints that stand for AWS may not have it.
    async fn names(&self) -> Result<Names, ResourceError> {
        let filter = Filter::builder().name("prefix-list-name").values(rules::CLOUDFRONT_LIST).build();
        let call = self.stack.clients.ec2.describe_managed_prefix_lists().filters(filter).send();
        let answer = call.await.context("failed to look for the addresses of CloudFront");
        let list = match answer {
            Ok(answer) => answer.prefix_lists.into_iter().flatten().find_map(|list| list.prefix_list_id),
            Err(error) if error.failure == Failure::NotOffered => None,
            Err(error) => return Err(error),
        };
        if list.is_none() && self.stack.clients.endpoint_url.is_none() && self.uses_cloudfront() {
            return Err(ResourceError::new("the region does not have the list of CloudFront's addresses")
                .hint("choose another region, or another `ingress` under [signaling]"));
        }
        Ok(Names { cloudfront: list })
    }

    fn uses_cloudfront(&self) -> bool {
        self.stack.config.signaling.ingress == Ingress::Cloudfront
    }

    /// Adds the rules that are missing, then takes away those that are not ours: a new group lets everything out.
    async fn converge(&self, progress: &Progress, id: &str) -> Result<(), ResourceError> {
        let passes = |error: &ResourceError| error.is(GONE);
        let current = retry::while_failing(progress, retry::Schedule::PROPAGATION, passes, || self.read(id));
        let (current, names) = futures::try_join!(current, self.names())?;
        let ingress = self.stack.config.signaling.ingress;
        let inbound = difference(rules::parse(current.ip_permissions(), &names), rules::inbound_rules(ingress));
        let outbound =
            difference(rules::parse(current.ip_permissions_egress(), &names), rules::outbound_rules(ingress));
        let calls = rules::Calls { ec2: &self.stack.clients.ec2, group: id, names: &names };
        futures::try_join!(calls.authorize_inbound(&inbound.missing), calls.authorize_outbound(&outbound.missing))?;
        futures::try_join!(calls.revoke_inbound(&inbound.unexpected), calls.revoke_outbound(&outbound.unexpected))?;
        Ok(())
    }

    async fn read(&self, id: &str) -> Result<Found, ResourceError> {
        const SUMMARY: &str = "failed to read the security group";
        let answer = self.stack.clients.ec2.describe_security_groups().group_ids(id).send().await.context(SUMMARY)?;
        let found = answer.security_groups.into_iter().flatten().next();
        found.ok_or_else(|| ResourceError::new(SUMMARY).code(GONE.first().copied()))
    }
}

/// What to add and what to take away.
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
