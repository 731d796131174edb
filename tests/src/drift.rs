//! Drift: each function changes one resource of a stack in AWS, as somebody outside of the deployer would.

use aws_sdk_apigateway::types::{Op, PatchOperation};
use aws_sdk_cloudfront::types::{
    OriginAccessControlConfig, OriginAccessControlSigningBehaviors, ResponseHeadersPolicyConfig,
    ResponseHeadersPolicyType,
};
use aws_sdk_ec2::types::{IamInstanceProfileSpecification, IpPermission, IpRange};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_s3::types::{CorsConfiguration, CorsRule};

use crate::clients::REGION;
use crate::stage::Stage;
use crate::unmanaged::{TRUST, empty_zip};

/// Replaces the code of a function.
pub async fn program_of_a_function(stage: &Stage) {
    let call = stage.clients.lambda.update_function_code().function_name(format!("{}-login", stage.stack()));
    call.zip_file(Blob::new(empty_zip())).send().await.expect("the program can be changed");
}

/// Lets an API outside of the stack call a function.
pub async fn permission(stage: &Stage) {
    let (lambda, name) = (&stage.clients.lambda, format!("{}-login", stage.stack()));
    let call = lambda.remove_permission().function_name(&name).statement_id("peersync-api");
    call.send().await.expect("the permission is there");
    let call = lambda.add_permission().function_name(&name).statement_id("peersync-api");
    let call = call.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com");
    let call = call.source_arn("arn:aws:execute-api:eu-central-1:1:x/*/*/*");
    call.send().await.expect("the permission can be re-created");
}

/// Lets another service assume a role.
pub async fn trust(stage: &Stage) {
    let role = format!("{}-{REGION}-login", stage.stack());
    let document = TRUST.replace("lambda.amazonaws.com", "ec2.amazonaws.com");
    let call = stage.clients.iam.update_assume_role_policy().role_name(role).policy_document(document);
    call.send().await.expect("the trust can be changed");
}

/// Attaches another policy to a role.
pub async fn managed_policy(stage: &Stage) {
    let role = format!("{}-{REGION}-rooms", stage.stack());
    let call = stage.clients.iam.attach_role_policy().role_name(role);
    call.policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess").send().await.expect("the policy can be attached");
}

/// Removes the role from the instance profile of the host.
pub async fn profile_without_role(stage: &Stage) {
    let name = format!("{}-{REGION}-signal", stage.stack());
    let call = stage.clients.iam.remove_role_from_instance_profile().instance_profile_name(&name).role_name(&name);
    call.send().await.expect("the role can be taken out");
}

/// Makes the distribution send unsigned requests to the bucket.
pub async fn access_control(stage: &Stage) {
    let cloudfront = &stage.clients.cloudfront;
    let controls = cloudfront.list_origin_access_controls().send().await.expect("they can be listed");
    let list = controls.origin_access_control_list().expect("the answer has a list");
    let ours = list.items().iter().find(|control| control.name().starts_with(stage.stack()));
    let id = ours.expect("the stack has one").id();
    let control = cloudfront.get_origin_access_control().id(id).send().await.expect("it can be read");
    let config = control.origin_access_control().and_then(|control| control.origin_access_control_config());
    let config = config.expect("it has a configuration");
    let never = OriginAccessControlConfig::builder()
        .name(config.name())
        .set_description(config.description().map(str::to_owned))
        .signing_protocol(config.signing_protocol().clone())
        .signing_behavior(OriginAccessControlSigningBehaviors::Never)
        .origin_access_control_origin_type(config.origin_access_control_origin_type().clone())
        .build()
        .expect("it is complete");
    let call = cloudfront.update_origin_access_control().id(id).set_if_match(control.e_tag.clone());
    call.origin_access_control_config(never).send().await.expect("it can be changed");
}

