//! The policy that `policy` prints allows every call that the commands make, and nothing that none of them makes. In it
//! and in the roles of the stack are only actions and resources that IAM knows.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use aws_sdk_cloudfront::types::{
    OriginAccessControlConfig, OriginAccessControlSigningBehaviors, ResponseHeadersPolicyConfig,
    ResponseHeadersPolicyType,
};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::types::{IamInstanceProfileSpecification, IpPermission, IpRange};
use aws_sdk_lambda::primitives::Blob;
use peersync_tests::clients::{Clients, REGION};
use peersync_tests::emulator::{Emulator, python};
use peersync_tests::foreign::{TRUST, empty_zip};
use peersync_tests::iam::actions;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::operation::decoded;
use peersync_tests::stage::Stage;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Actions for what somebody else may have done, or AWS does on the way, and that this test does not bring about; each
/// with the test that does, or why there is none.
const ELSEWHERE: [(&str, &str); 2] = [
    ("ec2:ModifyInstanceAttribute", "MiniStack has no such call; `moto` makes it"),
    ("ec2:ModifyInstanceMetadataOptions", "no emulator tells of a host whose metadata anybody may read"),
];

/// The actions that the policy allows.
async fn granted(stage: &Stage) -> BTreeSet<String> {
    let printed = stage.run(&["policy"]).await.expect(0);
    let policy: Value = serde_json::from_str(&printed.stdout).expect("the policy is JSON");
    let statements = policy["Statement"].as_array().expect("it has statements");
    let actions = statements.iter().flat_map(|statement| statement["Action"].as_array().expect("it has actions"));
    actions.map(|action| action.as_str().expect("an action is a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_allows_what_is_called_and_nothing_else() {
    // The account has no role for the gateway's logs, and the host comes up without its own: so both are given.
    let behaviours = vec![Behaviour::GatewayLogRole, Behaviour::InvalidInstanceProfile];
    let stage = Stage::with(Emulator::shared(), Settings { behaviours, ..Settings::default() }).await;
    stage.up().await;
    let granted = granted(&stage).await;
    let (clients, stack) = (&stage.clients, stage.stack());
    somebody_changes_everything(&stage).await;
    stage.configure(
        "[api]\nmemory_mb = 512\n[alarms]\nenabled = false\n\
         [site]\nold_version_days = 7\nprice_class = \"PriceClass_200\"\n[logs]\nretention_days = 30\n",
    );
    stage.run(&["up", "--yes", "--no-check", "--expires", "2h"]).await.expect(0);
    stage.plan(0).await;
    stage.configure("[signaling]\ninstance_type = \"t3.small\"\n");
    stage.up().await;
    for command in [&["status"][..], &["outputs"], &["logs"]] {
        stage.run(command).await.expect(0);
    }
    let item = clients.dynamodb.put_item().table_name(format!("{stack}-Users"));
    item.item("email", AttributeValue::S("ada@example.org".to_owned())).send().await.unwrap();
    stage.run(&["down", "--yes"]).await.expect(0);

    let called: BTreeSet<String> = stage.proxy().log.all().iter().flat_map(actions).collect();
    let missing: Vec<&String> = called.difference(&granted).collect();
    assert!(missing.is_empty(), "called and not allowed: {missing:#?}");
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|(action, _)| (*action).to_owned()).collect();
    let unused: Vec<&String> = granted.difference(&called).filter(|action| !elsewhere.contains(*action)).collect();
    assert!(unused.is_empty(), "allowed and never called: {unused:#?}");
}

/// What the linter says of a policy.
async fn lint(policy: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/check_policy.py");
    let mut command = Command::new(python());
    let mut child =
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(policy.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn iam_knows_what_is_in_it_and_in_the_roles() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(
        "[mail]\nprovider = \"ses\"\nfrom = \"a@example.org\"\n\
         [signaling]\ningress = \"cloudflare\"\n",
    );
    stage.up().await;
    let printed = stage.run(&["policy"]).await.expect(0).stdout;
    assert_eq!(lint(&printed).await, "");
    assert_eq!(
        lint(&printed.replace("cloudfront:CreateDistribution", "cloudfront:MakeOne")).await,
        "UNKNOWN_ACTION: Unknown action cloudfront:MakeOne"
    );
    for part in ["signup", "login", "friends", "rooms", "signal", "gateway"] {
        let role = format!("{}-{REGION}-{part}", stage.stack());
        let call = stage.clients.iam.get_role_policy().role_name(role).policy_name("peersync");
        let policy = decoded(&call.send().await.unwrap().policy_document);
        let said = lint(&policy).await;
        // API Gateway takes no role that may write less than all logs.
        let meant = part == "gateway" && said.starts_with("RESOURCE_STAR") && !said.contains('\n');
        assert!(said.is_empty() || meant, "{part}: {said}\n{policy}");
    }
}

/// Changes of each kind what only then is called for.
async fn somebody_changes_everything(stage: &Stage) {
    somebody_changes_the_functions(&stage.clients, stage.stack()).await;
    somebody_changes_the_edge(&stage.clients).await;
    somebody_changes_the_host(&stage.clients, stage.stack()).await;
    let protected = stage.clients.dynamodb.update_table().table_name(format!("{}-Users", stage.stack()));
    protected.deletion_protection_enabled(true).send().await.unwrap();
    stage.clients.s3.delete_object().bucket(stage.bucket()).key("index.html").send().await.unwrap();
}

async fn somebody_changes_the_functions(clients: &Clients, stack: &str) {
    let (function, role) = (format!("{stack}-login"), format!("{stack}-{REGION}-login"));
    let code = clients.lambda.update_function_code().function_name(&function).zip_file(Blob::new(empty_zip()));
    code.send().await.unwrap();
    let (id, action, principal) = ("peersync-api", "lambda:InvokeFunction", "apigateway.amazonaws.com");
    clients.lambda.remove_permission().function_name(&function).statement_id(id).send().await.unwrap();
    let call = clients.lambda.add_permission().function_name(&function).statement_id(id).action(action);
    call.principal(principal).source_arn("arn:aws:execute-api:eu-central-1:1:x/*/*/*").send().await.unwrap();
    let everybody = TRUST.replace("lambda.amazonaws.com", "ec2.amazonaws.com");
    clients.iam.update_assume_role_policy().role_name(&role).policy_document(everybody).send().await.unwrap();
    let managed = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    clients.iam.attach_role_policy().role_name(&role).policy_arn(managed).send().await.unwrap();
}

async fn somebody_changes_the_edge(clients: &Clients) {
    let cloudfront = &clients.cloudfront;
    let controls = cloudfront.list_origin_access_controls().send().await.unwrap();
    let id = controls.origin_access_control_list().unwrap().items()[0].id().to_owned();
    let control = cloudfront.get_origin_access_control().id(&id).send().await.unwrap();
    let config = control.origin_access_control().unwrap().origin_access_control_config().unwrap();
    let never = OriginAccessControlConfig::builder()
        .name(config.name())
        .set_description(config.description().map(str::to_owned))
        .signing_protocol(config.signing_protocol().clone())
        .signing_behavior(OriginAccessControlSigningBehaviors::Never)
        .origin_access_control_origin_type(config.origin_access_control_origin_type().clone());
    let call = cloudfront.update_origin_access_control().id(&id).set_if_match(control.e_tag.clone());
    call.origin_access_control_config(never.build().unwrap()).send().await.unwrap();

    let policies = cloudfront.list_response_headers_policies().r#type(ResponseHeadersPolicyType::Custom).send().await;
    let policies = policies.unwrap();
    let summary = &policies.response_headers_policy_list().unwrap().items()[0];
    let id = summary.response_headers_policy().unwrap().id().to_owned();
    let policy = cloudfront.get_response_headers_policy().id(&id).send().await.unwrap();
    let config = policy.response_headers_policy().unwrap().response_headers_policy_config().unwrap();
    let empty =
        ResponseHeadersPolicyConfig::builder().name(config.name()).comment(config.comment().unwrap_or_default());
    let call = cloudfront.update_response_headers_policy().id(&id).set_if_match(policy.e_tag.clone());
    call.response_headers_policy_config(empty.build().unwrap()).send().await.unwrap();
}

async fn somebody_changes_the_host(clients: &Clients, stack: &str) {
    let ec2 = &clients.ec2;
    let groups = ec2.describe_security_groups().send().await.unwrap();
    let ours = groups.security_groups().iter().find(|group| group.group_name().unwrap().starts_with(stack)).unwrap();
    let everyone = IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(everyone).build();
    let call = ec2.authorize_security_group_ingress().group_id(ours.group_id().unwrap());
    call.ip_permissions(ssh).send().await.unwrap();
    let hosts = ec2.describe_instances().send().await.unwrap();
    let host = hosts.reservations()[0].instances()[0].instance_id().unwrap();
    clients.iam.create_instance_profile().instance_profile_name("theirs").send().await.unwrap();
    let profiles = ec2.describe_iam_instance_profile_associations().send().await.unwrap();
    let association = profiles.iam_instance_profile_associations()[0].association_id().unwrap();
    let theirs = IamInstanceProfileSpecification::builder().name("theirs").build();
    let call = ec2.replace_iam_instance_profile_association().association_id(association);
    call.iam_instance_profile(theirs).send().await.unwrap();
    ec2.stop_instances().instance_ids(host).send().await.unwrap();
}
