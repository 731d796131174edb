//! What plans and `status` say: who changed a tag, that one which is taken out of the file is taken off in AWS, and what
//! a person reads about it.
//!
//! `contract` shows for every kind that its tags are removed and that those of others stay.

use std::collections::{BTreeSet, HashMap};

use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::Record;
use peersync_tests::proxy::{Denied, Settings};
use peersync_tests::stage::{DOWN, Stage, UP};

async fn tags_of_function(stage: &Stage) -> HashMap<String, String> {
    let call = stage.clients.lambda.get_function().function_name(format!("{}-login", stage.stack()));
    call.send().await.unwrap().tags.unwrap_or_default()
}

async fn arn_of_function(stage: &Stage) -> String {
    let call = stage.clients.lambda.get_function().function_name(format!("{}-login", stage.stack()));
    call.send().await.unwrap().configuration.unwrap().function_arn.unwrap()
}

async fn keys_of_table(stage: &Stage) -> Vec<String> {
    let dynamodb = &stage.clients.dynamodb;
    let table = dynamodb.describe_table().table_name(format!("{}-Users", stage.stack())).send().await.unwrap();
    let arn = table.table().and_then(|table| table.table_arn()).unwrap().to_owned();
    let tags = dynamodb.list_tags_of_resource().resource_arn(arn).send().await.unwrap();
    tags.tags().iter().map(|tag| tag.key().to_owned()).collect()
}

