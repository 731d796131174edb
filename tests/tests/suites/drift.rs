//! Drift: each kind of resource is changed from outside. `plan` names exactly that change, and `up` reverts it.

use aws_sdk_cloudfront::operation::get_distribution_config::GetDistributionConfigOutput;
use aws_sdk_s3::types::{Tag as BucketTag, Tagging, VersioningConfiguration};
use peersync_tests::clients::REGION;
use peersync_tests::deployer::Step;
use peersync_tests::drift;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::{Late, Settings};
use peersync_tests::stage::Stage;

/// How long it takes to record a digest.
const SLOW: std::time::Duration = std::time::Duration::from_millis(300);

/// Expects `plan` to name this address and action and no others, with drift as the reason, and `up` to fix it.
async fn expect_drift(stage: &Stage, what: &str, address: &str, action: &str) {
    let steps = stage.plan(3).await.steps();
    let [step] = steps.as_slice() else { panic!("{what}: exactly {address} must differ, not {steps:#?}") };
    assert_eq!((step.address.as_str(), step.action.as_str()), (address, action), "{what}: {step:#?}");
    if action == "update" {
        assert!(is_drift(step), "{what}: {step:#?}");
    }
    let up = stage.up().await;
    assert!(up.done().contains(&format!("{action} {address}")), "{what}: {:?}", up.done());
    stage.plan(0).await;
}

fn is_drift(step: &Step) -> bool {
    let is_named = |field: &String| matches!(field.rsplit(": ").next(), Some("drift" | "both"));
    !step.fields.is_empty() && step.fields.iter().all(is_named)
}

