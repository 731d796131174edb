//! The topic of SNS that alarms notify if the configuration names an email address, with the subscription of that address.
//!
//! Its owner confirms the subscription by a click in a mail. Until then it cannot be ended: another address is another
//! topic.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sns::types::{Subscription, Tag, Topic};

use super::{Kind, exchange_tags};
use crate::permission::{Condition, Permission};
use crate::search::{Candidate, Scope, Search};
use crate::stack::{Stack, stack_of};
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress, Resource,
    ResourceError, SharedReads, Tags,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&Topics) };
const NAME: &str = "sns_topic";

/// The last part of the name.
const PART: &str = "alarms";
/// The protocol of subscriptions by email.
const EMAIL: &str = "email";
/// Whom the topic was created for.
const RECIPIENT: FieldName = FieldName::new("recipient");
/// Whether the address is subscribed, confirmed or not. A subscription that is not confirmed ends after two days.
const SUBSCRIBED: FieldName = FieldName::new("subscribed");

/// The error codes for a topic that does not exist.
const ABSENT: &[&str] = &["NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException"];

struct AlarmTopic {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(AlarmTopic { stack: stack.clone(), address: Address::new(NAME, PART) })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let topic = || vec![topic_arn(stack)];
    vec![
        Permission::new(&["sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"], topic()),
        Permission::new(&["sns:CreateTopic"], topic()).only(Condition::Tagged),
        Permission::new(&["sns:DeleteTopic", "sns:Subscribe", "sns:TagResource", "sns:UntagResource"], topic())
            .only(Condition::Named),
    ]
}

/// Returns the ARN of the topic.
fn topic_arn(stack: &Stack) -> String {
    stack.arn("sns", &stack.named(PART))
}

/// Returns the topics that the stack's alarms notify, sorted.
pub(super) fn notified(stack: &Stack) -> Vec<String> {
    let alarms = &stack.config.alarms;
    let own = alarms.email.as_ref().map(|_| topic_arn(stack));
    let mut topics: Vec<String> = own.into_iter().chain(alarms.topic_arn.clone()).collect();
    topics.sort();
    topics
}

/// Reads the tags of a topic; `None` if it does not exist.
async fn read_tags(clients: &Clients, arn: &str) -> Result<Option<Tags>, ResourceError> {
    let answer = clients.sns.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = answer.found(ABSENT, "failed to read the tags of the topic")?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

#[async_trait]
impl Resource for AlarmTopic {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.stack.named(PART))
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    fn enabled(&self) -> bool {
        self.stack.config.alarms.enabled && self.stack.config.alarms.email.is_some()
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        &[(RECIPIENT, "only its owner can end the subscription of another address")]
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let arn = topic_arn(&self.stack);
        let Some(found) = self.subscribed_addresses(&arn).await? else { return Ok(None) };
        let Some(tags) = read_tags(&self.stack.clients, &arn).await? else { return Ok(None) };
        let wanted = self.recipient();
        let is_subscribed = found.iter().any(|address| address == wanted);
        // Whoever subscribed beside the recipient stays.
        let recipient = if is_subscribed || found.is_empty() { wanted.to_owned() } else { found.join(" ") };
        Ok(Some(Live {
            id: arn,
            fields: LiveFields::new().with(RECIPIENT, recipient).with(SUBSCRIBED, is_subscribed),
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: OutputMap::new(),
        }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new().with(RECIPIENT, self.recipient().to_owned()).with(SUBSCRIBED, true)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to create the topic for alarms";
        let call = self.stack.clients.sns.create_topic().name(self.stack.named(PART));
        let tags = sdk_tags!(try Tag, context.tags).context(SUMMARY)?;
        call.set_tags(Some(tags)).send().await.context(SUMMARY)?;
        self.subscribe().await?;
        Ok(OutputMap::new())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        if changes.has(SUBSCRIBED) {
            self.subscribe().await?;
        }
        let (sns, arn) = (&self.stack.clients.sns, topic_arn(&self.stack));
        let remove = |keys| async {
            let call = sns.untag_resource().resource_arn(&arn).set_tag_keys(Some(keys));
            call.send().await.context("failed to remove tags of the topic").map(|_| ())
        };
        let put = async {
            const SUMMARY: &str = "failed to tag the topic";
            let tags = sdk_tags!(try Tag, context.tags).context(SUMMARY)?;
            sns.tag_resource().resource_arn(&arn).set_tags(Some(tags)).send().await.context(SUMMARY).map(|_| ())
        };
        exchange_tags(changes, remove, put).await?;
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        let answer = self.stack.clients.sns.delete_topic().topic_arn(&live.id).send().await;
        answer.found(ABSENT, "failed to delete the topic for alarms").map(|_| ())
    }
}

impl AlarmTopic {
    fn recipient(&self) -> &str {
        self.stack.config.alarms.email.as_deref().unwrap_or_default()
    }

    /// Returns the addresses that are subscribed, confirmed or not, sorted; `None` if the topic does not exist.
    async fn subscribed_addresses(&self, arn: &str) -> Result<Option<Vec<String>>, ResourceError> {
        let call = self.stack.clients.sns.list_subscriptions_by_topic().topic_arn(arn);
        let found = call.into_paginator().items().send().collect::<Result<Vec<Subscription>, _>>().await;
        let Some(found) = found.found(ABSENT, "failed to list the subscriptions of the topic")? else {
            return Ok(None);
        };
        let by_email = found.into_iter().filter(|one| one.protocol() == Some(EMAIL));
        let mut addresses: Vec<String> = by_email.filter_map(|one| one.endpoint).collect();
        addresses.sort();
        Ok(Some(addresses))
    }

    /// Subscribes the address, which gets a mail to confirm that.
    async fn subscribe(&self) -> Result<(), ResourceError> {
        let call = self.stack.clients.sns.subscribe().topic_arn(topic_arn(&self.stack)).protocol(EMAIL);
        let call = call.endpoint(self.recipient());
        call.send().await.context("failed to subscribe the address for alarms").map(|_| ())
    }
}

/// Finds the topics of PeerSync's stacks.
struct Topics;

#[async_trait]
impl Search for Topics {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<Vec<Candidate>, ResourceError> {
        let call = scope.clients.sns.list_topics().into_paginator().items().send();
        let topics = call.collect::<Result<Vec<Topic>, _>>().await.context("failed to list the topics")?;
        let candidate = |topic: Topic| {
            let arn = topic.topic_arn?;
            let stack = stack_of(arn.rsplit(':').next()?, [PART])?.to_owned();
            Some(Candidate::named(arn, &stack))
        };
        Ok(topics.into_iter().filter_map(candidate).collect())
    }

    async fn tags(&self, scope: &Scope<'_>, id: &str) -> Result<Option<Tags>, ResourceError> {
        read_tags(scope.clients, id).await
    }

    fn actions(&self) -> &'static [&'static str] {
        &["sns:ListTagsForResource", "sns:ListTopics"]
    }
}
