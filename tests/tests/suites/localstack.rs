//! `local` on LocalStack itself, which has neither CloudFront nor, without Docker and its jar, functions and DynamoDB.
//!
//! Needs: localstack.

use std::collections::BTreeSet;

use peersync_tests::census::{Census, census_without_edge_and_tables, difference};
use peersync_tests::clients::{self, REGION};
use peersync_tests::deployer::{command, run};
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::product::Product;
use peersync_tests::unmanaged;
use tokio::process::Command;

/// The account that LocalStack gives to the usual credentials of emulators.
const CREDENTIALS: &str = "test";

/// The kinds of the census that LocalStack supports and a stack creates.
const THERE: [&str; 7] = [
    "apigateway:rest-api",
    "cloudwatch:alarm",
    "ec2:security-group",
    "iam:role",
    "logs:group",
    "s3:bucket",
    "ssm:parameter",
];

/// The kinds that stay with functions that cannot be deleted: what their environment names stays ours, the address of
/// the relay included.
const OF_FUNCTIONS: [&str; 6] = [
    "ec2:address/",
    "lambda:function/",
    "iam:role/peersync-dev",
    "logs:group//aws/lambda/peersync-dev-",
    "s3:bucket/peersync-dev-",
    "ssm:parameter//peersync/",
];

/// The beginning of a difference: a new account has a role for the logs of API Gateway that does not exist, which is
/// replaced.
const NO_SUCH_ROLE: &str =
    "changed: apigateway:account/role of the logs\n  was Some(\"arn:aws:iam::000000000000:role/api-gw";

/// Returns the kinds that were added between two censuses.
fn kinds_added(before: &Census, after: &Census) -> BTreeSet<String> {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    added.filter_map(|key| Some(key.split_once('/')?.0.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_localstack_services_are_named_and_replaced_and_local_down_deletes_the_rest() {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let emulator = Emulator::start(Kind::LocalStack);
    let clients = clients::of_account(&emulator.url, CREDENTIALS).await;
    let local = |arguments: &[&str]| -> Command {
        let all = [&["--output", "json", "--endpoint-url", &emulator.url, "local"], arguments].concat();
        let mut command = command(folder.path(), &all);
        command.env("AWS_REGION", REGION);
        command
    };
    unmanaged::bucket(&clients, "somebody-elses").await;
    let before = census_without_edge_and_tables(&clients).await;

    let product = Product::from(local(&["--port", "0"])).await;
    let (ready, there) = (&product.ready, format!("at {}", emulator.url));
    assert_eq!(ready["parts"]["Pages"], there.as_str(), "{ready}");
    for part in ["Edge", "API", "Signaling", "Mail"] {
        assert_eq!(ready["parts"][part], "in this process", "{part}: {ready}");
    }
    assert!(ready["parts"]["DynamoDB"].to_string().contains("in this process"), "{ready}");
    let missing = ready["missing"].to_string();
    for service in ["cloudfront: ", "dynamodb: ", "lambda: "] {
        assert!(missing.contains(service), "{service}: {missing}");
    }

    // The whole product works nevertheless: pages from LocalStack's bucket, accounts in the embedded database.
    assert!(product.get("/").await.expect(200).text.contains("PeerSync"));
    let cookie = product.sign_in("Ada", "ada@example.org").await;
    assert_eq!(product.call("GET", "/api/me", &cookie, None).await.expect(200).json()["name"], "Ada");
    let made = kinds_added(&before, &census_without_edge_and_tables(&clients).await);
    for kind in THERE {
        assert!(made.contains(kind), "{kind} is not among {made:?}; missing: {missing}");
    }
    product.interrupt().await.expect(0);

    // A second start changes nothing.
    let product = Product::from(local(&["--port", "0"])).await;
    product.call("GET", "/api/me", &cookie, None).await.expect(200);
    product.interrupt().await.expect(0);

    // LocalStack accepts functions, cannot start them without Docker, and then fails to delete them. They stay, with
    // what they need. Everything else is deleted.
    let down = run(local(&["down", "--yes"])).await.expect(4);
    let failed = down.failed();
    assert!(failed.iter().all(|address| address.starts_with("lambda_function.")), "{failed:?}");
    let left = difference(&before, &census_without_edge_and_tables(&clients).await);
    let expected = |line: &&String| {
        OF_FUNCTIONS.iter().any(|kind| line.starts_with(&format!("left: {kind}"))) || line.starts_with(NO_SUCH_ROLE)
    };
    assert!(left.iter().all(|line| expected(&line)), "{}", left.join("\n"));
}
