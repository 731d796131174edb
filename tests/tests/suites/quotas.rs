//! Quotas of the account are counted before anything is created: `doctor` and `plan` say what is short, and `up` refuses.

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::{Stage, UP};

const ADDRESSES: &str = "L-0263D0A3";
const VCPUS: &str = "L-1216C47A";
const DISTRIBUTIONS: &str = "L-24B04930";

async fn with_quotas(quotas: &[(&'static str, f64)]) -> Stage {
    let settings = Settings { quotas: quotas.to_vec(), ..Settings::default() };
    Stage::with(Emulator::shared(), settings).await
}

async fn allocate(stage: &Stage, count: usize) {
    for _ in 0..count {
        stage.clients.ec2.allocate_address().send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_that_does_not_suffice_is_named_before_anything_is_created() {
    let stage = with_quotas(&[(ADDRESSES, 2.0), (VCPUS, 1.0), (DISTRIBUTIONS, 200.0)]).await;
    allocate(&stage, 2).await;
    let before = census(&stage.clients).await;
    let said = "2 of 2 Elastic IP addresses are used, and 1 more is needed";
    let plan = stage.run(&["plan"]).await.expect(0);
    let warnings: Vec<String> =
        plan.events_of("warning").iter().filter_map(|event| Some(event["text"].as_str()?.to_owned())).collect();
    assert!(warnings.iter().any(|text| text.contains(said) && text.contains("Service Quotas")), "{warnings:#?}");
    assert!(warnings.iter().any(|text| text.contains("0 of 1 vCPUs of on-demand instances are used")), "{warnings:#?}");
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    let doctor = stage.run(&["doctor"]).await.expect(1).printed();
    assert!(doctor.contains(said) && doctor.contains("0 of 200 CloudFront distributions are used"), "{doctor}");
    let up = stage.run(&UP).await.expect(1).printed();
    assert!(up.contains("quotas do not suffice") && up.contains(said), "{up}");
    assert_eq!(mutating(&stage.proxy().log.all()), Vec::<String>::new(), "not even the lease was taken");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn default_quota_is_called_so_and_refuses_nothing() {
    let stage = Stage::new(Emulator::shared()).await;
    allocate(&stage, 5).await;
    let plan = stage.run(&["plan"]).await.expect(0).printed();
    assert!(plan.contains("5 of 5 Elastic IP addresses (default quota) are used, and 1 more is needed"), "{plan}");
    stage.up().await;
    stage.plan(0).await;
}

/// The host that is replaced keeps running until its successor has taken over.
#[tokio::test(flavor = "multi_thread")]
async fn replaced_host_needs_its_vcpus_a_second_time() {
    let mut stage = with_quotas(&[(VCPUS, 2.0)]).await;
    stage.up().await;
    stage.plan(0).await;
    stage.configure("[signaling]\ninstance_type = \"t3.small\"\n");
    let up = stage.run(&UP).await.expect(1).printed();
    assert!(up.contains("2 of 2 vCPUs of on-demand instances are used, and 2 more are needed"), "{up}");
    stage.change_proxy(Settings { quotas: vec![(VCPUS, 4.0)], ..Settings::default() }).await;
    stage.up().await;
}

/// What exists needs nothing more, so that a full account is no reason to say anything.
#[tokio::test(flavor = "multi_thread")]
async fn stack_that_exists_is_not_counted_once_more() {
    let stage = with_quotas(&[(ADDRESSES, 1.0), (VCPUS, 2.0), (DISTRIBUTIONS, 1.0), ("L-CF0D4FC5", 1.0)]).await;
    stage.up().await;
    stage.configure("[api]\nmemory_mb = 512\n");
    stage.proxy().log.take();
    let plan = stage.plan(3).await;
    assert!(plan.events_of("warning").is_empty(), "{}", plan.stdout);
    assert!(!stage.proxy().log.take().iter().any(|record| record.operation == "GetServiceQuota"), "nothing is asked");
    // The second stack shares the policy, so that only what it has for itself is short.
    let refused = stage.run(&[&["--stage", "two"][..], &UP].concat()).await.expect(1).printed();
    assert!(refused.contains("1 of 1 CloudFront distributions"), "{refused}");
    assert!(!refused.contains("response-headers policies are used"), "{refused}");
}
