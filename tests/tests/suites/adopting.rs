//! `--adopt` takes what it names and nothing else, shows what that changes, and loses nothing.

use aws_sdk_lambda::types::{FunctionCode, PackageType};
use peersync_tests::census::{census, difference};
use peersync_tests::clients::REGION;
use peersync_tests::deployer::Run;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;

const UP: [&str; 3] = ["up", "--yes", "--no-check"];

/// Runs `up` with these resources adopted.
async fn up_adopting(stage: &Stage, addresses: &[&str]) -> Run {
    let options: Vec<&str> = addresses.iter().flat_map(|address| ["--adopt", address]).collect();
    stage.run(&[&UP[..], &options].concat()).await
}

/// Runs a command that must be refused without changing anything, and returns what it prints.
async fn refused(stage: &Stage, addresses: &[&str], code: i32) -> String {
    let before = census(&stage.clients).await;
    stage.proxy().log.take();
    let printed = up_adopting(stage, addresses).await.expect(code).printed();
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new(), "a refused up changes nothing");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
    printed
}

/// Puts an object into the bucket.
async fn put(stage: &Stage, bucket: &str, key: &str) {
    let put = stage.clients.s3.put_object().bucket(bucket).key(key).body(b"theirs".to_vec().into());
    put.send().await.expect("an object can be put");
}

