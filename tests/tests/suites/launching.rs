//! Where the host is launched: zones without capacity, subnets, regions without a default VPC; and what it may use.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Instance, SecurityGroup};
use peersync_tests::census::{census, difference};
use peersync_tests::deployer::Step;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::mutating;
use peersync_tests::proxy::{Denied, Settings};
use peersync_tests::stage::{DOWN, Stage, UP};

const FULL: &str = "We currently do not have sufficient t3.micro capacity in the Availability Zone you requested.";

/// Refuses every launch.
fn refusing(code: &str, message: &str) -> Settings {
    let refusal = ("RunInstances".to_owned(), 400, code.to_owned(), message.to_owned());
    Settings { refuse: vec![refusal], ..Settings::default() }
}

/// Returns the hosts of the account that run.
pub(super) async fn hosts(stage: &Stage) -> Vec<Instance> {
    let answer = stage.clients.ec2.describe_instances().send().await.unwrap();
    let all = answer.reservations().iter().flat_map(|one| one.instances()).cloned();
    all.filter(|host| host.state().and_then(|state| state.name()).is_some_and(|name| name.as_str() == "running"))
        .collect()
}

/// Returns the stack's security groups.
async fn groups(stage: &Stage) -> Vec<SecurityGroup> {
    let answer = stage.clients.ec2.describe_security_groups().send().await.unwrap();
    let ours = |group: &&SecurityGroup| group.group_name().is_some_and(|name| name.starts_with(stage.stack()));
    answer.security_groups().iter().filter(ours).cloned().collect()
}

