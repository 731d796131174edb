//! The policy that `policy` prints allows exactly the calls that the commands make. It
//! and the roles of the stack contain only actions and resources that IAM knows.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use peersync_tests::clients::REGION;
use peersync_tests::drift;
use peersync_tests::earlier;
use peersync_tests::emulator::{Emulator, python};
use peersync_tests::iam::{actions, named};
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::Record;
use peersync_tests::proxy::operation::decoded;
use peersync_tests::stage::Stage;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Actions for drift, or for states of AWS, that this test does not cause; each
/// with the test that does, or the reason why none does.
const ELSEWHERE: [(&str, &str); 5] = [
    ("dynamodb:GetItem", "only with a quick tunnel on a host that runs, in `answers`"),
    ("ec2:GetConsoleOutput", "only a host that does not become ready is asked, in `ready`"),
    (
        "ec2:ModifyInstanceCreditSpecification",
        "no emulator tells of a host with unlimited credits; `launching` makes it",
    ),
    ("ec2:ModifyInstanceAttribute", "MiniStack has no such call; `moto` makes it"),
    ("ec2:ModifyInstanceMetadataOptions", "no emulator tells of a host whose metadata anybody may read"),
];

#[tokio::test(flavor = "multi_thread")]
async fn policy_allows_exactly_the_calls_made() {
    // The account has no role for the gateway's logs and the host starts without its profile, so that both are set.
    // Its first zone has no capacity.
    let behaviours = vec![Behaviour::GatewayLogRole, Behaviour::InvalidInstanceProfile, Behaviour::CapacityByZone];
    let stage = Stage::with(Emulator::shared(), Settings { behaviours, ..Settings::default() }).await;
    // A boundary and a tag that are taken off again.
    stage.configure(
        "[stack]\npermissions_boundary = \"arn:aws:iam::aws:policy/PowerUserAccess\"\n\
         [stack.tags]\nowner = \"Ada\"\n[alarms]\nemail = \"ada@example.org\"\n",
    );
    stage.up().await;
    stage.configure("[alarms]\nemail = \"ada@example.org\"\n");
    // An earlier version counted the errors in a log.
    let (group, filter) = (format!("/peersync/{}/signal", stage.stack()), format!("{}-signal-errors", stage.stack()));
    earlier::metric_filter(&stage, &group, &filter).await;
    stage.up().await;
    let granted = named(&stage.run(&["policy"]).await.expect(0).stdout);
    let (clients, stack) = (&stage.clients, stage.stack());
    somebody_changes_everything(&stage).await;
    // The edge may have a file that is removed.
    clients.s3.put_object().bucket(stage.bucket()).key("stray.html").body(b"x".to_vec().into()).send().await.unwrap();
    stage.configure(
        "[api]\nmemory_mb = 512\n[alarms]\nenabled = false\n\
         [site]\nold_version_days = 7\nprice_class = \"PriceClass_200\"\n[logs]\nretention_days = 30\n",
    );
    stage.run(&["up", "--yes", "--no-check", "--expires", "2h"]).await.expect(0);
    stage.plan(0).await;
    stage.configure("[signaling]\ninstance_type = \"t3.small\"\n");
    stage.up().await;
    only_reads_need_the_form_for_plans(&stage).await;
    let item = clients.dynamodb.put_item().table_name(format!("{stack}-Users"));
    item.item("email", AttributeValue::S("ada@example.org".to_owned())).send().await.unwrap();
    stage.run(&["down", "--yes"]).await.expect(0);

    let called = allows_what_was_called(&granted, &stage.proxy().log.all());
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|(action, _)| (*action).to_owned()).collect();
    let unused: Vec<&String> = granted.difference(&called).filter(|action| !elsewhere.contains(*action)).collect();
    assert!(unused.is_empty(), "allowed and never called: {unused:#?}");
}

/// Checks that a policy allows the actions of these requests, and returns them.
#[track_caller]
fn allows_what_was_called(granted: &BTreeSet<String>, records: &[Record]) -> BTreeSet<String> {
    let called: BTreeSet<String> = records.iter().flat_map(actions).collect();
    let missing: Vec<&String> = called.difference(granted).collect();
    assert!(missing.is_empty(), "called and not allowed: {missing:#?}");
    called
}

/// Runs the commands that change nothing, and checks that the form for them allows all that they call.
async fn only_reads_need_the_form_for_plans(stage: &Stage) {
    let granted = named(&stage.run(&["policy", "--for", "plan"]).await.expect(0).stdout);
    let before = stage.proxy().log.all().len();
    for command in [&["plan"][..], &["status"], &["outputs"], &["logs"]] {
        stage.run(command).await.expect(0);
    }
    // Its result does not matter.
    stage.run(&["doctor"]).await;
    allows_what_was_called(&granted, &stage.proxy().log.all()[before..]);
}

/// What API Gateway needs for setting a log and a role. A teardown makes the same calls to take both away.
const OF_SETTING: [&str; 3] = ["iam:PassRole", "logs:CreateLogDelivery", "logs:PutResourcePolicy"];

