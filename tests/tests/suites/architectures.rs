//! Host and functions on Graviton: image, programs and plan follow the processors that the configuration names.
//!
//! The deployers of these tests carry the programs for x86_64 under another label, so that those for arm64 need not be built.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use insta::assert_snapshot;
use peersync_tests::carried::{ALL, ARM64, NONE, for_arm64, relabelled};
use peersync_tests::deployer::{Run, run, with_program};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::call::Call;
use peersync_tests::proxy::{ARM64_IMAGE_ID, Denied, Settings};
use peersync_tests::stage::{Stage, UP};
use tempfile::TempDir;

use super::launching::{actions, hosts};

const GRAVITON: &str = "[api]\narchitecture = \"arm64\"\n[signaling]\ninstance_type = \"t4g.nano\"\n";

/// Whether a call asks for something that does not run on Graviton.
fn is_for_others(call: &Call) -> bool {
    match call.operation.as_str() {
        "GetParameter" => call.json_text("Name").is_some_and(|name| name.ends_with("-x86_64")),
        "RunInstances" => {
            let user_data = call.parameter("UserData").and_then(|encoded| STANDARD.decode(encoded).ok());
            let mut text = String::new();
            let readable = GzDecoder::new(user_data.unwrap_or_default().as_slice()).read_to_string(&mut text);
            readable.is_err()
                || ["signal", "relay"].iter().any(|name| !text.contains(&format!("\\\"programs/arm64/{name}.gz\\\"")))
        }
        operation if operation.starts_with("CreateFunction") || operation.starts_with("UpdateFunctionCode") => {
            call.json("Architectures") != Some(serde_json::json!(["arm64"]))
        }
        _ => false,
    }
}

/// Runs another deployer on the stage.
async fn with(stage: &Stage, program: &Path, arguments: &[&str]) -> Run {
    run(with_program(&stage.command(arguments), program)).await
}

async fn graviton_only() -> Stage {
    let denied = Some(Denied { meant: is_for_others, allowed: BTreeSet::new() });
    let stage = Stage::with(Emulator::shared(), Settings { denied, ..Settings::default() }).await;
    stage.configure(GRAVITON);
    stage
}

async fn architectures(stage: &Stage) -> Vec<String> {
    let functions = stage.clients.lambda.list_functions().send().await.unwrap();
    let ours = functions.functions().iter().filter(|one| one.function_name().unwrap().starts_with(stage.stack()));
    ours.flat_map(|one| one.architectures()).map(|architecture| architecture.as_str().to_owned()).collect()
}

