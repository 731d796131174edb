//! Turns a stack into what an earlier version of the deployer left: without the tags that it did not know, and with names
//! and marks that do not tell the region.

use std::path::Path;

use aws_sdk_cloudfront::types::{OriginAccessControlConfig, ResponseHeadersPolicyType};
use aws_sdk_cloudwatchlogs::types::MetricTransformation;
use serde_json::json;
use tokio::process::Command;

use crate::clients::REGION;
use crate::emulator::python;
use crate::stage::Stage;
use crate::unmanaged;

/// The tags that earlier versions did not know.
const NEW_TAGS: [&str; 5] =
    ["peersync:name", "peersync:region", "peersync:account", "peersync:created-by", "peersync:created-at"];

/// Removes the new tags from all resources of the stack, and sets the tag with its stage.
pub async fn tags(stage: &Stage, stack: &str, tagged_stage: &str) {
    let change = json!({ "set": { "peersync:stage": tagged_stage }, "remove": NEW_TAGS });
    // Through the proxy, which makes up for MiniStack's forgetting of the tags of an API.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/retag.py");
    let mut command = Command::new(python());
    command.arg(script).args([stage.proxy().url.as_str(), &stage.account, REGION, stack]).arg(change.to_string());
    let output = command.output().await.expect("python can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Gives the resources that are global to the account the names and marks that earlier versions gave them.
pub async fn global_names(stage: &Stage, stack: &str) {
    distribution(stage, stack).await;
    access_control(stage, stack).await;
    headers_policy(stage, stack).await;
    dashboard(stage, stack).await;
}

/// Creates an alarm as earlier versions did, with the tags of the stack.
pub async fn alarm(stage: &Stage, part: &str) {
    let cloudwatch = &stage.clients.cloudwatch;
    let arn = |part: &str| format!("arn:aws:cloudwatch:{REGION}:{}:alarm:{}-{part}", stage.account, stage.stack());
    let tags = cloudwatch.list_tags_for_resource().resource_arn(arn("api-5xx")).send().await.expect("it has tags");
    unmanaged::alarm(&stage.clients, &format!("{}-{part}", stage.stack())).await;
    let call = cloudwatch.tag_resource().resource_arn(arn(part)).set_tags(tags.tags);
    call.send().await.expect("it can be tagged");
}

/// Creates a metric filter in a log group.
pub async fn metric_filter(stage: &Stage, group: &str, name: &str) {
    let transformation = MetricTransformation::builder().metric_namespace("n").metric_name("m").metric_value("1");
    let transformation = transformation.build().expect("it is complete");
    let call = stage.clients.logs.put_metric_filter().log_group_name(group).filter_name(name).filter_pattern("ERROR");
    call.metric_transformations(transformation).send().await.expect("it can be created");
}

async fn distribution(stage: &Stage, stack: &str) {
    let cloudfront = &stage.clients.cloudfront;
    let list = cloudfront.list_distributions().send().await.expect("they can be listed").distribution_list;
    let mark = format!("PeerSync stack {stack} in {REGION}");
    let ours = list.iter().flat_map(|list| list.items()).find(|one| one.comment() == mark);
    let id = ours.expect("the stack has one").id();
    let answer = cloudfront.get_distribution_config().id(id).send().await.expect("it can be read");
    let mut config = answer.distribution_config.expect("it has a configuration");
    config.comment = format!("PeerSync stack {stack}");
    let call = cloudfront.update_distribution().id(id).set_if_match(answer.e_tag).distribution_config(config);
    call.send().await.expect("it can be changed");
}

async fn access_control(stage: &Stage, stack: &str) {
    let cloudfront = &stage.clients.cloudfront;
    let list = cloudfront.list_origin_access_controls().send().await.expect("they can be listed");
    let list = list.origin_access_control_list.expect("the answer has a list");
    let name = format!("{stack}-{REGION}-site");
    let ours = list.items().iter().find(|one| one.name() == name).expect("the stack has one");
    let config = OriginAccessControlConfig::builder()
        .name(format!("{stack}-site"))
        .description(format!("PeerSync stack {stack}"))
        .signing_protocol(ours.signing_protocol().clone())
        .signing_behavior(ours.signing_behavior().clone())
        .origin_access_control_origin_type(ours.origin_access_control_origin_type().clone());
    let config = config.build().expect("it is complete");
    let current = cloudfront.get_origin_access_control().id(ours.id()).send().await.expect("it can be read");
    let call = cloudfront.update_origin_access_control().id(ours.id()).set_if_match(current.e_tag);
    call.origin_access_control_config(config).send().await.expect("it can be changed");
}

async fn headers_policy(stage: &Stage, stack: &str) {
    let cloudfront = &stage.clients.cloudfront;
    let list = cloudfront.list_response_headers_policies().r#type(ResponseHeadersPolicyType::Custom);
    let list = list.send().await.expect("they can be listed").response_headers_policy_list;
    let policies = list.iter().flat_map(|list| list.items()).filter_map(|item| item.response_headers_policy());
    let config =
        |policy: &aws_sdk_cloudfront::types::ResponseHeadersPolicy| policy.response_headers_policy_config.clone();
    // The stacks of an account share it now.
    let is_shared = |name: &str| name.starts_with("peersync-") && name.len() == "peersync-".len() + 20;
    let mut ours = policies.filter(|policy| config(policy).is_some_and(|config| is_shared(&config.name)));
    let ours = ours.next().expect("the stack has one");
    let mut earlier = config(ours).expect("it has a configuration");
    earlier.name = format!("{stack}-site");
    earlier.comment = Some(format!("PeerSync stack {stack}"));
    let current = cloudfront.get_response_headers_policy().id(ours.id()).send().await.expect("it can be read");
    let call = cloudfront.update_response_headers_policy().id(ours.id()).set_if_match(current.e_tag);
    call.response_headers_policy_config(earlier).send().await.expect("it can be changed");
}

async fn dashboard(stage: &Stage, stack: &str) {
    let cloudwatch = &stage.clients.cloudwatch;
    let name = format!("{stack}-{REGION}-stack");
    let body = cloudwatch.get_dashboard().dashboard_name(&name).send().await.expect("the stack has one");
    let body = body.dashboard_body.unwrap_or_default().replace(&format!("{stack} in {REGION}"), stack);
    cloudwatch.put_dashboard().dashboard_name(stack).dashboard_body(body).send().await.expect("it can be set");
    cloudwatch.delete_dashboards().dashboard_names(name).send().await.expect("it can be deleted");
}