#[tokio::test(flavor = "multi_thread")]
async fn policy_for_teardown_allows_the_calls_made() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[site]\nbucket = \"renamed-later\"\n");
    stage.up().await;
    stage.configure("");
    stage.run(&["up", "--yes", "--no-check", "--expires", "1s"]).await.expect(0);
    let granted = named(&stage.run(&["policy", "--for", "teardown"]).await.expect(0).stdout);
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.proxy().log.take();
    stage.run(&["teardown", "--expired", "--yes"]).await.expect(0);
    let mut granted = granted;
    granted.extend(OF_SETTING.map(str::to_owned));
    let called = allows_what_was_called(&granted, &stage.proxy().log.all());
    assert!(called.len() > 40, "{called:?}");
}

/// Actions that IAM could limit by tags and the policy does not, with the reasons.
const WITHOUT_TAGS: [(&str, &str); 9] = [
    ("ec2:AssociateAddress", "a network interface has no tags; the address and the host are limited"),
    ("ec2:CreateSecurityGroup", "the network is not ours; the group is limited"),
    ("ec2:DisassociateAddress", "a network interface has no tags; the address is limited"),
    ("ec2:RunInstances", "image, network interface and subnet are not ours; host and volume are limited"),
    ("iam:CreateServiceLinkedRole", "the role is CloudWatch's"),
    ("ssm:DeleteParameters", "the lease: its parameters live for a minute and have no tags"),
    ("ssm:PutParameter", "the same"),
    ("apigateway:PATCH", "the account's setting for all APIs; the API itself is limited"),
    ("apigateway:DELETE", "a call about tags has no tags of the resource"),
];

#[tokio::test(flavor = "multi_thread")]
async fn policy_limits_by_tags_what_iam_can_limit() {
    let stage = Stage::new(Emulator::shared()).await;
    let known = ["policy", "--account", "123456789012", "--region", REGION];
    stage.configure("[stages.bounded.stack]\npermissions_boundary = \"arn:aws:iam::123456789012:policy/boundary\"\n");
    for more in [&[][..], &["--for", "teardown"], &["--stages", "pr-*"], &["--stage", "bounded"]] {
        let printed = stage.run(&[&known[..], more].concat()).await.expect(0).stdout;
        let found = checked(&printed, "check_conditions.py").await;
        let unlimited: Vec<&str> =
            found.lines().filter(|line| !WITHOUT_TAGS.iter().any(|(action, _)| line.starts_with(action))).collect();
        assert_eq!(unlimited, Vec::<&str>::new(), "{more:?}");
    }
    let printed = stage.run(&known).await.expect(0).stdout;
    let wrong = printed.replace("aws:RequestTag", "aws:ResourceTag");
    assert!(checked(&wrong, "check_conditions.py").await.contains("cloudfront:CreateDistribution: IAM does not know"));
}

/// Returns what the linter reports about a policy.
async fn lint(policy: &str) -> String {
    checked(policy, "check_policy.py").await
}

/// Returns what a script reports about a policy.
async fn checked(policy: &str, script: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support").join(script);
    let mut command = Command::new(python());
    let mut child =
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(policy.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_contain_only_actions_and_resources_known_to_iam() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(
        "[mail]\nprovider = \"ses\"\nfrom = \"a@example.org\"\n\
         [signaling]\ningress = \"cloudflare\"\n",
    );
    stage.up().await;
    for more in [&["--for", "plan"][..], &["--for", "teardown"], &["--stages", "pr-*"]] {
        let printed = stage.run(&[&["policy"], more].concat()).await.expect(0).stdout;
        assert_eq!(lint(&printed).await, "", "{more:?}");
    }
    let printed = stage.run(&["policy"]).await.expect(0).stdout;
    assert_eq!(lint(&printed).await, "");
    assert_eq!(
        lint(&printed.replace("cloudfront:CreateDistribution", "cloudfront:MakeOne")).await,
        "UNKNOWN_ACTION: Unknown action cloudfront:MakeOne"
    );
    for part in ["signup", "login", "friends", "rooms", "signal", "gateway"] {
        let owner = if part == "gateway" { "peersync" } else { stage.stack() };
        let role = format!("{owner}-{REGION}-{part}");
        let call = stage.clients.iam.get_role_policy().role_name(role).policy_name("peersync");
        let policy = decoded(&call.send().await.unwrap().policy_document);
        let findings = lint(&policy).await;
        // API Gateway accepts no role that may write less than all logs.
        let meant = part == "gateway" && findings.starts_with("RESOURCE_STAR") && !findings.contains('\n');
        assert!(findings.is_empty() || meant, "{part}: {findings}\n{policy}");
    }
}

/// Causes drift that needs calls which nothing else needs.
async fn somebody_changes_everything(stage: &Stage) {
    drift::program_of_a_function(stage).await;
    drift::permission(stage).await;
    drift::trust(stage).await;
    drift::managed_policy(stage).await;
    drift::access_control(stage).await;
    drift::headers_policy(stage).await;
    drift::open_port(stage).await;
    drift::profile_of_the_host(stage).await;
    drift::stopped_host(stage).await;
    drift::protected_table(stage).await;
    drift::missing_page(stage).await;
    drift::no_concurrency(stage).await;
    drift::cors(stage).await;
}
