//! The proxy itself, in front of MiniStack: its log, its faults, and each behaviour of AWS.

use std::time::{Duration, Instant};

use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, LastUpdateStatus, Runtime};
use aws_sdk_s3::types::CreateBucketConfiguration;
use peersync_tests::clients::{self, Clients, REGION};
use peersync_tests::emulator::{Emulator, fresh_account};
use peersync_tests::proxy::behaviour::{Behaviour, Times};
use peersync_tests::proxy::faults::{Fault, Faults};
use peersync_tests::proxy::log::{longest_chain, mutating};
use peersync_tests::proxy::{Proxy, Settings};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

const BUCKET_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::proxy-aborted/*"}]}"#;

async fn bucket(clients: &Clients, name: &str) {
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    clients.s3.create_bucket().bucket(name).create_bucket_configuration(place).send().await.unwrap();
}

async fn behind(settings: Settings) -> (Proxy, Clients) {
    let proxy = Proxy::start(&Emulator::shared().url, settings).await.unwrap();
    let clients = clients::of_account(&proxy.url, &fresh_account()).await;
    (proxy, clients)
}

async fn with(behaviour: Behaviour) -> (Proxy, Clients) {
    let times = Times { fresh: Duration::from_millis(300), ..Times::default() };
    behind(Settings { behaviours: vec![behaviour], times, ..Settings::default() }).await
}

/// Repeats a call until it succeeds, and returns the error codes of the failures before.
async fn until_ok<T, E: std::fmt::Debug, F: Future<Output = Result<T, (String, E)>>>(
    mut call: impl FnMut() -> F,
) -> (T, Vec<String>) {
    let started = Instant::now();
    let mut codes: Vec<String> = Vec::new();
    loop {
        match call().await {
            Ok(answer) => return (answer, codes),
            Err((code, error)) => {
                assert!(started.elapsed() < Duration::from_secs(20), "it never succeeds: {error:?}");
                if codes.last() != Some(&code) {
                    codes.push(code);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

macro_rules! coded {
    ($call:expr) => {
        $call.await.map_err(|error| (error.code().unwrap_or("none").to_owned(), error))
    };
}

// Declared after the macro, so that they can use it.
mod gateway;
mod rates;
mod tables;

async fn role(clients: &Clients, name: &str) -> String {
    let call = clients.iam.create_role().role_name(name).assume_role_policy_document(TRUST);
    call.send().await.unwrap().role.unwrap().arn
}

fn function(
    clients: &Clients,
    role: &str,
) -> aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder {
    // The smallest valid zip: only its end record.
    let zip = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
    clients
        .lambda
        .create_function()
        .function_name("f")
        .runtime(Runtime::Providedal2023)
        .handler("h")
        .code(code)
        .role(role)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_recorded_with_its_operation() {
    let (proxy, clients) = behind(Settings::default()).await;
    clients.s3.list_buckets().send().await.unwrap();
    bucket(&clients, "proxy-log").await;
    tables::table(&clients).await;
    role(&clients, "r").await;
    clients.cloudfront.list_distributions().send().await.unwrap();
    clients.api_gateway.create_rest_api().name("a").send().await.unwrap();
    clients.ec2.describe_instances().send().await.unwrap();
    clients.cloudwatch.describe_alarms().send().await.unwrap();
    let records = proxy.log.take();
    let actions: Vec<String> = records.iter().map(|record| record.action()).collect();
    assert_eq!(
        actions,
        [
            "s3:ListBuckets",
            "s3:CreateBucket",
            "dynamodb:CreateTable",
            "iam:CreateRole",
            "cloudfront:ListDistributions",
            "apigateway:CreateRestApi",
            "ec2:DescribeInstances",
            "monitoring:DescribeAlarms"
        ]
    );
    assert_eq!(mutating(&records).len(), 4);
    assert_eq!(longest_chain(&records).len(), 8);
    assert!(proxy.log.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_is_added_to_each_request() {
    let (_proxy, clients) = behind(Settings { latency: Duration::from_millis(120), ..Settings::default() }).await;
    let started = Instant::now();
    clients.s3.list_buckets().send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(120));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_the_form_of_its_service() {
    let throttled = &["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"][..];
    for (fault, expected) in [
        (Fault::Throttled, throttled),
        (Fault::TooManyRequests, throttled),
        (Fault::SlowDown, &["ServiceUnavailable"]),
        (Fault::Internal, &["InternalError"]),
    ] {
        let faults = Some(Faults::new(&[fault], 1.0, 1));
        let (_proxy, clients) = behind(Settings { faults, ..Settings::default() }).await;
        let error = clients.dynamodb.list_tables().send().await.unwrap_err();
        assert!(error.code().is_some_and(|code| expected.contains(&code)), "{fault:?}: {error:?}");
    }
    let faults = Some(Faults::new(&[Fault::SlowDown], 1.0, 1));
    let (_proxy, clients) = behind(Settings { faults, ..Settings::default() }).await;
    assert_eq!(clients.s3.list_buckets().send().await.unwrap_err().code(), Some("SlowDown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_dropped_before_or_after_the_call() {
    for (fault, made) in [(Fault::DroppedBefore, false), (Fault::DroppedAfter, true)] {
        let faults = Some(Faults::new(&[fault], 1.0, 1));
        let proxy = Proxy::start(&Emulator::shared().url, Settings { faults, ..Settings::default() }).await.unwrap();
        let account = fresh_account();
        let through = clients::of_account(&proxy.url, &account).await;
        let error =
            through.iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap_err();
        assert!(error.as_service_error().is_none(), "{error:?}");
        let straight = clients::of_account(&Emulator::shared().url, &account).await;
        assert_eq!(straight.iam.get_role().role_name("r").send().await.is_ok(), made, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_occur_at_their_rate_and_repeat_with_the_seed() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let faults = Some(Faults::new(&[Fault::Internal], 0.3, 7));
        let (_proxy, clients) = behind(Settings { faults, ..Settings::default() }).await;
        let mut failed = Vec::new();
        for number in 0..60 {
            if clients.s3.list_buckets().send().await.is_err() {
                failed.push(number);
            }
        }
        seen.push(failed);
    }
    assert_eq!(seen[0], seen[1]);
    assert!((6..=30).contains(&seen[0].len()), "{:?}", seen[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_refusal_is_returned() {
    let refuse = vec![("CreateTable".to_owned(), 400, "AccessDeniedException".to_owned(), "no".to_owned())];
    let (_proxy, clients) = behind(Settings { refuse, ..Settings::default() }).await;
    let error = clients.dynamodb.create_table().table_name("table").send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
}

#[tokio::test(flavor = "multi_thread")]
async fn role_is_not_assumable_at_first() {
    let (_proxy, clients) = with(Behaviour::RoleNotAssumable).await;
    let absent = function(&clients, "arn:aws:iam::000000000000:role/absent").send().await.unwrap_err();
    assert_eq!(absent.code(), Some("InvalidParameterValueException"));
    assert!(absent.message().unwrap().contains("cannot be assumed by Lambda"));
    let role = role(&clients, "r").await;
    let (_, codes) = until_ok(async || coded!(function(&clients, &role).send())).await;
    assert_eq!(codes, ["InvalidParameterValueException"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn instance_profile_is_invalid_at_first() {
    let (_proxy, clients) = with(Behaviour::InvalidInstanceProfile).await;
    role(&clients, "r").await;
    clients.iam.create_instance_profile().instance_profile_name("p").send().await.unwrap();
    clients.iam.add_role_to_instance_profile().instance_profile_name("p").role_name("r").send().await.unwrap();
    let profile = aws_sdk_ec2::types::IamInstanceProfileSpecification::builder().name("p").build();
    let run = async || {
        let call = clients.ec2.run_instances().image_id("ami-1").min_count(1).max_count(1);
        coded!(call.iam_instance_profile(profile.clone()).send())
    };
    let (_, codes) = until_ok(run).await;
    assert_eq!(codes, ["InvalidParameterValue"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn role_in_use_is_not_deleted() {
    let (_proxy, clients) = with(Behaviour::DeleteConflict).await;
    role(&clients, "r").await;
    let policy = clients.iam.put_role_policy().role_name("r").policy_name("p").policy_document(POLICY);
    policy.send().await.unwrap();
    let refused = clients.iam.delete_role().role_name("r").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("DeleteConflict"));
    clients.iam.delete_role_policy().role_name("r").policy_name("p").send().await.unwrap();
    // A detached policy takes a moment to disappear everywhere.
    let (_, codes) = until_ok(async || coded!(clients.iam.delete_role().role_name("r").send())).await;
    assert_eq!(codes, ["DeleteConflict"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn security_group_in_use_until_its_instance_is_terminated() {
    let (_proxy, clients) = with(Behaviour::DependencyViolation).await;
    let ec2 = &clients.ec2;
    let group = ec2.create_security_group().group_name("g").description("d").send().await.unwrap().group_id.unwrap();
    let run = ec2.run_instances().image_id("ami-1").min_count(1).max_count(1).security_group_ids(&group);
    let instance = run.send().await.unwrap().instances.unwrap()[0].instance_id.clone().unwrap();
    let state = async || {
        let answer = ec2.describe_instances().instance_ids(&instance).send().await.unwrap();
        answer.reservations()[0].instances()[0].state().unwrap().name().unwrap().as_str().to_owned()
    };
    assert_eq!(state().await, "pending");
    assert_eq!(
        ec2.delete_security_group().group_id(&group).send().await.unwrap_err().code(),
        Some("DependencyViolation")
    );
    ec2.terminate_instances().instance_ids(&instance).send().await.unwrap();
    assert_eq!(state().await, "shutting-down");
    let (_, codes) = until_ok(async || coded!(ec2.delete_security_group().group_id(&group).send())).await;
    assert_eq!(codes, ["DependencyViolation"]);
    assert_eq!(state().await, "terminated");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_client_token_returns_the_same_instance() {
    let (_proxy, clients) = with(Behaviour::ClientToken).await;
    let run = || clients.ec2.run_instances().image_id("ami-1").min_count(1).max_count(1).client_token("once").send();
    let first = run().await.unwrap().instances.unwrap()[0].instance_id.clone();
    assert_eq!(run().await.unwrap().instances.unwrap()[0].instance_id, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn function_being_updated_refuses_another_update() {
    let (_proxy, clients) = with(Behaviour::FunctionInProgress).await;
    let role = role(&clients, "r").await;
    function(&clients, &role).send().await.unwrap();
    let update =
        async || coded!(clients.lambda.update_function_configuration().function_name("f").memory_size(256).send());
    let (answer, codes) = until_ok(update).await;
    assert_eq!(codes, ["ResourceConflictException"]);
    assert_eq!(answer.last_update_status, None, "at first there is no status");
    let status = async || {
        let answer = clients.lambda.get_function_configuration().function_name("f").send().await.unwrap();
        answer.last_update_status
    };
    let mut seen = Vec::new();
    while seen.last() != Some(&Some(LastUpdateStatus::Successful)) {
        let now = status().await;
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(seen, [None, Some(LastUpdateStatus::InProgress), Some(LastUpdateStatus::Successful)]);
    assert!(until_ok(update).await.1.is_empty());
    assert_eq!(until_ok(update).await.1, ["ResourceConflictException"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_bucket_is_not_found_and_its_changes_conflict() {
    let (_proxy, clients) = with(Behaviour::NotFoundAfterCreate).await;
    bucket(&clients, "proxy-fresh").await;
    let put = async || coded!(clients.s3.put_object().bucket("proxy-fresh").key("k").send());
    let (_, codes) = until_ok(put).await;
    assert_eq!(codes, ["NoSuchBucket"]);

    let (_proxy, clients) = with(Behaviour::OperationAborted).await;
    bucket(&clients, "proxy-aborted").await;
    let policy = async || coded!(clients.s3.put_bucket_policy().bucket("proxy-aborted").policy(BUCKET_POLICY).send());
    let (_, codes) = until_ok(policy).await;
    assert_eq!(codes, ["OperationAborted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_control_is_changed_by_somebody_else() {
    let (_proxy, clients) = with(Behaviour::ChangedMeanwhile).await;
    let config = aws_sdk_cloudfront::types::OriginAccessControlConfig::builder().name("c");
    let config = config.signing_protocol("sigv4".into()).signing_behavior("always".into());
    let config = config.origin_access_control_origin_type("s3".into()).build().unwrap();
    let call = clients.cloudfront.create_origin_access_control().origin_access_control_config(config);
    let made = call.send().await.unwrap();
    let id = made.origin_access_control.unwrap().id;
    let delete = async || {
        coded!(clients.cloudfront.delete_origin_access_control().id(&id).set_if_match(made.e_tag.clone()).send())
    };
    assert_eq!(until_ok(delete).await.1, ["PreconditionFailed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_resource_is_not_created_again() {
    let (_proxy, clients) = with(Behaviour::AlreadyThere).await;
    let gateway = &clients.api_gateway;
    let api = gateway.create_rest_api().name("a").send().await.unwrap();
    let (id, root) = (api.id().unwrap(), api.root_resource_id().unwrap());
    let put = || {
        let call = gateway.put_method().rest_api_id(id).resource_id(root).http_method("GET");
        call.authorization_type("NONE").send()
    };
    put().await.unwrap();
    assert_eq!(put().await.unwrap_err().code(), Some("ConflictException"));
    let delete = || gateway.delete_method().rest_api_id(id).resource_id(root).http_method("GET").send();
    delete().await.unwrap();
    assert_eq!(delete().await.unwrap_err().code(), Some("NotFoundException"));
    put().await.unwrap();
    let ec2 = &clients.ec2;
    let group = ec2.create_security_group().group_name("g").description("d").send().await.unwrap();
    let range = aws_sdk_ec2::types::IpRange::builder().cidr_ip("192.0.2.0/24").build();
    let rule = aws_sdk_ec2::types::IpPermission::builder().ip_protocol("tcp").from_port(1).to_port(1).ip_ranges(range);
    let allow = || {
        let call = ec2.authorize_security_group_ingress().set_group_id(group.group_id.clone());
        call.ip_permissions(rule.clone().build()).send()
    };
    allow().await.unwrap();
    assert_eq!(allow().await.unwrap_err().code(), Some("InvalidPermission.Duplicate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn function_recreates_its_deleted_log_group() {
    let (_proxy, clients) = with(Behaviour::LateLog).await;
    let groups = async || {
        let call = clients.logs.describe_log_groups().log_group_name_prefix("/aws/lambda/f");
        call.send().await.unwrap().log_groups.unwrap_or_default().len()
    };
    let role = role(&clients, "r").await;
    function(&clients, &role).send().await.unwrap();
    clients.logs.create_log_group().log_group_name("/aws/lambda/f").send().await.unwrap();
    clients.logs.delete_log_group().log_group_name("/aws/lambda/f").send().await.unwrap();
    assert_eq!(groups().await, 1);
    clients.lambda.delete_function().function_name("f").send().await.unwrap();
    clients.logs.delete_log_group().log_group_name("/aws/lambda/f").send().await.unwrap();
    assert_eq!(groups().await, 0);
}