/// Creates another VPC with a subnet, and returns their ids.
async fn network(stage: &Stage) -> (String, String) {
    let ec2 = &stage.clients.ec2;
    let vpc = ec2.create_vpc().cidr_block("10.7.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
    let subnet = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.7.0.0/24").send().await.unwrap();
    (vpc, subnet.subnet.unwrap().subnet_id.unwrap())
}

/// Returns what is done, without what only follows from another host.
pub(super) fn actions(steps: &[Step]) -> Vec<String> {
    let follows = |step: &&Step| step.fields.iter().all(|field| field.ends_with(": consequence"));
    steps.iter().filter(|step| !follows(step)).map(|step| format!("{} {}", step.action, step.address)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn zones_and_type_are_named_if_no_zone_has_capacity() {
    let settings = refusing("InsufficientInstanceCapacity", FULL);
    let stage = Stage::with(Emulator::shared(), settings).await;
    let run = stage.run(&UP).await.expect(1);
    assert_eq!(run.failed(), ["signal_instance.signal"]);
    let text = run.printed();
    assert!(text.contains("t3.micro was tried in eu-central-1a, eu-central-1b, eu-central-1c"), "{text}");
    assert!(text.contains("choose another `instance_type`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_subnet_is_the_only_place_that_is_tried() {
    let settings = refusing("InsufficientInstanceCapacity", FULL);
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.configure("[signaling]\nsubnet = \"subnet-00000002\"\n");
    let run = stage.run(&UP).await.expect(1);
    let text = run.printed();
    assert!(text.contains("t3.micro was tried in eu-central-1b:") && text.contains("another `subnet`"), "{text}");
    let attempts = stage.proxy().log.all().into_iter().filter(|record| record.operation == "RunInstances");
    assert_eq!(attempts.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn host_moves_to_the_configured_subnet_with_its_group_and_back() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    let (vpc, subnet) = network(&stage).await;
    stage.up().await;
    let old = groups(&stage).await;

    stage.configure(&format!("[signaling]\nsubnet = \"{subnet}\"\n"));
    let steps = stage.plan(3).await.steps();
    let moved = ["replace security_group.signal", "replace signal_instance.signal"];
    assert_eq!(actions(&steps), moved, "{steps:#?}");
    stage.up().await;
    let (host, group) = (hosts(&stage).await, groups(&stage).await);
    let ([host], [group]) = (host.as_slice(), group.as_slice()) else { panic!("{host:#?} {group:#?}") };
    assert_eq!(host.subnet_id(), Some(subnet.as_str()));
    assert_eq!(group.vpc_id(), Some(vpc.as_str()));
    assert_ne!(group.group_id(), old[0].group_id());
    assert_eq!(host.security_groups()[0].group_id(), group.group_id());
    stage.plan(0).await;

    stage.configure("");
    assert_eq!(actions(&stage.plan(3).await.steps()), moved);
    stage.up().await;
    assert_eq!(groups(&stage).await[0].vpc_id(), old[0].vpc_id());
    stage.plan(0).await;
    stage.down().await;
    // Nothing of ours holds the network.
    let ec2 = &stage.clients.ec2;
    ec2.delete_subnet().subnet_id(&subnet).send().await.unwrap();
    ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn subnet_of_the_same_vpc_keeps_the_group() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    stage.configure("[signaling]\nsubnet = \"subnet-00000003\"\n");
    let steps = stage.plan(3).await.steps();
    assert_eq!(actions(&steps), ["replace signal_instance.signal"], "{steps:#?}");
    stage.up().await;
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_asks_for_a_public_address_where_the_subnet_may_give_none() {
    // EC2 refuses every launch that does not ask for one.
    let meant = |call: &peersync_tests::proxy::call::Call| {
        call.operation == "RunInstances"
            && call.parameter("NetworkInterface.1.AssociatePublicIpAddress").as_deref() != Some("true")
    };
    for (nothing, config) in [(vec![], "[signaling]\nsubnet = \"subnet-00000003\"\n"), (vec!["DescribeSubnets"], "")] {
        let denied = Some(Denied { meant, allowed: BTreeSet::new() });
        let stage = Stage::with(Emulator::shared(), Settings { denied, nothing, ..Settings::default() }).await;
        stage.configure(config);
        stage.up().await;
        assert_eq!(hosts(&stage).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn region_without_default_vpc_is_named_before_anything_is_created() {
    let settings = Settings { nothing: vec!["DescribeVpcs"], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    let (_, subnet) = network(&stage).await;
    for command in [&["plan"][..], &UP] {
        let text = stage.run(command).await.expect(1).printed();
        assert!(
            text.contains("the region has no default VPC") && text.contains("`subnet` under [signaling]"),
            "{text}"
        );
    }
    let doctor = stage.run(&["doctor"]).await.expect(1).printed();
    assert!(doctor.contains("the region has no default VPC"), "{doctor}");
    // Reading and removing need no network.
    stage.run(&["status"]).await;
    stage.run(&DOWN).await.expect(0);
    assert_eq!(mutating(&stage.proxy().log.all()), Vec::<String>::new());

    stage.configure(&format!("[signaling]\nsubnet = \"{subnet}\"\n"));
    stage.up().await;
    stage.plan(0).await;
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subnet_that_does_not_exist_is_named_before_anything_is_created() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[signaling]\nsubnet = \"subnet-0123456789abcdef0\"\n");
    let text = stage.run(&UP).await.expect(1).printed();
    assert!(text.contains("subnet-0123456789abcdef0") && text.contains("correct `subnet`"), "{text}");
    assert_eq!(mutating(&stage.proxy().log.all()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn default_vpc_without_subnets_is_explained() {
    let settings = refusing("MissingInput", "No subnets found for the default VPC 'vpc-1'.");
    let stage = Stage::with(Emulator::shared(), settings).await;
    let text = stage.run(&UP).await.expect(1).printed();
    assert!(text.contains("the default VPC has no subnet") && text.contains("`subnet` under [signaling]"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_that_may_use_any_share_of_its_processor_is_changed_without_a_new_one() {
    let settings = Settings { unlimited_credits: true, ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    let before = hosts(&stage).await;
    let steps = stage.plan(3).await.steps();
    assert_eq!(actions(&steps), ["update signal_instance.signal"], "{steps:#?}");
    assert!(steps[0].fields.iter().any(|field| field.starts_with("cpu_credits")), "{steps:#?}");
    stage.up().await;
    stage.plan(0).await;
    assert_eq!(before[0].instance_id(), hosts(&stage).await[0].instance_id());
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_move_is_completed() {
    let behaviours = vec![Behaviour::DependencyViolation];
    let stage = Stage::with(Emulator::shared(), Settings { behaviours, ..Settings::default() }).await;
    let (vpc, subnet) = network(&stage).await;
    stage.up().await;
    stage.configure(&format!("[signaling]\nsubnet = \"{subnet}\"\n"));
    // The new group exists already, as after a run that was killed in between.
    let old = groups(&stage).await;
    let ec2 = &stage.clients.ec2;
    let tags = aws_sdk_ec2::types::TagSpecification::builder()
        .resource_type(aws_sdk_ec2::types::ResourceType::SecurityGroup)
        .set_tags(Some(old[0].tags().to_vec()))
        .build();
    let call =
        ec2.create_security_group().group_name(old[0].group_name().unwrap()).description("PeerSync").vpc_id(&vpc);
    call.tag_specifications(tags).send().await.unwrap();
    stage.up().await;
    stage.plan(0).await;
    let group = groups(&stage).await;
    assert_eq!(group.iter().map(|group| group.vpc_id().unwrap()).collect::<Vec<_>>(), [vpc.as_str()]);
    assert_eq!(hosts(&stage).await.len(), 1);
}