/// Returns the keys in the bucket that are none of ours.
async fn theirs_in(stage: &Stage, bucket: &str) -> Vec<String> {
    let answer = stage.clients.s3.list_objects_v2().bucket(bucket).send().await.expect("the bucket can be listed");
    let keys = answer.contents().iter().filter_map(|object| object.key());
    keys.filter(|key| key.starts_with("theirs")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_named_resources_are_adopted_and_they_are_updated_and_deleted() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    let (clients, stack) = (&stage.clients, stage.stack());
    unmanaged::table(clients, &format!("{stack}-Users"), "email").await;
    let role = unmanaged::role(clients, &format!("{stack}-{REGION}-signup")).await;
    unmanaged::function(clients, &format!("{stack}-signup"), &role).await;
    unmanaged::log_group(clients, &format!("/aws/lambda/{stack}-signup")).await;
    unmanaged::parameter(clients, &format!("/peersync/{stack}/ticket-key")).await;
    unmanaged::alarm(clients, &format!("{stack}-logged-errors")).await;
    let theirs = [
        "alarm.logged-errors",
        "dynamodb_table.Users",
        "iam_role.signup",
        "lambda_function.signup",
        "log_group.signup",
        "ssm_parameter.ticket-key",
    ];
    let printed = refused(&stage, &[], 1).await;
    for address in theirs {
        assert!(printed.contains(&format!("--adopt {address}")), "{address} is not in the hint:\n{printed}");
    }
    let printed = refused(&stage, &theirs[1..], 1).await;
    let asked = |address| printed.contains(&format!("--adopt {address}"));
    assert!(asked(theirs[0]) && !asked(theirs[1]), "{printed}");

    let options: Vec<&str> = theirs.iter().flat_map(|address| ["--adopt", address]).collect();
    let planned = stage.run(&[&["plan"], &options[..]].concat()).await.expect(0);
    let updated = planned.steps().into_iter().filter(|step| step.action == "update").map(|step| step.address);
    assert_eq!(updated.collect::<Vec<_>>(), theirs);
    up_adopting(&stage, &theirs).await.expect(0);
    stage.plan(0).await;
    stage.down().await;
    let left = difference(&before, &census(&stage.clients).await);
    assert!(left.is_empty(), "{}", left.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_an_adopted_bucket_stay_and_so_does_the_bucket() {
    let stage = Stage::new(Emulator::shared()).await;
    let bucket = stage.bucket();
    unmanaged::bucket(&stage.clients, &bucket).await;
    up_adopting(&stage, &["s3_bucket.site"]).await.expect(0);
    stage.plan(0).await;
    stage.up().await;
    assert_eq!(theirs_in(&stage, &bucket).await, ["theirs.txt"]);
    put(&stage, &bucket, "theirs-too.txt").await;
    stage.plan(0).await;

    let down = stage.down().await;
    assert!(down.printed().contains(&bucket), "it says that the bucket stays: {}", down.printed());
    assert_eq!(theirs_in(&stage, &bucket).await, ["theirs-too.txt", "theirs.txt"]);
    let listed = stage.clients.s3.list_objects_v2().bucket(&bucket).send().await.expect("the bucket can be listed");
    assert_eq!(listed.contents().len(), 2, "our pages are gone: {listed:?}");
    assert_eq!(stage.run(&["list"]).await.expect(0).result()["stacks"].as_array().map(Vec::len), Some(0));
    refused(&stage, &[], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_an_adopted_bucket_are_deleted_if_they_are_named_and_the_plan_says_so() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    unmanaged::bucket(&stage.clients, &stage.bucket()).await;
    let both = ["--adopt", "s3_bucket.site,s3_objects.site"];
    let plan = stage.run(&[&["plan"], &both[..]].concat()).await.expect(0);
    assert!(plan.stdout.contains("theirs.txt"), "{}", plan.stdout);
    stage.run(&[&UP[..], &both].concat()).await.expect(0);
    assert_eq!(theirs_in(&stage, &stage.bucket()).await, Vec::<String>::new());
    stage.plan(0).await;
    stage.down().await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_names_of_pages_and_a_policy_are_replaced_only_if_named() {
    let stage = Stage::new(Emulator::shared()).await;
    let bucket = stage.bucket();
    unmanaged::bucket(&stage.clients, &bucket).await;
    put(&stage, &bucket, "index.html").await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/theirs.txt"}}]}}"#
    );
    stage.clients.s3.put_bucket_policy().bucket(&bucket).policy(policy).send().await.expect("a policy can be set");
    let printed = refused(&stage, &["s3_bucket.site"], 1).await;
    assert!(printed.contains("index.html") && printed.contains("--adopt s3_objects.site"), "{printed}");
    assert!(printed.contains("--adopt s3_bucket_policy.site"), "{printed}");
    up_adopting(&stage, &["s3_bucket.site", "s3_objects.site", "s3_bucket_policy.site"]).await.expect(0);
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_adopted_is_refused_before_anything_is_applied() {
    let stage = Stage::new(Emulator::shared()).await;
    unmanaged::table(&stage.clients, &format!("{}-Users", stage.stack()), "id").await;
    let printed = refused(&stage, &["dynamodb_table.Users"], 1).await;
    assert!(printed.contains("the keys of a table cannot be changed"), "{printed}");
    let plan = stage.run(&["plan", "--adopt", "dynamodb_table.Users"]).await.expect(1);
    assert!(!plan.printed().contains("`--adopt"), "adopting would not help: {}", plan.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn role_with_a_path_and_function_of_an_image_cannot_be_adopted() {
    let stage = Stage::new(Emulator::shared()).await;
    let (clients, stack) = (&stage.clients, stage.stack());
    let role = clients.iam.create_role().role_name(format!("{stack}-{REGION}-login")).path("/theirs/");
    let role = role.assume_role_policy_document(unmanaged::TRUST).send().await.expect("a role can be created").role;
    let code = FunctionCode::builder().image_uri("123456789012.dkr.ecr.eu-central-1.amazonaws.com/theirs:1").build();
    let function = clients.lambda.create_function().function_name(format!("{stack}-signup"));
    let function =
        function.package_type(PackageType::Image).code(code).role(role.expect("the answer has the role").arn);
    function.send().await.expect("a function can be created");
    let printed = refused(&stage, &["iam_role.login", "lambda_function.signup"], 1).await;
    assert!(printed.contains("it has the path /theirs/") && printed.contains("it runs a container image"), "{printed}");
    assert!(!printed.contains("`--adopt"), "adopting would not help: {printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_address_is_refused_with_those_of_its_kind() {
    let stage = Stage::new(Emulator::shared()).await;
    let printed = refused(&stage, &["dynamodb_table.users"], 2).await;
    assert!(printed.contains("dynamodb_table.Users"), "{printed}");
    stage.run(&["up", "--yes", "--adopt"]).await.expect(2);
}
