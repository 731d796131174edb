//! What others have reported of AWS, played back: `tests/README.md` lists the reports with their tests, most of which are in
//! the suites of what they are about.

use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::stage::{DOWN, Stage, UP};

/// The text is AWS's own (aws-samples/aws-cdk-examples#279).
const NOT_VERIFIED: &str = "Your account must be verified before you can add new CloudFront resources. To verify your \
     account, please contact AWS Support (https://console.aws.amazon.com/support/home#/ ) and include this error message.";

#[tokio::test(flavor = "multi_thread")]
async fn account_that_is_not_verified_is_sent_to_support_and_continues_once_it_is() {
    let refused = ("CreateDistribution".to_owned(), 403, "AccessDenied".to_owned(), NOT_VERIFIED.to_owned());
    let mut stage = Stage::with(Emulator::shared(), Settings { refuse: vec![refused], ..Settings::default() }).await;
    let run = stage.run(&UP).await.expect(1);
    let printed = run.printed();
    assert!(printed.contains("open a case") && !printed.contains("give your role"), "{printed}");
    stage.change_proxy(Settings::default()).await;
    stage.up().await;
    stage.plan(0).await;
}

/// While a distribution still serves from a bucket, nobody else can take the bucket's name (aws-amplify/amplify-backend#3305),
/// also if `down` stops before the distribution is gone.
#[tokio::test(flavor = "multi_thread")]
async fn bucket_outlives_the_distribution_that_serves_it() {
    let mut stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    stage
        .change_proxy(Settings { held: Some(|call| call.operation == "DeleteDistribution"), ..Settings::default() })
        .await;
    let running = stage.start(&DOWN);
    let is_held = || stage.proxy().log.all().iter().any(|record| record.operation == "UpdateDistribution");
    while !is_held() && !running.is_over() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    running.kill().await;
    assert!(stage.clients.s3.head_bucket().bucket(stage.bucket()).send().await.is_ok(), "the name is still ours");
    let behaviours = vec![Behaviour::DistributionInProgress];
    stage.change_proxy(Settings { behaviours, ..Settings::default() }).await;
    stage.outlast_lease();
    stage.down().await;
    let records = stage.proxy().log.all();
    let place = |operation: &str| records.iter().rposition(|record| record.operation == operation);
    let (distribution, bucket) = (place("DeleteDistribution"), place("DeleteBucket"));
    assert!(distribution.is_some() && distribution < bucket, "{distribution:?} {bucket:?}");
}
