//! Everything that an account contains, listed from every service. Two equal censuses prove that nothing was left
//! and that no unmanaged resource was changed.

use std::collections::BTreeMap;
use std::fmt::Debug;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::clients::Clients;

/// `service:kind/id` → everything that the listing returns for it.
pub type Census = BTreeMap<String, String>;

/// Adds what an account holds of one service.
type List = for<'a> fn(&'a Clients, &'a mut Census) -> BoxFuture<'a, ()>;

/// What is listed of each service that keeps anything, by the service's prefix.
const LISTS: &[(&str, List)] = &[
    ("apigateway", |clients, all| gateway(clients, all).boxed()),
    ("cloudfront", |clients, all| edge(clients, all).boxed()),
    ("cloudwatch", |clients, all| watching(clients, all).boxed()),
    ("dynamodb", |clients, all| tables(clients, all).boxed()),
    ("ec2", |clients, all| hosts(clients, all).boxed()),
    ("iam", |clients, all| identities(clients, all).boxed()),
    ("lambda", |clients, all| functions(clients, all).boxed()),
    ("logs", |clients, all| logs(clients, all).boxed()),
    ("s3", |clients, all| buckets(clients, all).boxed()),
    ("sns", |clients, all| topics(clients, all).boxed()),
    ("ssm", |clients, all| parameters(clients, all).boxed()),
];

/// Counts everything.
pub async fn census(clients: &Clients) -> Census {
    census_without(clients, &[]).await
}

/// Counts what an endpoint without CloudFront and DynamoDB has.
pub async fn census_without_edge_and_tables(clients: &Clients) -> Census {
    census_without(clients, &["cloudfront", "dynamodb"]).await
}

async fn census_without(clients: &Clients, services: &[&str]) -> Census {
    let mut all = Census::new();
    for (_, list) in LISTS.iter().filter(|(service, _)| !services.contains(service)) {
        list(clients, &mut all).await;
    }
    all
}

/// Returns what was added, removed and changed between `before` and `after`.
pub fn difference(before: &Census, after: &Census) -> Vec<String> {
    let added = after.keys().filter(|key| !before.contains_key(*key)).map(|key| format!("left: {key}"));
    let missing = before.keys().filter(|key| !after.contains_key(*key)).map(|key| format!("gone: {key}"));
    let changed = before.iter().filter_map(|(key, was)| {
        let is = after.get(key).filter(|is| *is != was)?;
        Some(format!("changed: {key}\n  was {was}\n  is  {is}"))
    });
    added.chain(missing).chain(changed).collect()
}

fn add(all: &mut Census, kind: &str, id: Option<&str>, what: &impl Debug) {
    all.insert(format!("{kind}/{}", id.unwrap_or("?")), format!("{what:?}"));
}

async fn buckets(clients: &Clients, all: &mut Census) {
    let s3 = &clients.s3;
    let answer = s3.list_buckets().send().await.expect("the buckets can be listed");
    for bucket in answer.buckets() {
        let name = bucket.name().unwrap_or_default();
        let versions = s3.list_object_versions().bucket(name).send().await.expect("the versions can be listed");
        let objects: Vec<_> = versions.versions().iter().map(|one| (one.key(), one.e_tag())).collect();
        let tags = s3.get_bucket_tagging().bucket(name).send().await.map(|answer| answer.tag_set).unwrap_or_default();
        let policy = s3.get_bucket_policy().bucket(name).send().await.ok().and_then(|answer| answer.policy);
        add(all, "s3:bucket", Some(name), &(objects, tags, policy));
    }
}

