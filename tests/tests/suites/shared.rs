//! What the stacks of an account share is there as long as one of them needs it, whoever made it, and no longer: the role for
//! the logs of API Gateway, and response-headers policies. The log group of an API is gone for good.

use peersync_tests::census::{census, difference};
use peersync_tests::clients;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::shared::{
    account_role, delete_headers_policies, delete_shared_role, headers_policies, role_arn, role_of_earlier_version,
    set_account_role, shared_role, trust,
};
use peersync_tests::stage::{DOWN, Stage, UP};
use peersync_tests::unmanaged;

const SECOND: [&str; 2] = ["--stage", "two"];

/// Runs a command for the second stack.
async fn second(stage: &Stage, command: &[&str]) {
    stage.run(&[&SECOND, command].concat()).await.expect(0);
}

async fn second_is_as_planned(stage: &Stage) {
    second(stage, &["plan", "--detailed-exitcode"]).await;
}

async fn with_behaviours(behaviours: &[Behaviour]) -> Stage {
    let settings = Settings { behaviours: behaviours.to_vec(), ..Settings::default() };
    Stage::with(Emulator::shared(), settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn account_role_outlives_the_stack_that_made_it() {
    let stage = with_behaviours(&[Behaviour::GatewayLogRole]).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    second(&stage, &UP).await;
    assert_eq!(account_role(&stage.clients).await, Some(shared_role()));
    stage.proxy().log.take();
    stage.down().await;
    let is_changed = stage.proxy().log.take().iter().any(|record| record.operation == "UpdateAccount");
    assert!(!is_changed, "the other stack needs it all the time");
    assert_eq!(account_role(&stage.clients).await, Some(shared_role()), "the other stack needs it");
    second_is_as_planned(&stage).await;
    second(&stage, &DOWN).await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stacks_that_go_at_once_leave_nothing() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    second(&stage, &UP).await;
    tokio::join!(stage.down(), second(&stage, &DOWN));
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

/// Another stack finds no stage that needs the role, and takes it away just before the stage of this one needs it.
#[tokio::test(flavor = "multi_thread")]
async fn account_role_that_another_stack_took_away_meanwhile_is_set_again() {
    let settings = Settings {
        behaviours: vec![Behaviour::GatewayLogRole],
        held: Some(|call| call.is("apigateway", "UpdateStage")),
        ..Settings::default()
    };
    let stage = Stage::with(Emulator::shared(), settings).await;
    let up = stage.start(&UP);
    while !stage.proxy().log.all().iter().any(|record| record.operation == "CreateStage") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    set_account_role(&clients::of_account(&stage.proxy().url, &stage.account).await, "").await;
    stage.proxy().release();
    up.ended().await.expect(0);
    assert_eq!(account_role(&stage.clients).await, Some(shared_role()));
    stage.plan(0).await;
}

/// A stage gets its log after this stack has looked for one, and before it takes the role away.
#[tokio::test(flavor = "multi_thread")]
async fn account_role_returns_if_a_stage_needs_it_meanwhile() {
    let mut stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let api = stage.clients.api_gateway.create_rest_api().name("theirs").send().await.unwrap().id.unwrap();
    let held = Some((|call| call.is("apigateway", "UpdateAccount")) as fn(&peersync_tests::proxy::call::Call) -> bool);
    stage.change_proxy(Settings { held, ..Settings::default() }).await;
    let down = stage.start(&DOWN);
    while !stage.proxy().log.all().iter().any(|record| record.operation == "GetStages") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    stage_with_log(&stage, &api).await;
    stage.proxy().release();
    down.ended().await.expect(0);
    assert_eq!(account_role(&stage.clients).await, Some(shared_role()));
    stage.clients.iam.get_role().role_name(shared_role()).send().await.expect("the role is there");
}

/// Gives somebody's API a stage with an access log.
async fn stage_with_log(stage: &Stage, api: &str) {
    use aws_sdk_apigateway::types::{Op, PatchOperation};
    let gateway = &stage.clients.api_gateway;
    let deployment = gateway.create_deployment().rest_api_id(api).send().await.unwrap().id.unwrap();
    let call = gateway.create_stage().rest_api_id(api).stage_name("live").deployment_id(deployment);
    call.send().await.unwrap();
    let group = format!("arn:aws:logs:{}:{}:log-group:theirs", clients::REGION, stage.account);
    let patch = PatchOperation::builder().op(Op::Replace).path("/accessLogSettings/destinationArn").value(group);
    let call = gateway.update_stage().rest_api_id(api).stage_name("live").patch_operations(patch.build());
    call.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn account_role_stays_for_the_stage_of_somebody_else() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let api = stage.clients.api_gateway.create_rest_api().name("theirs").send().await.unwrap().id.unwrap();
    stage_with_log(&stage, &api).await;
    stage.down().await;
    assert_eq!(account_role(&stage.clients).await, Some(shared_role()));
}

#[tokio::test(flavor = "multi_thread")]
async fn account_role_of_an_earlier_version_is_replaced_without_a_gap() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    role_of_earlier_version(&stage, stage.stack(), "dev").await;
    let steps = stage.plan(3).await.steps();
    let changed: Vec<_> = steps.iter().map(|step| (step.address.as_str(), step.action.as_str())).collect();
    assert_eq!(changed, [("api_account.logs", "update"), ("iam_role.gateway", "delete")]);
    stage.proxy().log.take();
    stage.up().await;
    let records = stage.proxy().log.take();
    let position = |operation: &str| records.iter().position(|record| record.operation == operation);
    assert!(position("UpdateAccount").unwrap() < position("DeleteRole").unwrap(), "it had one all the time");
    assert_eq!(records.iter().filter(|record| record.operation == "UpdateAccount").count(), 1);
    stage.plan(0).await;
    stage.down().await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_of_a_stack_of_an_earlier_version_hands_the_account_role_on() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    second(&stage, &UP).await;
    role_of_earlier_version(&stage, stage.stack(), "dev").await;
    stage.down().await;
    assert_eq!(account_role(&stage.clients).await, Some(shared_role()));
    second_is_as_planned(&stage).await;
    second(&stage, &DOWN).await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn account_role_that_does_not_work_is_noticed_and_replaced_whoever_set_it() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let iam = &stage.clients.iam;
    let call = iam.create_role().role_name("theirs").assume_role_policy_document(trust("lambda.amazonaws.com"));
    call.send().await.unwrap();
    for (name, trouble) in [("long-gone", "does not exist"), ("theirs", "may not assume")] {
        set_account_role(&stage.clients, &role_arn(&stage.account, name)).await;
        let steps = stage.plan(3).await.steps();
        let [step] = steps.as_slice() else { panic!("one resource differs, not {steps:#?}") };
        assert_eq!(
            (step.address.as_str(), step.fields.as_slice()),
            ("api_account.logs", &["log_role: drift".to_owned()][..])
        );
        assert!(stage.shown(&["plan"], 0).await.contains(trouble));
        assert!(stage.shown(&["status"], 0).await.contains("api_account.logs"));
        let doctor = stage.run(&["doctor"]).await.printed();
        assert!(doctor.contains(trouble), "{doctor}");
        stage.up().await;
        assert_eq!(account_role(&stage.clients).await, Some(shared_role()));
        stage.plan(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_role_that_somebody_has_deleted_or_changed_is_restored() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let iam = &stage.clients.iam;
    delete_shared_role(&stage.clients).await;
    stage.plan(3).await;
    stage.up().await;
    stage.plan(0).await;
    iam.delete_role_policy().role_name(shared_role()).policy_name("peersync").send().await.unwrap();
    stage.plan(3).await;
    stage.up().await;
    stage.plan(0).await;
    let call = iam.update_assume_role_policy().role_name(shared_role()).policy_document(trust("ec2.amazonaws.com"));
    call.send().await.unwrap();
    stage.plan(3).await;
    stage.up().await;
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn account_role_of_somebody_else_that_works_is_kept() {
    let stage = Stage::new(Emulator::shared()).await;
    let iam = &stage.clients.iam;
    let call = iam.create_role().role_name("theirs").assume_role_policy_document(trust("apigateway.amazonaws.com"));
    call.send().await.unwrap();
    set_account_role(&stage.clients, &role_arn(&stage.account, "theirs")).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    stage.plan(0).await;
    assert_eq!(account_role(&stage.clients).await.as_deref(), Some("theirs"));
    assert!(iam.get_role().role_name(shared_role()).send().await.is_err(), "nobody needs it");
    stage.down().await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_share_the_headers_of_their_pages_until_the_last_one_goes() {
    let stage = with_behaviours(&[Behaviour::HeadersPolicies]).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    second(&stage, &UP).await;
    let shared = headers_policies(&stage.clients).await;
    assert_eq!(shared.len(), 1, "{shared:?}");
    stage.down().await;
    assert_eq!(headers_policies(&stage.clients).await, shared);
    second_is_as_planned(&stage).await;
    second(&stage, &DOWN).await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stack_with_other_headers_uses_a_policy_of_its_own_and_returns() {
    const OTHER: &str = "[site]\nhsts_subdomains = true\n";
    let stage = with_behaviours(&[Behaviour::HeadersPolicies, Behaviour::AccessControlInUse]).await;
    stage.up().await;
    second(&stage, &UP).await;
    let shared = headers_policies(&stage.clients).await;
    stage.configure(OTHER);
    stage.up().await;
    stage.plan(0).await;
    let both = headers_policies(&stage.clients).await;
    assert!(both.len() == 2 && both.contains(&shared[0]), "the other stack still uses {shared:?}: {both:?}");
    stage.configure("");
    second_is_as_planned(&stage).await;
    stage.up().await;
    stage.plan(0).await;
    assert_eq!(headers_policies(&stage.clients).await, shared, "nobody uses the other one");
}

#[tokio::test(flavor = "multi_thread")]
async fn account_with_as_many_headers_policies_as_it_may_have_takes_another_stack() {
    let stage = with_behaviours(&[Behaviour::HeadersPolicies]).await;
    stage.up().await;
    for number in 1..20 {
        unmanaged::headers_policy(&stage.clients, &format!("theirs-{number}")).await;
    }
    second(&stage, &UP).await;
    assert_eq!(headers_policies(&stage.clients).await.len(), 20);
}

/// The last stack that shared it goes between the look for the policy and its use.
#[tokio::test(flavor = "multi_thread")]
async fn headers_policy_that_another_stack_has_deleted_meanwhile_is_made_again() {
    let settings = Settings {
        behaviours: vec![Behaviour::HeadersPolicies],
        held: Some(|call| call.is("cloudfront", "CreateDistribution")),
        ..Settings::default()
    };
    let stage = Stage::with(Emulator::shared(), settings).await;
    let up = stage.start(&UP);
    while !stage.proxy().log.all().iter().any(|record| record.operation == "PutParameter" && record.path.is_empty())
        && headers_policies(&stage.clients).await.is_empty()
    {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    delete_headers_policies(&clients::of_account(&stage.proxy().url, &stage.account).await).await;
    stage.proxy().release();
    up.ended().await.expect(0);
    assert_eq!(headers_policies(&stage.clients).await.len(), 1);
    stage.up().await;
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_group_that_late_lines_have_created_is_taken_by_the_next_up() {
    let stage = Stage::new(Emulator::shared()).await;
    let group = format!("/peersync/{}/api-access", stage.stack());
    unmanaged::log_group(&stage.clients, &group).await;
    assert!(stage.shown(&["status"], 0).await.contains("Not deployed"), "it is not the stack");
    stage.up().await;
    let tags = stage.clients.iam.list_role_tags().role_name(format!("{}-{}-login", stage.stack(), clients::REGION));
    let tags = tags.send().await.unwrap().tags;
    assert!(tags.iter().any(|tag| tag.key() == "peersync:created-at"), "the stack is new: {tags:?}");
    stage.plan(0).await;
    stage.down().await;
    let left = census(&stage.clients).await;
    assert!(!left.contains_key(&format!("logs:group/{group}")));
}
