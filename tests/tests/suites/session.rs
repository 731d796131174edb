//! `shell` opens a session on the host through the AWS CLI. The CLI and its plugin are replaced by recorders.

use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use peersync_tests::clients::REGION;
use peersync_tests::deployer::{self, Run, Running};
use peersync_tests::emulator::Emulator;
use peersync_tests::stage::Stage;
use tokio::process::Command;
use tokio::time::sleep;

use super::host::program;

/// A CLI that records its arguments, waits for a line on its standard input or for the file `end`, and prints what it got.
const CLI: &str = "echo \"$*\" >called; trap 'echo interrupted' INT\n\
     read -r line; echo \"session: $line\"\nwhile [ -e wait ]; do sleep 0.05; done\nexit $(cat status 2>/dev/null || echo 0)";

/// Launches an instance with the tags of the stack, and returns its id.
async fn host(stage: &Stage) -> String {
    let tags = [
        ("managed-by", "peersync-deploy"),
        ("stack", stage.stack()),
        ("stage", "dev"),
        ("region", REGION),
        ("account", &stage.account),
    ];
    let tags = tags.map(|(key, value)| Tag::builder().key(format!("peersync:{key}")).value(value).build());
    let tags = TagSpecification::builder().resource_type(ResourceType::Instance).set_tags(Some(tags.to_vec())).build();
    let call = stage.clients.ec2.run_instances().image_id("ami-0c2023a1b2c3d4e5f").min_count(1).max_count(1);
    let launched = call.tag_specifications(tags).send().await.unwrap();
    launched.instances()[0].instance_id().unwrap().to_owned()
}

/// The command with these programs as everything that is installed, and a line for the session.
fn command(stage: &Stage, installed: &[&str]) -> Command {
    let own = stage.folder().join("bin");
    for name in installed {
        program(&own.join(name), CLI);
    }
    // The recorders need a shell and what it calls, without the AWS CLI that this computer may have.
    let mut command = stage.command_for_people(&["shell"]);
    for name in ["cat", "sleep", "sh"] {
        let _ = std::os::unix::fs::symlink(format!("/bin/{name}"), own.join(name));
    }
    std::fs::write(stage.folder().join("input"), "uptime\n").unwrap();
    let input = std::fs::File::open(stage.folder().join("input")).unwrap();
    command.env("PATH", own).stdin(input);
    command
}

async fn run(stage: &Stage, installed: &[&str]) -> Run {
    deployer::run(command(stage, installed)).await
}

fn called(stage: &Stage) -> Option<String> {
    std::fs::read_to_string(stage.folder().join("called")).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn session_has_the_terminal_and_its_failure_is_the_failure_of_the_command() {
    let stage = Stage::new(Emulator::shared()).await;
    let both = ["aws", "session-manager-plugin"];
    let nothing = run(&stage, &both).await.expect(1);
    assert!(nothing.stderr.contains("the stack has no signaling host"), "{}", nothing.stderr);
    assert_eq!(called(&stage), None);

    let id = host(&stage).await;
    let opened = run(&stage, &both).await.expect(0);
    assert_eq!(opened.stdout, "session: uptime\n", "{}", opened.stderr);
    assert!(opened.stderr.contains(&format!("Opening a session on {id}.")), "{}", opened.stderr);
    assert_eq!(called(&stage), Some(format!("ssm start-session --target {id} --region {REGION}\n")));

    std::fs::write(stage.folder().join("status"), "254").unwrap();
    let failed = run(&stage, &both).await.expect(1);
    assert!(failed.stderr.contains("the session ended with an error"), "{}", failed.stderr);
    assert!(failed.stderr.contains("exit status: 254"), "{}", failed.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_installed_is_named_before_aws_is_asked() {
    let stage = Stage::new(Emulator::shared()).await;
    for (installed, missing) in
        [(&[][..], "`aws` is not in PATH"), (&["aws"], "`session-manager-plugin` is not in PATH")]
    {
        let failed = run(&stage, installed).await.expect(1);
        assert!(failed.stderr.contains(missing) && failed.stderr.contains("https://docs.aws"), "{}", failed.stderr);
    }
    assert_eq!(stage.proxy().log.all().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupt_is_the_sessions() {
    let stage = Stage::new(Emulator::shared()).await;
    host(&stage).await;
    std::fs::write(stage.folder().join("wait"), "").unwrap();
    let running = Running::start(command(&stage, &["aws", "session-manager-plugin"]));
    while called(&stage).is_none() {
        assert!(!running.is_over(), "it ended");
        sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..3 {
        running.signal("-INT").await;
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!running.is_over(), "the command goes on as long as the session");
    std::fs::remove_file(stage.folder().join("wait")).unwrap();
    let ended = running.ended().await.expect(0);
    assert_eq!(ended.stdout, "session: uptime\n", "{}", ended.stderr);
}