/// Removes the response headers of the pages.
pub async fn headers_policy(stage: &Stage) {
    let cloudfront = &stage.clients.cloudfront;
    let call = cloudfront.list_response_headers_policies().r#type(ResponseHeadersPolicyType::Custom);
    let policies = call.send().await.expect("they can be listed");
    let summary = policies.response_headers_policy_list().and_then(|list| list.items().first());
    let id = summary.and_then(|summary| summary.response_headers_policy()).expect("the stack has one").id();
    let policy = cloudfront.get_response_headers_policy().id(id).send().await.expect("it can be read");
    let config = policy.response_headers_policy().and_then(|policy| policy.response_headers_policy_config());
    let config = config.expect("it has a configuration");
    let empty = ResponseHeadersPolicyConfig::builder().name(config.name());
    let empty = empty.set_comment(config.comment().map(str::to_owned)).build().expect("it is complete");
    let call = cloudfront.update_response_headers_policy().id(id).set_if_match(policy.e_tag.clone());
    call.response_headers_policy_config(empty).send().await.expect("it can be changed");
}

/// Opens port 22 of the host to everybody.
pub async fn open_port(stage: &Stage) {
    let ec2 = &stage.clients.ec2;
    let groups = ec2.describe_security_groups().send().await.expect("they can be listed");
    let is_ours = |name: Option<&str>| name.is_some_and(|name| name.starts_with(stage.stack()));
    let ours = groups.security_groups().iter().find(|group| is_ours(group.group_name())).expect("the stack has one");
    let everyone = IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(everyone).build();
    let call = ec2.authorize_security_group_ingress().set_group_id(ours.group_id().map(str::to_owned));
    call.ip_permissions(ssh).send().await.expect("a rule can be added");
}

/// Replaces the instance profile of the host.
pub async fn profile_of_the_host(stage: &Stage) {
    let ec2 = &stage.clients.ec2;
    let call = stage.clients.iam.create_instance_profile().instance_profile_name("theirs");
    call.send().await.expect("a profile can be created");
    let profiles = ec2.describe_iam_instance_profile_associations().send().await.expect("they can be listed");
    let association = profiles.iam_instance_profile_associations().first().expect("the host has one");
    let theirs = IamInstanceProfileSpecification::builder().name("theirs").build();
    let call = ec2.replace_iam_instance_profile_association().iam_instance_profile(theirs);
    let call = call.set_association_id(association.association_id().map(str::to_owned));
    call.send().await.expect("it can be replaced");
}

/// Stops the host.
pub async fn stopped_host(stage: &Stage) {
    let hosts = stage.clients.ec2.describe_instances().send().await.expect("they can be listed");
    let mut hosts = hosts.reservations().iter().flat_map(|reservation| reservation.instances());
    let id = hosts.next().and_then(|host| host.instance_id()).expect("the host is there");
    stage.clients.ec2.stop_instances().instance_ids(id).send().await.expect("it can be stopped");
}

/// Protects a table from deletion.
pub async fn protected_table(stage: &Stage) {
    let call = stage.clients.dynamodb.update_table().table_name(format!("{}-Users", stage.stack()));
    call.deletion_protection_enabled(true).send().await.expect("it can be protected");
}

/// Deletes a page.
pub async fn missing_page(stage: &Stage) {
    let call = stage.clients.s3.delete_object().bucket(stage.bucket()).key("index.html");
    call.send().await.expect("it can be deleted");
}

/// Overwrites the program of the host in the bucket.
pub async fn program_in_the_bucket(stage: &Stage) {
    let call = stage.clients.s3.put_object().bucket(stage.bucket()).key("programs/signal.gz");
    call.body(b"theirs".to_vec().into()).send().await.expect("it can be overwritten");
}

async fn api_id(stage: &Stage) -> String {
    let apis = stage.clients.api_gateway.get_rest_apis().send().await.expect("they can be listed");
    let name = format!("{}-api", stage.stack());
    let ours = apis.items().iter().find(|api| api.name() == Some(name.as_str()));
    ours.and_then(|api| api.id()).expect("the stack has one").to_owned()
}

fn replace(path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Replace).path(path).value(value).build()
}

/// Changes the description of the API.
pub async fn description_of_the_api(stage: &Stage) {
    let call = stage.clients.api_gateway.update_rest_api().rest_api_id(api_id(stage).await);
    call.patch_operations(replace("/description", "theirs")).send().await.expect("it can be changed");
}

