//! Resources in the same account that no stack manages and that no command may change.

use aws_sdk_cloudfront::types::{
    OriginAccessControlConfig, OriginAccessControlOriginTypes, OriginAccessControlSigningBehaviors,
    OriginAccessControlSigningProtocols, ResponseHeadersPolicyConfig,
};
use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use aws_sdk_ssm::types::ParameterType;

use crate::clients::{Clients, REGION};

/// A trust policy that lets Lambda assume a role.
pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Returns the smallest valid zip, which is only its end record.
pub fn empty_zip() -> Vec<u8> {
    [b"PK\x05\x06".as_slice(), &[0; 18]].concat()
}

/// Creates one resource of each kind in the account, with names that resemble those of the stack.
pub async fn plant(clients: &Clients, account: &str) {
    bucket(clients, &format!("peersync-other-{account}-{REGION}")).await;
    table(clients, "peersync-other-Users", "email").await;
    let role = role(clients, "peersync-other-signup").await;
    function(clients, "peersync-other-signup", &role).await;
    log_group(clients, "/aws/lambda/peersync-other-signup").await;
    parameter(clients, "/peersync/peersync-other/ticket-key").await;
    alarm(clients, "peersync-other-errors").await;
    host(clients).await;
    clients.api_gateway.create_rest_api().name("peersync-other").send().await.expect("an API can be created");
    access_control(clients, "peersync-other").await;
}

/// Creates a bucket with an object.
pub async fn bucket(clients: &Clients, name: &str) {
    let place =
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(REGION)).build();
    let call = clients.s3.create_bucket().bucket(name).create_bucket_configuration(place);
    call.send().await.expect("a bucket can be created");
    let put = clients.s3.put_object().bucket(name).key("theirs.txt").body(b"theirs".to_vec().into());
    put.send().await.expect("an object can be put");
}

/// Creates a table with a string key.
pub async fn table(clients: &Clients, name: &str, key: &str) {
    let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash).build();
    let key = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S).build();
    let call = clients.dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let call = call.attribute_definitions(key.expect("a whole definition")).key_schema(schema.expect("a whole key"));
    call.send().await.expect("a table can be created");
}

/// Creates a role and returns its ARN.
pub async fn role(clients: &Clients, name: &str) -> String {
    let call = clients.iam.create_role().role_name(name).assume_role_policy_document(TRUST);
    call.send().await.expect("a role can be created").role.expect("the answer has the role").arn
}

/// Creates a function.
pub async fn function(clients: &Clients, name: &str, role: &str) {
    let code = FunctionCode::builder().zip_file(Blob::new(empty_zip())).build();
    let call = clients.lambda.create_function().function_name(name).runtime(Runtime::Providedal2023);
    call.handler("bootstrap").code(code).role(role).send().await.expect("a function can be created");
}

/// Creates a log group.
pub async fn log_group(clients: &Clients, name: &str) {
    clients.logs.create_log_group().log_group_name(name).send().await.expect("a log group can be created");
}

/// Creates a parameter.
pub async fn parameter(clients: &Clients, name: &str) {
    let call = clients.ssm.put_parameter().name(name).value("theirs").r#type(ParameterType::SecureString);
    call.send().await.expect("a parameter can be created");
}

/// Creates an alarm.
pub async fn alarm(clients: &Clients, name: &str) {
    let call = clients.cloudwatch.put_metric_alarm().alarm_name(name).namespace("AWS/Lambda").metric_name("Errors");
    let call = call.statistic(Statistic::Sum).period(300).evaluation_periods(1).threshold(7.0);
    let call = call.comparison_operator(ComparisonOperator::GreaterThanThreshold);
    call.send().await.expect("an alarm can be created");
}

async fn host(clients: &Clients) {
    let ec2 = &clients.ec2;
    let group = ec2.create_security_group().group_name("peersync-other-signal").description("theirs").send().await;
    let group = group.expect("a security group can be created").group_id.expect("the answer has the group");
    let run = ec2.run_instances().image_id("ami-theirs").min_count(1).max_count(1).security_group_ids(group);
    run.send().await.expect("an instance can be run");
    ec2.allocate_address().send().await.expect("an address can be allocated");
}

async fn access_control(clients: &Clients, name: &str) {
    let config = OriginAccessControlConfig::builder()
        .name(name)
        .signing_protocol(OriginAccessControlSigningProtocols::Sigv4)
        .signing_behavior(OriginAccessControlSigningBehaviors::Always)
        .origin_access_control_origin_type(OriginAccessControlOriginTypes::S3);
    let config = config.build().expect("a whole access control");
    let call = clients.cloudfront.create_origin_access_control().origin_access_control_config(config);
    call.send().await.expect("an access control can be created");
}

/// Creates a response-headers policy.
pub async fn headers_policy(clients: &Clients, name: &str) {
    let config = ResponseHeadersPolicyConfig::builder().name(name).build().expect("a whole policy");
    let call = clients.cloudfront.create_response_headers_policy().response_headers_policy_config(config);
    call.send().await.expect("a policy can be created");
}
