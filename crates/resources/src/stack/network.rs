//! The network in which the signaling host is: that of the configured subnet, or the default VPC.

use aws_sdk_ec2::types::{Filter, Subnet};

use super::Stack;
use peersync_aws::Context as _;
use peersync_config::Ingress;
use peersync_engine::{Failure, ResourceError};

/// The name of the prefix list, maintained by AWS, of the addresses from which CloudFront calls origins.
const CLOUDFRONT_LIST: &str = "com.amazonaws.global.cloudfront.origin-facing";

/// The port of the host that CloudFront connects to.
pub(crate) const EDGE_PORT: i32 = 8080;

/// The network of the host, as it was found. What is missing keeps a stack from being deployed, but not from being read or
/// removed.
#[derive(Clone, Debug)]
pub struct Network {
    /// The id of the VPC. `None` if it could not be found, or if an emulator has none.
    pub vpc: Option<String>,
    /// The availability zone of the configured subnet.
    pub zone: Option<String>,
    /// The id of CloudFront's prefix list, which AWS emulators may lack.
    pub cloudfront_list: Option<String>,
    /// Why no host can be launched there.
    pub problem: Option<ResourceError>,
}

impl Stack {
    /// Reads the network, unless it was read before.
    pub async fn find_network(&self) -> &Network {
        if let Some(network) = self.network.get() {
            return network;
        }
        let (place, list) = futures::join!(self.place(), self.cloudfront_list());
        let (vpc, zone, no_place) = match place {
            Ok((vpc, zone)) => (Some(vpc), zone, None),
            Err(error) if self.clients.lack(&error) => (None, None, None),
            Err(error) => (None, None, Some(error)),
        };
        let (cloudfront_list, no_list) = match list {
            Ok(list) => (list, None),
            Err(error) => (None, Some(error)),
        };
        self.network.get_or_init(|| Network { vpc, zone, cloudfront_list, problem: no_place.or(no_list) })
    }

    /// Returns the VPC, and the zone of the configured subnet.
    async fn place(&self) -> Result<(String, Option<String>), ResourceError> {
        match &self.config.signaling.subnet {
            Some(subnet) => self.of_subnet(subnet).await,
            None => Ok((self.default_vpc().await?, None)),
        }
    }

    async fn of_subnet(&self, id: &str) -> Result<(String, Option<String>), ResourceError> {
        const SUMMARY: &str = "failed to read the subnet of the signaling host";
        let answer =
            self.clients.ec2.describe_subnets().subnet_ids(id).send().await.context(SUMMARY).map_err(|error| {
                if error.is(&["InvalidSubnetID.NotFound", "InvalidSubnetId.Malformed"]) {
                    let region = &self.clients.region;
                    error.hint(format!(
                        "correct `subnet` under [signaling]: `aws ec2 describe-subnets --region {region}` lists them"
                    ))
                } else {
                    error
                }
            })?;
        let subnet = answer.subnets.unwrap_or_default().into_iter().next();
        let place = subnet.and_then(|subnet| Some((subnet.vpc_id?, subnet.availability_zone)));
        place.ok_or_else(|| ResourceError::new(SUMMARY).caused_by(format!("EC2 says nothing about {id}")))
    }

    async fn default_vpc(&self) -> Result<String, ResourceError> {
        let filter = Filter::builder().name("is-default").values("true").build();
        let answer = self.clients.ec2.describe_vpcs().filters(filter).send().await;
        let networks = answer.context("failed to find the default VPC")?.vpcs.unwrap_or_default();
        networks.into_iter().find_map(|network| network.vpc_id).ok_or_else(|| {
            ResourceError::new("the region has no default VPC")
                .caused_by(format!("the region is {}", self.clients.region))
                .hint(
                    "set `subnet` under [signaling] to a subnet that leads to the internet, or create a default VPC with \
                     `aws ec2 create-default-vpc`, or choose another region",
                )
        })
    }

    async fn cloudfront_list(&self) -> Result<Option<String>, ResourceError> {
        let filter = Filter::builder().name("prefix-list-name").values(CLOUDFRONT_LIST).build();
        let call = self.clients.ec2.describe_managed_prefix_lists().filters(filter).send();
        let list = match call.await.context("failed to find CloudFront's prefix list") {
            Ok(answer) => answer.prefix_lists.into_iter().flatten().find_map(|list| list.prefix_list_id),
            Err(error) if error.failure == Failure::NotOffered => None,
            Err(error) => return Err(error),
        };
        let is_needed = self.config.signaling.ingress == Ingress::Cloudfront && self.clients.endpoint_url.is_none();
        if list.is_none() && is_needed {
            return Err(ResourceError::new("the region does not have CloudFront's prefix list")
                .caused_by(format!("the region is {}", self.clients.region))
                .hint("choose another region, or another `ingress` under [signaling]"));
        }
        Ok(list)
    }

    /// Returns the subnets of the default VPC, one for each zone, in the order of the zones.
    ///
    /// # Errors
    /// A denied call.
    pub async fn default_subnets(&self) -> Result<Vec<Subnet>, ResourceError> {
        let filter = Filter::builder().name("default-for-az").values("true").build();
        let call = self.clients.ec2.describe_subnets().filters(filter);
        let answer = call.send().await.context("failed to list the subnets of the default VPC")?;
        let mut subnets = answer.subnets.unwrap_or_default();
        subnets.sort_by(|one, other| one.availability_zone.cmp(&other.availability_zone));
        Ok(subnets)
    }
}
