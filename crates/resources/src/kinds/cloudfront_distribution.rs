//! The CloudFront distribution: one web origin for pages, API and WebSocket.
//!
//! Distributions have no names. The stack's is found by its comment or by the bucket that it reads, and recognised by
//! its tags. Only its removal waits until a change is deployed.

mod config;
mod errors;
mod former;
mod key_change;
mod removal;
mod search;

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_sdk_cloudfront::types::{
    Distribution as Created, DistributionConfig, DistributionConfigWithTags, Tag, TagKeys, Tags as SdkTags,
};

use self::config::{BEHAVIORS, ORIGINS, Origins, PAGES, PRICE_CLASS};
use super::{
    Former, Kind, distributions, elastic_ip, exchange_tags, log_group, origin_access_control, parameter_store,
    response_headers_policy, rest_api, s3_bucket,
};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _, retry};
use peersync_config::Ingress;
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Ownership, Progress, Resource, ResourceError, SharedReads, Tags, rule,
};

pub use self::former::until_open;
pub use self::key_change::is_deployed;
pub use self::key_change::{sent_key, until_deployed};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Distributions) };
const NAME: &str = "cloudfront_distribution";

/// Error codes for a distribution that changed since it was read, also by an earlier attempt of the same call.
const CHANGED_MEANWHILE: &[&str] = &["PreconditionFailed", "InvalidIfMatchVersion"];
/// The origin key, by which the API and the signaling server recognise requests from the distribution.
pub const ORIGIN_KEY: FieldName = FieldName::new("origin_key");

/// Returns the address of the distribution.
pub fn address() -> Address {
    Address::new(NAME, "site")
}

