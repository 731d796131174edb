//! Regions in which no stack can be, or not yet.

use peersync_tests::clients::REGION;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::{Stage, UP};

#[tokio::test(flavor = "multi_thread")]
async fn other_partitions_are_refused_with_the_reason_before_any_request() {
    let stage = Stage::new(Emulator::shared()).await;
    for (region, reason) in [
        ("cn-northwest-1", "ICP licence"),
        ("us-gov-west-1", "GovCloud has no CloudFront"),
        ("eusc-de-east-1", "European Sovereign Cloud"),
    ] {
        for command in [&["plan"][..], &UP, &["doctor"], &["list"]] {
            let run = stage.run(&[&["--region", region], command].concat()).await;
            assert_ne!(run.code, Some(0));
            let text = run.printed();
            assert!(
                text.contains(region) && text.contains(reason) && text.contains("eu-central-1"),
                "{command:?}: {text}"
            );
        }
    }
    assert!(stage.proxy().log.all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn region_that_the_account_has_not_enabled_is_named() {
    let settings = Settings { not_enabled: Some("ap-east-1"), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    for command in [&["plan"][..], &UP, &["doctor"]] {
        let text = stage.run(&[&["--region", "ap-east-1"], command].concat()).await.expect(1).printed();
        assert!(
            text.contains("ap-east-1") && text.contains("aws account enable-region --region-name ap-east-1"),
            "{text}"
        );
    }
    assert_eq!(mutating(&stage.proxy().log.all()), Vec::<String>::new());
    stage.plan(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_not_taken_for_a_region_that_is_not_enabled() {
    let message = "The security token included in the request is invalid.".to_owned();
    let refusal = ("GetCallerIdentity".to_owned(), 403, "InvalidClientTokenId".to_owned(), message);
    let stage = Stage::with(Emulator::shared(), Settings { refuse: vec![refusal], ..Settings::default() }).await;
    let text = stage.run(&["--region", REGION, "plan"]).await.expect(1).printed();
    assert!(text.contains("AWS_ACCESS_KEY_ID") && !text.contains("enable-region"), "{text}");
}