/// Returns the changes that `plan` shows for the function, each as `field: reason`, and the number of changed resources.
async fn planned(stage: &Stage) -> (Vec<String>, usize) {
    let steps = stage.plan(3).await.steps();
    let function = steps.iter().find(|step| step.address == "lambda_function.login");
    (function.map(|step| step.fields.clone()).unwrap_or_default(), steps.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_tags_have_their_reason_and_removed_ones_are_gone() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[stack.tags]\nowner = \"Ada\"\n\"a/b:c=d+e@f Ö\" = \"1 + 1 = 2\"\n");
    stage.up().await;
    let stranger = ("stranger", "stays");
    let call = stage.clients.lambda.tag_resource().resource(arn_of_function(&stage).await).tags(stranger.0, stranger.1);
    call.send().await.unwrap();
    stage.plan(0).await;

    stage.configure("[stack.tags]\nowner = \"Grace\"\nteam = \"calls\"\n");
    let (fields, resources) = planned(&stage).await;
    let expected = ["tags.a/b:c=d+e@f Ö: configuration", "tags.owner: configuration", "tags.team: configuration"];
    let mut sorted = fields.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    assert!(resources > 30, "every resource with tags changes, and not only {resources}");
    let shown = stage.shown(&["plan"], 0).await;
    assert_eq!(shown.matches("tags.owner: \"Ada\" → \"Grace\"  (configuration changed)").count(), 1, "{shown}");
    stage.up().await;

    let call = stage.clients.lambda.tag_resource().resource(arn_of_function(&stage).await).tags("owner", "Eve");
    call.send().await.unwrap();
    let (fields, resources) = planned(&stage).await;
    assert_eq!((fields, resources), (vec!["tags.owner: drift".to_owned()], 1));
    stage.up().await;

    stage.configure("");
    stage.up().await;
    stage.plan(0).await;
    let tags = tags_of_function(&stage).await;
    assert_eq!(tags.get(stranger.0).map(String::as_str), Some(stranger.1), "{tags:?}");
    let others: Vec<_> = tags.keys().filter(|key| !key.starts_with("peersync:") && *key != stranger.0).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// AWS's index of tags learns of a change minutes later; the plan after the change knows better.
#[tokio::test(flavor = "multi_thread")]
async fn late_index_of_tags_is_not_drift() {
    let settings = Settings { behaviours: vec![Behaviour::LateTagIndex], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    stage.plan(0).await;
    let asked = |records: Vec<Record>| {
        let by_resource = records.iter().filter(|one| ["logs", "monitoring"].contains(&one.service.as_str()));
        by_resource.filter(|one| one.operation == "ListTagsForResource").count()
    };
    stage.proxy().log.take();
    stage.plan(0).await;
    assert_eq!(asked(stage.proxy().log.take()), 0, "one request tells the tags of all");
    stage.configure("[stack.tags]\nowner = \"Ada\"\n");
    stage.up().await;
    stage.proxy().log.take();
    stage.plan(0).await;
    assert!(asked(stage.proxy().log.take()) > 10, "each resource was asked");
    stage.down().await;
}

/// A stack whose protection was just taken off can be removed, though the index still tells of it.
#[tokio::test(flavor = "multi_thread")]
async fn late_index_of_tags_keeps_no_stack() {
    let settings = Settings { behaviours: vec![Behaviour::LateTagIndex], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.configure("[stack]\nprotect = true\n");
    stage.up().await;
    stage.plan(0).await;
    stage.configure("[stack]\nprotect = false\n");
    stage.up().await;
    stage.down().await;
}

/// A role of before may not read the index, and an emulator may have none.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_index_of_tags_each_resource_is_asked() {
    let denied = Denied { meant: |call| call.is("tagging", "GetResources"), allowed: BTreeSet::new() };
    let settings = Settings { denied: Some(denied), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    stage.plan(0).await;
    stage.down().await;
}

/// The record of the tags is put last, so that a removal that failed is done by the next `up`.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_removal_of_a_tag_is_continued() {
    let mut stage = Stage::new(Emulator::shared()).await;
    stage.configure("[stack.tags]\nowner = \"Ada\"\n");
    stage.up().await;
    stage.configure("");
    let refuse = vec![("UntagResource".to_owned(), 400, "InvalidParameterValueException".to_owned(), "no".to_owned())];
    stage.change_proxy(Settings { refuse, ..Settings::default() }).await;
    let failed = stage.run(&["up", "--yes", "--no-check"]).await.expect(1);
    assert!(failed.failed().iter().any(|address| address.contains("dynamodb_table.Users")), "{:?}", failed.failed());
    assert!(keys_of_table(&stage).await.contains(&"owner".to_owned()), "the tag cannot be removed yet");
    stage.change_proxy(Settings::default()).await;
    stage.up().await;
    let keys = keys_of_table(&stage).await;
    assert!(!keys.contains(&"owner".to_owned()), "{keys:?}");
    stage.plan(0).await;
}

/// The plan of a pull request: data on stdout, one table row for each resource, nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn markdown_plan_is_data_for_a_comment() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure("[stack.tags]\nowner = \"@maintainers\"\n");
    let first = stage.shown(&["plan", "--format", "markdown", "--detailed-exitcode"], 3).await;
    assert!(first.starts_with(&format!("### {} in ", stage.stack())), "{first}");
    assert!(first.len() < 16_000, "a first plan is short: {} bytes", first.len());
    assert_eq!(first.matches("<code>dynamodb&#95;table.Users</code>").count(), 1, "{first}");
    assert!(first.contains(&format!("<code>{}-Users</code>", stage.stack())), "{first}");
    stage.up().await;
    stage.configure("[signaling]\nroom_capacity = 8\n[stack.tags]\nowner = \"Ada\"\n");
    let changed = stage.shown(&["plan", "--format", "markdown"], 0).await;
    assert!(changed.contains("<details>") && changed.contains("- tags.owner: \"@maintainers"), "{changed}");
    let (before, _) = changed.split_once("```diff").unwrap();
    assert!(!before.contains('@'), "{before}");
}

/// `status` says what it cannot know, and says once that nothing exists.
#[tokio::test(flavor = "multi_thread")]
async fn status_without_secrets_and_without_a_stack() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(
        "[mail]\nprovider = \"smtp\"\nfrom = \"a@example.org\"\n[mail.smtp]\nuser = \"a\"\nhost = \"smtp.example.org\"\n\
         password = { env = \"SMTP_PASS\" }\n",
    );
    let before = stage.shown(&["status"], 0).await;
    assert!(before.contains("Not deployed.") && !before.contains("missing"), "{before}");
    let mut up = stage.command(&["up", "--yes", "--no-check"]);
    up.env("SMTP_PASS", "one secret");
    peersync_tests::deployer::run(up).await.expect(0);
    let after = stage.shown(&["status"], 0).await;
    assert!(after.contains("not compared  value: SMTP_PASS is not set") && !after.contains("outdated"), "{after}");
    let mut plan = stage.command_for_people(&["plan"]);
    plan.env("SMTP_PASS", "another secret");
    let plan = peersync_tests::deployer::run(plan).await.expect(0).stdout;
    assert!(plan.contains("value: (secret) → (new secret)  (configuration changed)"), "{plan}");
    assert!(!plan.contains("one secret") && !plan.contains("another secret"), "{plan}");
}

/// Also the first event, for programs.
#[tokio::test(flavor = "multi_thread")]
async fn commands_say_first_which_file_they_use() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.remove_configuration();
    std::fs::write(stage.folder().join("other.toml"), "").unwrap();
    let said = |file: Option<&str>| match file {
        Some(file) => format!("Configuration: {file}, stage prod"),
        None => "Configuration: no peersync.toml here, so the defaults; stage prod".to_owned(),
    };
    let cases: [(Option<&str>, &[&str]); 3] =
        [(None, &[]), (Some("other.toml"), &["-c", "other.toml"]), (Some("peersync.toml"), &[])];
    for (file, option) in cases {
        if file == Some("peersync.toml") {
            stage.configure("");
        }
        for command in [&["plan"][..], &UP, &["status"], &DOWN] {
            let arguments = [&["--stage", "prod"][..], option, command].concat();
            let run = peersync_tests::deployer::run(stage.command_for_people(&arguments)).await.expect(0);
            assert_eq!(run.stderr.lines().next(), Some(said(file).as_str()), "{arguments:?}");
        }
        let events = stage.run(&[&["--stage", "prod"][..], option, &["plan"]].concat()).await.expect(0).events();
        assert_eq!((&events[0]["event"], events[0]["file"].as_str()), (&"configuration".into(), file));
    }
}