async fn edge(clients: &Clients, all: &mut Census) {
    let cloudfront = &clients.cloudfront;
    let answer = cloudfront.list_distributions().send().await.expect("the distributions can be listed");
    for distribution in answer.distribution_list().map(|list| list.items()).unwrap_or_default() {
        let seen = (distribution.comment(), distribution.enabled(), distribution.origins());
        add(all, "cloudfront:distribution", Some(distribution.id()), &seen);
    }
    let answer = cloudfront.list_origin_access_controls().send().await.expect("the access controls can be listed");
    for control in answer.origin_access_control_list().map(|list| list.items()).unwrap_or_default() {
        add(all, "cloudfront:origin-access-control", Some(control.id()), control);
    }
    let policies = cloudfront.list_response_headers_policies();
    let policies = policies.r#type(aws_sdk_cloudfront::types::ResponseHeadersPolicyType::Custom).send().await;
    // moto does not have them.
    let policies = policies.ok().and_then(|answer| answer.response_headers_policy_list);
    for summary in policies.iter().flat_map(|list| list.items()) {
        let policy = summary.response_headers_policy();
        add(all, "cloudfront:response-headers-policy", policy.map(|policy| policy.id()), &policy);
    }
    let functions = cloudfront.list_functions().send().await.ok().and_then(|answer| answer.function_list);
    for function in functions.iter().flat_map(|list| list.items()) {
        add(all, "cloudfront:function", Some(function.name()), &function.function_config());
    }
}

async fn tables(clients: &Clients, all: &mut Census) {
    let dynamodb = &clients.dynamodb;
    let answer = dynamodb.list_tables().send().await.expect("the tables can be listed");
    for name in answer.table_names() {
        let table = dynamodb.describe_table().table_name(name).send().await.ok().and_then(|answer| answer.table);
        let seen = table.as_ref().map(|table| (table.key_schema(), table.deletion_protection_enabled()));
        let arn = table.as_ref().and_then(|table| table.table_arn()).unwrap_or_default();
        let tags = dynamodb.list_tags_of_resource().resource_arn(arn).send().await.ok().and_then(|answer| answer.tags);
        add(all, "dynamodb:table", Some(name), &(seen, tags));
    }
    let backups = dynamodb.list_backups().send().await.ok().and_then(|answer| answer.backup_summaries);
    for backup in backups.unwrap_or_default() {
        add(all, "dynamodb:backup", backup.backup_name(), &backup.table_name());
    }
}

async fn functions(clients: &Clients, all: &mut Census) {
    let answer = clients.lambda.list_functions().send().await.expect("the functions can be listed");
    for function in answer.functions() {
        let seen = (function.code_sha256(), function.memory_size(), function.role());
        add(all, "lambda:function", function.function_name(), &seen);
    }
}

async fn gateway(clients: &Clients, all: &mut Census) {
    let answer = clients.api_gateway.get_rest_apis().send().await.expect("the APIs can be listed");
    for api in answer.items() {
        add(all, "apigateway:rest-api", api.id(), &(api.name(), api.description()));
    }
    // Not every emulator has the account's settings.
    let account = clients.api_gateway.get_account().send().await.ok();
    let role = account.and_then(|account| account.cloudwatch_role_arn).filter(|role| !role.is_empty());
    add(all, "apigateway:account", Some("role of the logs"), &role);
}

async fn hosts(clients: &Clients, all: &mut Census) {
    let ec2 = &clients.ec2;
    let answer = ec2.describe_instances().send().await.expect("the instances can be listed");
    for instance in answer.reservations().iter().flat_map(|reservation| reservation.instances()) {
        let state = instance.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned());
        // AWS lists terminated instances for another hour.
        if state.as_deref() != Some("terminated") {
            add(
                all,
                "ec2:instance",
                instance.instance_id(),
                &(state, instance.instance_type(), sorted(instance.tags())),
            );
        }
    }
    let answer = ec2.describe_security_groups().send().await.expect("the security groups can be listed");
    for group in answer.security_groups() {
        let seen = (group.group_name(), group.ip_permissions(), sorted(group.tags()));
        add(all, "ec2:security-group", group.group_id(), &seen);
    }
    let answer = ec2.describe_addresses().send().await.expect("the addresses can be listed");
    for address in answer.addresses() {
        add(all, "ec2:address", address.allocation_id(), &(address.public_ip(), sorted(address.tags())));
    }
    let vpcs = ec2.describe_vpcs().send().await.expect("the networks can be listed");
    for vpc in vpcs.vpcs() {
        add(all, "ec2:vpc", vpc.vpc_id(), &vpc.cidr_block());
    }
}