/// Returns the keys of the programs in the bucket.
async fn programs(stage: &Stage) -> Vec<String> {
    stage.keys().await.into_iter().filter(|key| key.starts_with("programs/")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn graviton_host_and_functions_get_their_image_and_programs() {
    let (stage, folder) = (graviton_only().await, TempDir::new().unwrap());
    let deployer = for_arm64(folder.path());
    with(&stage, &deployer, &UP).await.expect(0);
    let found = hosts(&stage).await;
    let [host] = found.as_slice() else { panic!("one host is expected: {found:#?}") };
    assert_eq!(host.image_id(), Some(ARM64_IMAGE_ID));
    assert_eq!(host.instance_type().unwrap().as_str(), "t4g.nano");
    assert_eq!(architectures(&stage).await, ["arm64"; 4]);
    assert_eq!(
        programs(&stage).await,
        ["programs/arm64/api.zip", "programs/arm64/relay.gz", "programs/arm64/signal.gz"]
    );
    with(&stage, &deployer, &["plan", "--detailed-exitcode"]).await.expect(0);
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_to_graviton_replaces_the_host_and_updates_the_functions_in_place() {
    let (stage, folder) = (Stage::new(Emulator::shared()).await, TempDir::new().unwrap());
    stage.up().await;
    let old = hosts(&stage).await[0].instance_id().unwrap().to_owned();
    stage.configure(GRAVITON);
    let deployer = for_arm64(folder.path());
    let steps = with(&stage, &deployer, &["plan", "--detailed-exitcode"]).await.expect(3).steps();
    let mut planned = actions(&steps);
    planned.sort_unstable();
    let expected = [
        "create s3_program.api",
        "create s3_program.relay",
        "create s3_program.signal",
        "replace signal_instance.signal",
        "update iam_role.signal",
        "update lambda_function.friends",
        "update lambda_function.login",
        "update lambda_function.rooms",
        "update lambda_function.signup",
    ];
    assert_eq!(planned, expected, "{steps:#?}");
    let deleted: Vec<_> = steps.iter().filter(|step| step.action == "delete").map(|step| &step.address).collect();
    assert_eq!(deleted, ["s3_program.former"]);
    let of_function = steps.iter().find(|step| step.address == "lambda_function.login").unwrap();
    assert!(of_function.fields.contains(&"architecture: configuration".to_owned()), "{of_function:#?}");

    stage.proxy().log.take();
    with(&stage, &deployer, &UP).await.expect(0);
    let log = stage.proxy().log.take();
    let code = |operation: &str| log.iter().filter(|record| record.operation.starts_with(operation)).count();
    assert_eq!((code("UpdateFunctionCode"), code("CreateFunction"), code("DeleteFunction")), (4, 0, 0));
    let began = |operation: &str| log.iter().find(|record| record.operation == operation).unwrap().began;
    assert!(began("RunInstances") < began("TerminateInstances"), "the old host goes on until the new one runs");
    let deletions: Vec<_> = log.iter().filter(|record| record.operation == "DeleteObjects").collect();
    let [deletion] = deletions.as_slice() else { panic!("the former programs are deleted: {deletions:#?}") };
    assert!(began("TerminateInstances") < deletion.began, "the old host may need them until it ends");
    assert_eq!(
        programs(&stage).await,
        ["programs/arm64/api.zip", "programs/arm64/relay.gz", "programs/arm64/signal.gz"]
    );
    assert_eq!(architectures(&stage).await, ["arm64"; 4]);
    let found = hosts(&stage).await;
    let [host] = found.as_slice() else { panic!("one host is expected: {found:#?}") };
    assert_ne!(host.instance_id(), Some(old.as_str()));
    with(&stage, &deployer, &["plan", "--detailed-exitcode"]).await.expect(0);
    stage.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_programs_are_named_before_anything_is_asked_or_created() {
    let (stage, folder) = (Stage::new(Emulator::shared()).await, TempDir::new().unwrap());
    let (deployer, _) = relabelled(folder.path(), &ALL, ARM64, NONE);
    stage.configure("[signaling]\ninstance_type = \"t4g.nano\"\n");
    for command in [&UP[..], &["plan"], &["status"]] {
        with(&stage, &deployer, command).await.expect(1);
    }
    let human = run(with_program(&stage.command_for_people(&UP), &deployer)).await.expect(1);
    let (_, said) = human.stderr.split_once("error: ").unwrap();
    assert_snapshot!(said, @r#"
    this peersync-deploy does not carry the server programs for these processors
      Caused by: it has none for arm64: `instance_type` under [signaling] is t4g.nano, which has arm64
    hint: build a release with `cargo xtask dist`, which carries them for x86_64 and arm64, and run the peersync-deploy that it creates; or choose an x86_64 type such as "t3.micro" under [signaling] and "x86_64" under [api]
    "#);
    assert!(stage.proxy().log.all().is_empty(), "nobody is called");
    let doctor = with(&stage, &deployer, &["doctor"]).await.expect(1).printed();
    assert!(doctor.contains("it has none for arm64"), "{doctor}");
    // Reading and removing need no programs.
    with(&stage, &deployer, &["outputs"]).await;
    with(&stage, &deployer, &["down", "--yes"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn image_for_other_processors_is_named() {
    let (stage, folder) = (Stage::new(Emulator::shared()).await, TempDir::new().unwrap());
    // Amazon Linux as MiniStack knows it, for x86_64.
    stage.configure(&format!("{GRAVITON}image = \"ami-0c2023a1b2c3d4e5f\"\n"));
    let run = with(&stage, &for_arm64(folder.path()), &UP).await.expect(1);
    assert_eq!(run.failed(), ["signal_instance.signal"]);
    let text = run.printed();
    assert!(text.contains("ami-0c2023a1b2c3d4e5f is for x86_64, and t4g.nano has arm64 processors"), "{text}");
    assert!(hosts(&stage).await.is_empty());
}
