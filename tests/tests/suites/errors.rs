//! Errors that a user can cause: each is reported once with its fix, and the changes already made are listed.

use std::path::Path;

use peersync_tests::carried::{ARM64, X86_64, relabelled};
use peersync_tests::deployer::{Run, program, with_program};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;

async fn stage(refuse: &[(&str, u16, &str, &str)]) -> Stage {
    let owned = refuse.iter().map(|(operation, status, code, message)| {
        ((*operation).to_owned(), *status, (*code).to_owned(), (*message).to_owned())
    });
    let settings = Settings { refuse: owned.collect(), ..Settings::default() };
    Stage::with(Emulator::shared(), settings).await
}

/// Asserts that the text contains `what` exactly once.
#[track_caller]
fn once(text: &str, what: &str) {
    assert_eq!(text.matches(what).count(), 1, "`{what}` must occur once:\n{text}");
}

async fn human(stage: &Stage, arguments: &[&str]) -> Run {
    human_from(stage, &program(), arguments).await
}

/// Runs this program as the deployer, for a person.
async fn human_from(stage: &Stage, program: &Path, arguments: &[&str]) -> Run {
    let all = [&["--output", "human"], arguments].concat();
    let plain = with_program(&stage.command_for_people(&all), program);
    peersync_tests::deployer::run(plain).await
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_are_reported_once() {
    let stage =
        stage(&[("GetCallerIdentity", 403, "ExpiredToken", "The security token included in the request is expired")])
            .await;
    let run = human(&stage, &["up", "--yes"]).await.expect(1);
    once(&run.stderr, "ExpiredToken");
    assert!(run.stderr.contains("aws sso login"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_credentials_are_reported() {
    let stage = stage(&[]).await;
    let mut command = stage.command(&["up", "--yes"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let run = peersync_tests::deployer::run(command).await.expect(1);
    assert!(run.printed().contains("credentials") && run.printed().contains("AWS_PROFILE"), "{}", run.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_region_is_reported() {
    let stage = stage(&[]).await;
    let mut command = stage.command(&["up", "--yes"]);
    command.env_remove("AWS_REGION");
    let run = peersync_tests::deployer::run(command).await;
    assert!(matches!(run.code, Some(1 | 2)), "{}", run.printed());
    assert!(run.printed().contains("region") && run.printed().contains("--region"), "{}", run.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn access_denied_on_change_is_reported() {
    let denied = "User is not authorized to perform: dynamodb:CreateTable";
    let stage = stage(&[("CreateTable", 400, "AccessDeniedException", denied)]).await;
    let run = human(&stage, &["up", "--yes", "--no-check"]).await.expect(1);
    let text = run.printed();
    assert!(text.contains(denied) && text.contains("peersync-deploy policy"), "{text}");
    assert!(text.contains("dynamodb_table.Users"), "{text}");
    // Its siblings were finished and are listed; its dependents were skipped and are not among the errors.
    assert!(text.contains("log_group.signal"), "{text}");
    let result = stage.run(&["up", "--yes", "--no-check"]).await.expect(1).result();
    assert_eq!(result["status"], "failed");
    let failures: Vec<_> = result["failures"].as_array().unwrap().iter().map(|failure| &failure["address"]).collect();
    assert_eq!(failures.len(), 3, "{result:#}");
    assert!(!result["skipped"].as_array().unwrap().is_empty(), "{result:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_in_messages_name_the_stack_and_can_be_pasted() {
    let denied = "User is not authorized to perform: dynamodb:CreateTable";
    let stage = stage(&[("CreateTable", 400, "AccessDeniedException", denied)]).await;
    stage.configure("");
    let arguments = ["--stage", "pr-7", "-c", "peersync.toml", "up", "--yes", "--no-check"];
    let text = human(&stage, &arguments).await.expect(1).printed();
    assert!(text.contains("`peersync-deploy --config peersync.toml --stage pr-7 policy`"), "{text}");
    let again = format!("peersync-deploy --output human {}", arguments.join(" "));
    assert!(text.contains(&format!("Run `{again}` again")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn access_denied_on_read_is_reported() {
    let denied = "User is not authorized to perform: logs:DescribeLogGroups";
    let stage = stage(&[("DescribeLogGroups", 400, "AccessDeniedException", denied)]).await;
    let run = human(&stage, &["plan"]).await.expect(1);
    assert!(
        run.printed().contains("logs:DescribeLogGroups") && run.printed().contains("peersync-deploy policy"),
        "{}",
        run.printed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_bucket_name_is_reported() {
    let stage =
        stage(&[("CreateBucket", 409, "BucketAlreadyExists", "The requested bucket name is not available.")]).await;
    let run = human(&stage, &["up", "--yes", "--no-check"]).await.expect(1);
    let text = run.printed();
    assert!(text.contains("BucketAlreadyExists") && text.contains("bucket"), "{text}");
    assert!(text.contains("site.bucket") || text.contains("[site]"), "the fix names the setting: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unmanaged_bucket_is_reported() {
    let stage = stage(&[]).await;
    unmanaged::bucket(&stage.clients, &stage.bucket()).await;
    let run = human(&stage, &["up", "--yes", "--no-check"]).await.expect(1);
    assert!(run.printed().contains("s3_bucket.site") && run.printed().contains("--adopt"), "{}", run.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_endpoint_is_reported() {
    let stage = stage(&[]).await;
    let mut command = stage.command(&["plan"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let run = peersync_tests::deployer::run(command).await.expect(1);
    assert!(run.printed().contains("--endpoint-url"), "{}", run.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_configuration_key_is_reported() {
    let stage = stage(&[]).await;
    stage.configure("[api]\nmemory_md = 512\n");
    let run = human(&stage, &["up", "--yes"]).await.expect(2);
    let text = run.printed();
    assert!(text.contains("memory_md") && text.contains("memory_mb") && text.contains("peersync.toml"), "{text}");
    assert!(stage.proxy().log.all().is_empty(), "nobody is called for a wrong configuration");
}

#[tokio::test(flavor = "multi_thread")]
async fn program_for_another_architecture_is_reported_before_any_change() {
    let stage = stage(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let (unsuitable, changed) = relabelled(folder.path(), &["api"], X86_64, ARM64);
    assert_eq!(changed, 1, "the deployer carries no programs: build it with PEERSYNC_RUNTIME_DIR");
    let run = human_from(&stage, &unsuitable, &["up", "--yes", "--no-check"]).await.expect(0);
    let warning = run.stderr.find("warning: the program `api` does not run on Amazon Linux 2023: it is not for x86_64");
    let first = run.stderr.find("log_group.");
    assert!(warning.is_some_and(|warning| first.is_some_and(|first| warning < first)), "{}", run.stderr);
    assert!(run.stderr.contains("cargo xtask dist"), "the fix is named: {}", run.stderr);
    let again = human_from(&stage, &unsuitable, &["up", "--yes", "--no-check"]).await.expect(0);
    assert!(!again.stderr.contains("warning"), "nothing is uploaded any more: {}", again.stderr);
}