/// Creates a stack.
async fn up() -> Stage {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_buckets_and_objects_is_fixed() {
    let stage = up().await;
    let (s3, bucket) = (&stage.clients.s3, stage.bucket());
    let tags = s3.get_bucket_tagging().bucket(&bucket).send().await.unwrap().tag_set;
    let tags = tags.into_iter().chain([BucketTag::builder().key("peersync:stage").value("other").build().unwrap()]);
    let tags: Vec<BucketTag> = tags.collect();
    let tags = tags.iter().rev().fold(Vec::<BucketTag>::new(), |mut kept, tag| {
        if !kept.iter().any(|other| other.key() == tag.key()) {
            kept.push(tag.clone());
        }
        kept
    });
    let tagging = Tagging::builder().set_tag_set(Some(tags)).build().unwrap();
    s3.put_bucket_tagging().bucket(&bucket).tagging(tagging).send().await.unwrap();
    expect_drift(&stage, "a tag of the bucket", "s3_bucket.site", "update").await;

    let suspended = VersioningConfiguration::builder().status("Suspended".into()).build();
    s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(suspended).send().await.unwrap();
    expect_drift(&stage, "versioning", "s3_bucket.site", "update").await;

    s3.delete_bucket_lifecycle().bucket(&bucket).send().await.unwrap();
    expect_drift(&stage, "lifecycle", "s3_bucket.site", "update").await;

    s3.delete_bucket_policy().bucket(&bucket).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    assert!(steps.iter().all(|step| step.address == "s3_bucket_policy.site") && steps.len() == 1, "{steps:#?}");
    stage.up().await;
    stage.plan(0).await;

    let page = || s3.put_object().bucket(&bucket).key("index.html").content_type("text/html");
    page().body(b"defaced".to_vec().into()).send().await.unwrap();
    expect_drift(&stage, "a page", "s3_objects.site", "update").await;
    let restored = s3.get_object().bucket(&bucket).key("index.html").send().await.unwrap();
    assert_ne!(restored.body.collect().await.unwrap().to_vec(), b"defaced");

    let script = stage.key_of("main.js").await;
    s3.delete_object().bucket(&bucket).key(&script).send().await.unwrap();
    expect_drift(&stage, "a missing script", "s3_objects.site", "update").await;
    assert_eq!(stage.key_of("main.js").await, script, "it is back in its release");

    let stray = script.replace("main.js", "theirs.js");
    s3.put_object().bucket(&bucket).key(&stray).body(b"1".to_vec().into()).send().await.unwrap();
    expect_drift(&stage, "a script of somebody else's in the release", "s3_objects.site", "update").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_functions_and_their_roles_is_fixed() {
    let stage = up().await;
    let name = format!("{}-signup", stage.stack());
    let lambda = &stage.clients.lambda;
    lambda.update_function_configuration().function_name(&name).memory_size(1024).send().await.unwrap();
    expect_drift(&stage, "memory", "lambda_function.signup", "update").await;

    let code = aws_sdk_lambda::primitives::Blob::new(peersync_tests::unmanaged::empty_zip());
    lambda.update_function_code().function_name(&name).zip_file(code).send().await.unwrap();
    expect_drift(&stage, "code", "lambda_function.signup", "update").await;

    let arn = lambda.get_function().function_name(&name).send().await.unwrap();
    let arn = arn.configuration().unwrap().function_arn().unwrap().to_owned();
    lambda.untag_resource().resource(&arn).tag_keys("peersync:stage").send().await.unwrap();
    expect_drift(&stage, "a tag of a function", "lambda_function.signup", "update").await;

    let iam = &stage.clients.iam;
    let role = format!("{}-{REGION}-signup", stage.stack());
    let policies = iam.list_role_policies().role_name(&role).send().await.unwrap();
    let policy = policies.policy_names().first().expect("the role has a policy").clone();
    let wide = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"*"}]}"#;
    iam.put_role_policy().role_name(&role).policy_name(&policy).policy_document(wide).send().await.unwrap();
    expect_drift(&stage, "a policy", "iam_role.signup", "update").await;

    let group = format!("/aws/lambda/{name}");
    let logs = &stage.clients.logs;
    logs.put_retention_policy().log_group_name(&group).retention_in_days(3653).send().await.unwrap();
    expect_drift(&stage, "retention", "log_group.signup", "update").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_tables_and_parameters_is_fixed() {
    let stage = up().await;
    let dynamodb = &stage.clients.dynamodb;
    let table = dynamodb.describe_table().table_name(format!("{}-Users", stage.stack())).send().await.unwrap();
    let arn = table.table().unwrap().table_arn().unwrap().to_owned();
    dynamodb.untag_resource().resource_arn(&arn).tag_keys("peersync:stage").send().await.unwrap();
    expect_drift(&stage, "a tag of a table", "dynamodb_table.Users", "update").await;

    let ssm = &stage.clients.ssm;
    ssm.delete_parameter().name(format!("/peersync/{}/ticket-key", stage.stack())).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    assert!(
        steps.iter().any(|step| step.address == "ssm_parameter.ticket-key" && step.action == "create"),
        "{steps:#?}"
    );
    stage.up().await;
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_api_routes_is_fixed() {
    let stage = up().await;
    let gateway = &stage.clients.api_gateway;
    let apis = gateway.get_rest_apis().send().await.unwrap();
    let name = format!("{}-api", stage.stack());
    let id = apis.items().iter().find(|api| api.name() == Some(name.as_str())).unwrap().id().unwrap().to_owned();
    let resources = gateway.get_resources().rest_api_id(&id).limit(500).send().await.unwrap();
    let ticket = resources.items().iter().find(|one| one.path() == Some("/ticket")).expect("the route is there");
    let call = gateway.delete_method().rest_api_id(&id).resource_id(ticket.id().unwrap()).http_method("POST");
    call.send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    let first = steps.iter().find(|step| step.address == "api_routes.api");
    assert_eq!(first.map(|step| step.fields.as_slice()), Some(&["POST /ticket: drift".to_owned()][..]), "{steps:#?}");
    // A changed route needs a new deployment, and nothing else.
    let others: Vec<_> = steps.iter().filter(|step| !step.address.starts_with("api_")).collect();
    assert!(others.is_empty(), "{others:#?}");
    stage.up().await;
    stage.plan(0).await;
    let restored = gateway.get_method().rest_api_id(&id).resource_id(ticket.id().unwrap()).http_method("POST");
    restored.send().await.expect("the route is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_security_group_is_fixed_and_terminated_host_recreated() {
    let stage = up().await;
    let ec2 = &stage.clients.ec2;
    let groups = ec2.describe_security_groups().send().await.unwrap();
    let ours = groups.security_groups().iter().find(|group| group.group_name().unwrap().starts_with(stage.stack()));
    let id = ours.expect("the group is there").group_id().unwrap().to_owned();
    drift::open_port(&stage).await;
    expect_drift(&stage, "an open port", "security_group.signal", "update").await;
    let groups = ec2.describe_security_groups().group_ids(&id).send().await.unwrap();
    let ports: Vec<_> = groups.security_groups()[0].ip_permissions().iter().map(|rule| rule.from_port()).collect();
    assert!(!ports.contains(&Some(22)), "{ports:?}");

    let instances = ec2.describe_instances().send().await.unwrap();
    let instances: Vec<_> = instances.reservations().iter().flat_map(|one| one.instances()).collect();
    let id = instances.first().expect("the host is there").instance_id().unwrap().to_owned();
    ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    assert!(steps.iter().any(|step| step.address == "signal_instance.signal" && step.action == "create"), "{steps:#?}");
    stage.up().await;
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_distribution_is_fixed() {
    let stage = up().await;
    let cloudfront = &stage.clients.cloudfront;
    let list = cloudfront.list_distributions().send().await.unwrap();
    let list = list.distribution_list().map(|list| list.items().to_vec()).unwrap_or_default();
    let id = list.iter().find(|one| one.comment().starts_with("PeerSync stack")).expect("ours").id().to_owned();
    let GetDistributionConfigOutput { distribution_config, e_tag, .. } =
        cloudfront.get_distribution_config().id(&id).send().await.unwrap();
    let mut config = distribution_config.unwrap();
    config.default_root_object = Some("other.html".to_owned());
    let call = cloudfront.update_distribution().id(&id).set_if_match(e_tag).distribution_config(config);
    call.send().await.unwrap();
    expect_drift(&stage, "the default page", "cloudfront_distribution.site", "update").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_alarms_and_dashboard_are_recreated() {
    let stage = up().await;
    let cloudwatch = &stage.clients.cloudwatch;
    let alarms = cloudwatch.describe_alarms().send().await.unwrap();
    let alarm = alarms.metric_alarms().first().expect("the stack has alarms").alarm_name().unwrap().to_owned();
    cloudwatch.delete_alarms().alarm_names(&alarm).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    let [step] = steps.as_slice() else { panic!("exactly one alarm must be missing, not {steps:#?}") };
    assert!(step.address.starts_with("alarm.") && step.action == "create", "{step:#?}");
    stage.up().await;
    stage.plan(0).await;

    let dashboards = cloudwatch.list_dashboards().send().await.unwrap();
    let name = dashboards.dashboard_entries()[0].dashboard_name().unwrap().to_owned();
    cloudwatch.delete_dashboards().dashboard_names(&name).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    assert!(steps.len() == 1 && steps[0].address == "dashboard.stack", "{steps:#?}");
    stage.up().await;
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_permissions_is_fixed() {
    let stage = up().await;
    drift::trust(&stage).await;
    expect_drift(&stage, "who may take a role", "iam_role.login", "update").await;
    drift::profile_without_role(&stage).await;
    expect_drift(&stage, "a profile without its role", "instance_profile.signal", "update").await;
    drift::permission(&stage).await;
    expect_drift(&stage, "who may call a function", "lambda_permission.login", "update").await;
    drift::protected_table(&stage).await;
    expect_drift(&stage, "a protected table", "dynamodb_table.Users", "update").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_cloudfront_and_api_gateway_settings_is_fixed() {
    let stage = up().await;
    drift::access_control(&stage).await;
    expect_drift(&stage, "requests without signature", "origin_access_control.site", "update").await;
    drift::headers_policy(&stage).await;
    expect_drift(&stage, "pages without headers", "response_headers_policy.site", "update").await;
    drift::description_of_the_api(&stage).await;
    expect_drift(&stage, "the API's description", "rest_api.api", "update").await;
    drift::throttling(&stage).await;
    expect_drift(&stage, "more requests", "api_stage.api", "update").await;
    drift::throttling_of_a_route(&stage).await;
    expect_drift(&stage, "a flood of sign-ins", "api_stage.api", "update").await;
    drift::program_in_the_bucket(&stage).await;
    expect_drift(&stage, "another program", "s3_program.signal", "update").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_that_are_recorded_at_once_are_all_kept() {
    // Long enough for the resources that end together, such as the permissions of the functions, to meet.
    let slow = Late { meant: |call| call.operation == "PutParameter" && call.text().contains("/digests"), time: SLOW };
    let stage = Stage::with(Emulator::shared(), Settings { late: Some(slow), ..Settings::default() }).await;
    stage.up().await;
    stage.plan(0).await;
    let steps = without_digests(&stage).await;
    assert!(steps.len() > 10, "{steps:#?}");
}

/// Takes the digests away and returns what `plan` then finds, which names nothing but records of what was applied; the
/// next `up` writes them again.
async fn without_digests(stage: &Stage) -> Vec<Step> {
    let call = stage.clients.ssm.put_parameter().name(format!("/peersync/{}/digests", stage.stack()));
    call.value("theirs").overwrite(true).send().await.expect("the parameter is there");
    let steps = stage.plan(3).await.steps();
    assert!(steps.iter().all(|step| step.action == "update" && step.fields.is_empty()), "{steps:#?}");
    stage.up().await;
    stage.plan(0).await;
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_running_host_is_fixed() {
    let stage = up().await;
    drift::profile_of_the_host(&stage).await;
    expect_drift(&stage, "the host's profile", "signal_instance.signal", "update").await;
    drift::stopped_host(&stage).await;
    expect_drift(&stage, "a stopped host", "signal_instance.signal", "update").await;
    let answer = stage.clients.ec2.allocate_address().send().await.unwrap();
    let tags = stage.clients.ec2.describe_addresses().send().await.unwrap().addresses()[0].tags().to_vec();
    let id = answer.allocation_id().unwrap();
    stage.clients.ec2.create_tags().resources(id).set_tags(Some(tags)).send().await.unwrap();
    expect_drift(&stage, "a second address", "elastic_ip.signal", "update").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_bucket_policy_and_dashboard_is_fixed() {
    let stage = up().await;
    drift::open_bucket(&stage).await;
    expect_drift(&stage, "a bucket for every distribution", "s3_bucket_policy.site", "update").await;
    drift::empty_dashboard(&stage).await;
    expect_drift(&stage, "a dashboard without graphs", "dashboard.stack", "update").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_that_makes_functions_fail_or_public_is_fixed() {
    let stage = up().await;
    drift::no_concurrency(&stage).await;
    expect_drift(&stage, "no concurrency", "lambda_function.signup", "update").await;
    drift::public_function(&stage).await;
    expect_drift(&stage, "a public function", "lambda_permission.friends", "update").await;
    let policy = stage.clients.lambda.get_policy().function_name(format!("{}-friends", stage.stack()));
    let policy = policy.send().await.unwrap().policy.unwrap();
    assert!(policy.contains("apigateway.amazonaws.com") && !policy.contains("everybody"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_of_cors_rules_and_content_types_is_fixed() {
    let stage = up().await;
    drift::cors(&stage).await;
    expect_drift(&stage, "CORS rules", "s3_bucket.site", "update").await;
    drift::content_type(&stage).await;
    expect_drift(&stage, "a content type", "s3_objects.site", "update").await;
    let head = stage.clients.s3.head_object().bucket(stage.bucket()).key("index.html").send().await.unwrap();
    assert!(head.content_type().is_some_and(|kind| kind.starts_with("text/html")), "{:?}", head.content_type());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_an_ended_host_is_a_consequence() {
    let stage = up().await;
    let instances = stage.clients.ec2.describe_instances().send().await.unwrap();
    let id = instances.reservations()[0].instances()[0].instance_id().unwrap().to_owned();
    stage.clients.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    let host = steps.iter().find(|step| step.address == "signal_instance.signal");
    assert!(host.is_some_and(|step| step.action == "create"), "{steps:#?}");
    let others = steps.iter().filter(|step| step.action == "update").flat_map(|step| &step.fields);
    let wrong: Vec<&String> = others.clone().filter(|field| !field.ends_with(": consequence")).collect();
    assert!(others.count() > 0 && wrong.is_empty(), "{steps:#?}");
    let shown = stage.shown(&["plan"], 0).await;
    assert!(shown.contains("(follows from signal_instance.signal)"), "{shown}");
}