fn sorted(tags: &[aws_sdk_ec2::types::Tag]) -> BTreeMap<Option<&str>, Option<&str>> {
    tags.iter().map(|tag| (tag.key(), tag.value())).collect()
}

async fn identities(clients: &Clients, all: &mut Census) {
    let iam = &clients.iam;
    let answer = iam.list_roles().send().await.expect("the roles can be listed");
    for role in answer.roles() {
        let policies = iam.list_role_policies().role_name(role.role_name()).send().await.ok();
        let tags = iam.list_role_tags().role_name(role.role_name()).send().await.map(|answer| answer.tags);
        let policies = policies.map(|answer| answer.policy_names);
        add(all, "iam:role", Some(role.role_name()), &(policies, tags.unwrap_or_default()));
    }
    let answer = iam.list_instance_profiles().send().await.expect("the instance profiles can be listed");
    for profile in answer.instance_profiles() {
        let roles: Vec<_> = profile.roles().iter().map(|role| role.role_name()).collect();
        add(all, "iam:instance-profile", Some(profile.instance_profile_name()), &roles);
    }
    let policies = iam.list_policies().scope(aws_sdk_iam::types::PolicyScopeType::Local).send().await;
    for policy in policies.map(|answer| answer.policies.unwrap_or_default()).unwrap_or_default() {
        add(all, "iam:policy", policy.policy_name(), &policy.default_version_id());
    }
}

async fn parameters(clients: &Clients, all: &mut Census) {
    let answer = clients.ssm.describe_parameters().send().await.expect("the parameters can be listed");
    // AWS's own keys, which LocalStack creates when they are first used, belong to nobody.
    let is_public = |parameter: &&aws_sdk_ssm::types::ParameterMetadata| {
        parameter.name().is_some_and(|name| name.starts_with("/aws/"))
    };
    for parameter in answer.parameters().iter().filter(|parameter| !is_public(parameter)) {
        add(all, "ssm:parameter", parameter.name(), &(parameter.r#type(), parameter.version()));
    }
}

async fn logs(clients: &Clients, all: &mut Census) {
    let answer = clients.logs.describe_log_groups().send().await.expect("the log groups can be listed");
    for group in answer.log_groups() {
        add(all, "logs:group", group.log_group_name(), &group.retention_in_days());
    }
    let filters = clients.logs.describe_metric_filters().send().await.map(|answer| answer.metric_filters);
    for filter in filters.ok().flatten().unwrap_or_default() {
        add(all, "logs:metric-filter", filter.filter_name(), &filter.filter_pattern());
    }
}

async fn topics(clients: &Clients, all: &mut Census) {
    let answer = clients.sns.list_topics().send().await.map(|answer| answer.topics);
    for topic in answer.ok().flatten().unwrap_or_default() {
        add(all, "sns:topic", topic.topic_arn(), &());
    }
}

async fn watching(clients: &Clients, all: &mut Census) {
    let answer = clients.cloudwatch.describe_alarms().send().await.expect("the alarms can be listed");
    for alarm in answer.metric_alarms() {
        add(all, "cloudwatch:alarm", alarm.alarm_name(), &(alarm.threshold(), alarm.metric_name()));
    }
    let dashboards = clients.cloudwatch.list_dashboards().send().await.map(|answer| answer.dashboard_entries);
    for dashboard in dashboards.ok().flatten().unwrap_or_default() {
        add(all, "cloudwatch:dashboard", dashboard.dashboard_name(), &());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use peersync_aws::SERVICES;

    use super::LISTS;

    #[test]
    fn census_lists_every_service_that_keeps_resources() {
        let listed: BTreeSet<&str> = LISTS.iter().map(|(service, _)| *service).collect();
        let keeping = SERVICES.iter().filter(|service| service.keeps_resources).map(|service| service.prefix);
        assert_eq!(listed, keeping.collect());
    }
}