/// Raises the request rate that the API allows.
pub async fn throttling(stage: &Stage) {
    let call = stage.clients.api_gateway.update_stage().rest_api_id(api_id(stage).await).stage_name("api");
    let call = call.patch_operations(replace("/*/*/throttling/rateLimit", "9999"));
    call.send().await.expect("it can be changed");
}

/// Lets one route take as much as all others together.
pub async fn throttling_of_a_route(stage: &Stage) {
    let call = stage.clients.api_gateway.update_stage().rest_api_id(api_id(stage).await).stage_name("api");
    let call = call.patch_operations(replace("/~1login~1verify/POST/throttling/burstLimit", "5000"));
    call.send().await.expect("it can be changed");
}

/// Reserves no concurrency for a function, so that nobody can call it.
pub async fn no_concurrency(stage: &Stage) {
    let call = stage.clients.lambda.put_function_concurrency().function_name(format!("{}-signup", stage.stack()));
    call.reserved_concurrent_executions(0).send().await.expect("the concurrency can be reserved");
}

/// Lets everybody call a function.
pub async fn public_function(stage: &Stage) {
    let call = stage.clients.lambda.add_permission().function_name(format!("{}-friends", stage.stack()));
    let call = call.statement_id("everybody").action("lambda:InvokeFunction").principal("*");
    call.send().await.expect("the statement can be added");
}

/// Switches the actions of an alarm off.
pub async fn silent_alarm(stage: &Stage) {
    let call = stage.clients.cloudwatch.disable_alarm_actions().alarm_names(format!("{}-api-5xx", stage.stack()));
    call.send().await.expect("the actions can be switched off");
}

/// Gives a page another content type, as by an upload of the same file with another tool, once S3's clock, which counts
/// seconds, shows a later one than at the upload.
pub async fn content_type(stage: &Stage) {
    let (s3, bucket) = (&stage.clients.s3, stage.bucket());
    let listed = s3.list_objects_v2().bucket(&bucket).send().await.expect("the bucket can be listed");
    let uploaded = listed.contents().iter().filter_map(|object| object.last_modified()).max().map(|time| time.secs());
    let page = s3.get_object().bucket(&bucket).key("index.html").send().await.expect("the page is there");
    let body = page.body.collect().await.expect("the page can be read").to_vec();
    loop {
        let call = s3.put_object().bucket(&bucket).key("index.html").content_type("application/octet-stream");
        call.body(body.clone().into()).send().await.expect("the page can be put");
        let head = s3.head_object().bucket(&bucket).key("index.html").send().await.expect("the page is there");
        if head.last_modified().map(|time| time.secs()) > uploaded {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Lets the pages of every origin read the bucket.
pub async fn cors(stage: &Stage) {
    let rule = CorsRule::builder().allowed_methods("GET").allowed_origins("*").build().expect("the rule is complete");
    let rules = CorsConfiguration::builder().cors_rules(rule).build().expect("the rules are complete");
    let call = stage.clients.s3.put_bucket_cors().bucket(stage.bucket()).cors_configuration(rules);
    call.send().await.expect("the rules can be set");
}

/// Lets every distribution of AWS read the bucket.
pub async fn open_bucket(stage: &Stage) {
    let bucket = stage.bucket();
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"cloudfront.amazonaws.com"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}}]}}"#
    );
    let call = stage.clients.s3.put_bucket_policy().bucket(bucket).policy(policy);
    call.send().await.expect("the policy can be replaced");
}

/// Removes all graphs of the dashboard.
pub async fn empty_dashboard(stage: &Stage) {
    let cloudwatch = &stage.clients.cloudwatch;
    let name = format!("{}-{REGION}-stack", stage.stack());
    let body = cloudwatch.get_dashboard().dashboard_name(&name).send().await.expect("the stack has one");
    let body: serde_json::Value =
        serde_json::from_str(body.dashboard_body().unwrap_or_default()).expect("the dashboard is JSON");
    let widgets = body["widgets"].as_array().cloned().unwrap_or_default();
    let texts: Vec<_> = widgets.into_iter().filter(|widget| widget["type"] == "text").collect();
    let body = serde_json::json!({ "widgets": texts }).to_string();
    cloudwatch.put_dashboard().dashboard_name(name).dashboard_body(body).send().await.expect("it can be replaced");
}