struct Distribution {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Distribution { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    // CloudFront assigns the identifiers.
    let any =
        || vec![format!("arn:{}:cloudfront::{}:distribution/*", stack.identity.partition, stack.identity.account)];
    vec![
        Permission::anywhere(&["cloudfront:ListDistributions"]),
        Permission::new(
            &["cloudfront:GetDistribution", "cloudfront:GetDistributionConfig", "cloudfront:ListTagsForResource"],
            any(),
        ),
        Permission::new(&["cloudfront:CreateDistribution"], any()).only(Condition::Tagged),
        Permission::new(&["cloudfront:TagResource"], any()).only(Condition::FirstTagged),
        Permission::new(
            &[
                "cloudfront:CreateInvalidation",
                "cloudfront:DeleteDistribution",
                "cloudfront:TagResource",
                "cloudfront:UntagResource",
                "cloudfront:UpdateDistribution",
            ],
            any(),
        )
        .only(Condition::Ours),
    ]
}

#[async_trait]
impl Resource for Distribution {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.stack.global_mark())
    }

    fn highlights(&self) -> &'static [FieldName] {
        &[PRICE_CLASS]
    }

    fn dependencies(&self) -> Vec<Address> {
        [
            rule!("distribution-after-bucket", Some(s3_bucket::address())),
            rule!("distribution-after-access-control", Some(origin_access_control::address())),
            rule!("distribution-after-headers-policy", Some(response_headers_policy::address())),
            rule!("distribution-after-rest-api", Some(rest_api::address())),
            // Deleted after the distribution, which passes on requests to the last.
            rule!("distribution-after-log-group", Some(log_group::address("api-access"))),
            rule!("distribution-after-elastic-ip", Some(elastic_ip::address())),
            rule!("distribution-after-ssm-parameter", Some(parameter_store::address(parameter_store::ORIGIN_KEY))),
            // Deleted once the distribution no longer sends it.
            rule!(
                "previous-origin-key-deleted-after-distribution",
                Some(parameter_store::address("origin-key-previous"))
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Pages that are told the way in of before need it until the functions have changed.
    fn keeps_former(&self, changes: &Changes) -> bool {
        rule!("former-way-open-at-the-edge", changes.has_any(&[ORIGINS, BEHAVIORS, PAGES]))
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let Some(found) = distributions::found(&self.stack, reads).await? else { return Ok(None) };
        let cloudfront = &self.stack.clients.cloudfront;
        let (current, tags) = futures::join!(
            cloudfront.get_distribution_config().id(&found.id).send(),
            cloudfront.list_tags_for_resource().resource(&found.arn).send(),
        );
        let gone = ["NoSuchDistribution", "NoSuchResource"];
        let current = current.found(&gone, "failed to read the distribution")?.and_then(|one| one.distribution_config);
        let tags = tags.found(&gone, "failed to read the tags of the distribution")?;
        let (Some(current), Some(tags)) = (current, tags) else { return Ok(None) };
        let tags = tags.tags.and_then(|tags| tags.items).unwrap_or_default();
        let tags: Tags = tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect();
        let ownership = self.stack.ownership(&tags);
        if ownership != Ownership::Ours && found.comment != self.stack.global_mark() {
            return Ok(None);
        }
        let fields: LiveFields = config::views(&current);
        Ok(Some(Live {
            id: found.id.clone(),
            fields: fields.with(ORIGIN_KEY, LiveField::secret(&config::origin_key(&current))),
            ownership,
            tags: Some(tags),
            outputs: self.outputs(&found.id, &found.arn, &found.domain_name),
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let origins = self.origins(outputs);
        // Built even if an origin is not known yet, so that the fields that do not depend on it can be compared.
        let built = config::build(&self.stack, &origins.clone().unwrap_or_default(), "");
        let mut fields: Fields = built.map(|config| config::views(&config)).unwrap_or_default();
        if origins.is_none() {
            fields = fields.with(ORIGINS, Field::Unknown).with(PAGES, Field::Unknown);
        }
        let key = outputs.get(&parameter_store::address(parameter_store::ORIGIN_KEY), "value");
        fields.with(ORIGIN_KEY, key.map_or(Field::Unknown, Field::secret))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the distribution";
        let stack = &self.stack;
        let reference = stack.global("site");
        let created = match self.create_with(context, &reference).await {
            Err(error) if error.is(&["DistributionAlreadyExists"]) => {
                // An earlier attempt succeeded but its response was lost, or a distribution with this reference was
                // deleted before.
                rule!("distribution-create-survives-lost-answer" => {
                    if let Some(found) = distributions::find(stack).await? {
                        return Ok(self.outputs(&found.id, &found.arn, &found.domain_name));
                    }
                });
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                let new = format!("{reference}-{now}");
                let reference = rule!("distribution-reference-is-renewed", new, without: reference);
                self.create_with(context, &reference).await
            }
            other => other,
        };
        let created = created.map_err(|error| domain_taken(error, stack))?;
        let created =
            created.ok_or_else(|| ResourceError::new(SUMMARY).caused_by("CloudFront returned no identifier"))?;
        Ok(self.outputs(&created.id, &created.arn, &created.domain_name))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let key_change = match changes.has(ORIGIN_KEY) {
            true => Some(key_change::begin(&self.stack, context, &live.id).await?),
            false => None,
        };
        let former = if self.keeps_former(changes) { Former::Kept } else { Former::Removed };
        if changes.fields() {
            self.change(context, &live.id, former).await?;
        }
        if let Some(key_change) = key_change {
            key_change.end(&self.stack, context.progress).await?;
        }
        if former == Former::Removed {
            self.exchange_tags(context, live, changes).await?;
        }
        Ok(live.outputs.clone())
    }

    async fn finish(&self, context: &ApplyContext<'_>, live: &Live, changes: &Changes) -> Result<(), ResourceError> {
        self.change(context, &live.id, Former::Removed).await?;
        self.exchange_tags(context, live, changes).await
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        removal::remove(&self.stack.clients.cloudfront, progress, &live.id).await
    }
}

impl Distribution {
    /// Sends the changes, unless the distribution has them already.
    async fn change(&self, context: &ApplyContext<'_>, id: &str, former: Former) -> Result<(), ResourceError> {
        let is_transient = |error: &ResourceError| rule!("distribution-update-while-busy", error.is(CHANGED_MEANWHILE));
        let changed = retry::while_failing(context.progress, retry::Schedule::STATE, is_transient, || async {
            self.with_policy(|policy| self.send_changes(context.outputs, id, policy, former)).await
        });
        changed.await.map_err(|error| domain_taken(error, &self.stack))
    }

    async fn exchange_tags(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<(), ResourceError> {
        let cloudfront = &self.stack.clients.cloudfront;
        let arn = live.outputs.get("arn").map(|arn| arn.value().to_owned()).unwrap_or_default();
        let remove = |keys| async {
            let keys = TagKeys::builder().set_items(Some(keys)).build();
            let call = cloudfront.untag_resource().resource(&arn).tag_keys(keys);
            call.send().await.context("failed to remove tags of the distribution").map(|_| ())
        };
        let put = async {
            const SUMMARY: &str = "failed to tag the distribution";
            let tags = sdk_tags(context.tags).context(SUMMARY)?;
            cloudfront.tag_resource().resource(&arn).tags(tags).send().await.context(SUMMARY).map(|_| ())
        };
        exchange_tags(changes, remove, put).await
    }

    fn outputs(&self, id: &str, arn: &str, edge_domain: &str) -> OutputMap {
        let domain = self.stack.config.site.domain.as_deref().unwrap_or(edge_domain);
        OutputMap::new().with("id", id).with("arn", arn).with("domain", domain).with("edge_domain", edge_domain)
    }

    /// Returns the servers behind the distribution; `None` until all of them exist.
    fn origins(&self, outputs: &Outputs) -> Option<Origins> {
        let signaling = &self.stack.config.signaling;
        let signal = match signaling.ingress {
            Ingress::Cloudfront => {
                let named = signaling.certified_domain();
                Some(named.or_else(|| outputs.get(&elastic_ip::address(), "dns"))?.to_owned())
            }
            Ingress::Cloudflare | Ingress::Direct => None,
        };
        Some(Origins {
            api: outputs.get(&rest_api::address(), "id")?.to_owned(),
            access_control: outputs.get(&origin_access_control::address(), "id")?.to_owned(),
            headers_policy: self.headers_policy(outputs)?,
            signal,
        })
    }

    /// Returns the id of the response-headers policy. It is empty with an AWS emulator that has no such policies.
    fn headers_policy(&self, outputs: &Outputs) -> Option<String> {
        let known = outputs.get(&response_headers_policy::address(), "id").map(str::to_owned);
        known.or_else(|| self.stack.clients.endpoint_url.as_ref().map(|_| String::new()))
    }

    /// Builds the configuration, with another response-headers policy than that of the outputs if one is given.
    fn config(
        &self,
        outputs: &Outputs,
        reference: &str,
        policy: Option<String>,
    ) -> Result<DistributionConfig, ResourceError> {
        let mut origins = self.origins(outputs).ok_or_else(|| {
            ResourceError::new("an origin of the distribution is not known")
                .hint("this is a bug in peersync-deploy: a dependency between two resources is missing")
        })?;
        if let Some(policy) = policy {
            origins.headers_policy = policy;
        }
        let key = outputs.require(&parameter_store::address(parameter_store::ORIGIN_KEY), "value")?;
        let config = config::build(&self.stack, &origins, key)?;
        Ok(config::with_reference(config, reference))
    }

    /// Sends a call, and once more if the response-headers policy is gone: a stack that shared it has been removed since it
    /// was found, and left nothing that used it.
    async fn with_policy<T, F, Fut>(&self, send: F) -> Result<T, ResourceError>
    where
        F: Fn(Option<String>) -> Fut,
        Fut: Future<Output = Result<T, ResourceError>>,
    {
        match send(None).await {
            Err(error) if rule!("headers-policy-deleted-meanwhile", error.is(&["NoSuchResponseHeadersPolicy"])) => {
                let policy = response_headers_policy::provide(&self.stack).await?;
                send(Some(policy)).await
            }
            result => result,
        }
    }

    async fn create_with(&self, context: &ApplyContext<'_>, reference: &str) -> Result<Option<Created>, ResourceError> {
        self.with_policy(|policy| async move {
            let config = self.config(context.outputs, reference, policy)?;
            self.send_creation(config, context.tags).await
        })
        .await
    }

    async fn send_creation(&self, config: DistributionConfig, tags: &Tags) -> Result<Option<Created>, ResourceError> {
        const SUMMARY: &str = "failed to create the distribution";
        let tags = sdk_tags(tags).context(SUMMARY)?;
        let with_tags = DistributionConfigWithTags::builder().distribution_config(config).tags(tags);
        let call = self.stack.clients.cloudfront.create_distribution_with_tags();
        let call = call.distribution_config_with_tags(with_tags.build());
        Ok(call.send().await.context(SUMMARY)?.distribution)
    }

    /// Sends the actual configuration with the managed settings merged in; all other settings stay.
    async fn send_changes(
        &self,
        outputs: &Outputs,
        id: &str,
        policy: Option<String>,
        former: Former,
    ) -> Result<(), ResourceError> {
        const SUMMARY: &str = "failed to change the distribution";
        let cloudfront = &self.stack.clients.cloudfront;
        let current = cloudfront.get_distribution_config().id(id).send().await.context(SUMMARY)?;
        let tag = current.e_tag;
        let current = current.distribution_config.ok_or_else(|| ResourceError::new(SUMMARY))?;
        let policy = match policy {
            None if former == Former::Kept => former::policy(&self.stack, &current).await?,
            policy => policy,
        };
        let mut config = config::merged(current.clone(), self.config(outputs, "", policy)?);
        if former == Former::Kept {
            former::keep_host(&mut config, &current);
        }
        if former::are_alike(&config, &current) {
            return Ok(());
        }
        let call = cloudfront.update_distribution().id(id).set_if_match(tag).distribution_config(config);
        call.send().await.context(SUMMARY).map(|_| ())
    }
}

fn sdk_tags(tags: &Tags) -> Result<SdkTags, aws_smithy_types::error::operation::BuildError> {
    Ok(SdkTags::builder().set_items(Some(sdk_tags!(try Tag, tags)?)).build())
}

fn domain_taken(error: ResourceError, stack: &Stack) -> ResourceError {
    if stack.config.site.domain.is_some() && error.is(&["CNAMEAlreadyExists"]) {
        error.hint("another distribution already serves `domain` under [site]: remove it there, or choose another")
    } else if error.is(&["InvalidViewerCertificate"]) {
        error.hint("`certificate_arn` under [site] must be an issued certificate in us-east-1 that covers `domain`")
    } else {
        error
    }
}

#[cfg(test)]
mod tests;
