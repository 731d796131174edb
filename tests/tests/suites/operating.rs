//! Operations beside `up` and `down`: logs, and backup and restoration of the users' data.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_dynamodb::types::AttributeValue;
use peersync_tests::census::{census, difference};
use peersync_tests::clients::{Clients, REGION};
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::changing;
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;
use serde_json::{Value, json};

/// Returns the time this many seconds ago, in milliseconds since 1970.
fn ago(seconds: u64) -> i64 {
    let moment = SystemTime::now().checked_sub(Duration::from_secs(seconds)).unwrap();
    i64::try_from(moment.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

async fn write(clients: &Clients, group: &str, seconds_ago: u64, message: &str) {
    write_to(clients, group, "s", seconds_ago, message).await;
}

async fn write_to(clients: &Clients, group: &str, stream: &str, seconds_ago: u64, message: &str) {
    // It may already exist.
    let _ = clients.logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await;
    let event = InputLogEvent::builder().timestamp(ago(seconds_ago)).message(message).build().unwrap();
    let call = clients.logs.put_log_events().log_group_name(group).log_stream_name(stream).log_events(event);
    call.send().await.unwrap();
}

fn lines(run: &Run) -> Vec<(String, String)> {
    let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    run.events_of("log").iter().map(|event| (text(event, "component"), text(event, "message"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_all_components_are_merged_by_time_and_followed() {
    let stage = Stage::new(Emulator::shared()).await;
    let none = stage.run(&["logs"]).await.expect(1);
    assert!(none.stdout.contains("has no logs"), "{}", none.stdout);
    let (login, signal) =
        (format!("/aws/lambda/{}-login", stage.stack()), format!("/peersync/{}/signal", stage.stack()));
    for group in [&login, &signal] {
        unmanaged::log_group(&stage.clients, group).await;
    }
    write(&stage.clients, &login, 7_200, "long ago").await;
    write(&stage.clients, &login, 300, "a login").await;
    write(&stage.clients, &signal, 200, "a socket\u{1b}[2J").await;
    write(&stage.clients, &login, 100, "another login").await;
    let pair = |component: &str, message: &str| (component.to_owned(), message.to_owned());
    let all = stage.run(&["logs"]).await.expect(0);
    let expected = [pair("login", "a login"), pair("signal", "a socket\u{1b}[2J"), pair("login", "another login")];
    assert_eq!(lines(&all), expected, "the last hour, merged");
    assert_eq!(lines(&stage.run(&["logs", "signal"]).await.expect(0)), expected[1..2]);

    let following = stage.start(&["logs", "-f", "login"]);
    // The first poll is complete when the second begins.
    let looks = || stage.proxy().log.all().iter().filter(|record| record.operation == "FilterLogEvents").count();
    let seen = looks();
    while looks() < seen + 2 {
        assert!(!following.is_over(), "it ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    write(&stage.clients, &login, 1, "while it is followed").await;
    let seen = looks();
    while looks() < seen + 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    following.signal("-INT").await;
    let followed = following.ended().await.expect(0);
    let expected = [pair("login", "a login"), pair("login", "another login"), pair("login", "while it is followed")];
    assert_eq!(lines(&followed), expected, "each line once");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_the_host_are_shown_by_name_and_the_installation_from_its_first_line() {
    let stage = Stage::new(Emulator::shared()).await;
    let clients = &stage.clients;
    let (access, host) =
        (format!("/peersync/{}/api-access", stage.stack()), format!("/peersync/{}/signal", stage.stack()));
    for group in [&access, &host] {
        unmanaged::log_group(clients, group).await;
    }
    // Not in the order of time.
    write_to(clients, &host, "i-1-relay", 100, "{\"level\":\"ERROR\",\"message\":\"full\"}").await;
    write_to(clients, &host, "i-1-install", 90_000, "peersync: installing").await;
    write_to(clients, &host, "i-1-install", 200, "peersync: updates: done").await;
    write_to(clients, &host, "i-1-tunnel", 150, "a tunnel").await;
    write_to(clients, &host, "i-1", 300, "a socket").await;
    write_to(clients, &access, "a", 250, "a request").await;
    let components = |run: &Run| lines(run).into_iter().map(|(component, _)| component).collect::<Vec<_>>();
    let all = stage.run(&["logs"]).await.expect(0);
    assert_eq!(components(&all), ["signal", "api-access", "install", "tunnel", "relay"]);
    let host = stage.run(&["logs", "signal", "--since", "220s"]).await.expect(0);
    assert_eq!(components(&host), ["install", "tunnel", "relay"]);
    let relay = stage.run(&["logs", "relay"]).await.expect(0);
    assert_eq!(components(&relay), ["relay"]);
    let installation = lines(&stage.run(&["logs", "install"]).await.expect(0));
    let messages: Vec<&str> = installation.iter().map(|(_, message)| message.as_str()).collect();
    assert_eq!(messages, ["peersync: installing", "peersync: updates: done"]);

    let people = |variable: (&'static str, &'static str)| {
        let mut command = stage.command_for_people(&["logs", "relay"]);
        command.env(variable.0, variable.1);
        deployer::run(command)
    };
    let (plain, colored) = (people(("NO_COLOR", "1")).await.stdout, people(("CLICOLOR_FORCE", "1")).await.stdout);
    assert!(plain.contains("relay      {\"level\"") && !plain.contains('\u{1b}'), "{plain:?}");
    assert!(colored.contains("\u{1b}[31m{\"level\":\"ERROR\""), "{colored:?}");
}

/// Puts a user into the table, and returns it in DynamoDB's JSON.
async fn user(stage: &Stage) -> Value {
    let table = format!("{}-Users", stage.stack());
    let item =
        [("email", AttributeValue::S("ada@example.org".to_owned())), ("age", AttributeValue::N("36".to_owned()))];
    let item = item.map(|(name, value)| (name.to_owned(), value)).into();
    stage.clients.dynamodb.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    json!({ "email": { "S": "ada@example.org" }, "age": { "N": "36" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_backup_is_adopted() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    user(&stage).await;
    let down = stage.run(&["down", "--yes"]).await.expect(0);
    let backups = down.events_of("backup");
    let [backup] = backups.as_slice() else { panic!("one table holds something: {backups:?}") };
    assert_eq!((&backup["kind"], &backup["table"]), (&json!("dynamodb"), &json!("peersync-dev-Users")));
    let arn = backup["place"].as_str().unwrap();
    let call =
        stage.clients.dynamodb.restore_table_from_backup().backup_arn(arn).target_table_name("peersync-dev-Users");
    call.send().await.unwrap();
    stage.run(&["up", "--yes", "--no-check"]).await.expect(1);
    stage.run(&["up", "--yes", "--no-check", "--adopt", "dynamodb_table.Users"]).await.expect(0);
    stage.plan(0).await;
    let kept = stage.clients.dynamodb.scan().table_name("peersync-dev-Users").send().await.unwrap();
    assert_eq!(kept.count(), 1, "the user is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_is_available_before_anything_is_deleted() {
    let settings = Settings { behaviours: vec![Behaviour::BackupInProgress], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    user(&stage).await;
    stage.run(&["down", "--yes"]).await.expect(0);
    let records = stage.proxy().log.all();
    let looks: Vec<_> = records.iter().filter(|record| record.operation == "DescribeBackup").collect();
    assert!(looks.len() > 1 && looks[0].by.is_some(), "it was in progress: {looks:?}");
    let changes = changing(&records);
    let deleted = changes.iter().filter(|record| record.operation.starts_with("Delete"));
    let early: Vec<_> = deleted.filter(|record| record.began <= looks[looks.len() - 1].ended).collect();
    assert!(early.is_empty(), "{early:#?}");
    assert!(looks[looks.len() - 1].by.is_none(), "the last poll found it available");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_saved_to_a_file_if_endpoint_has_no_backups() {
    let refuse = vec![("CreateBackup".to_owned(), 400, "UnknownOperationException".to_owned(), "no".to_owned())];
    let stage = Stage::with(Emulator::shared(), Settings { refuse, ..Settings::default() }).await;
    stage.up().await;
    let user = user(&stage).await;
    let down = stage.run(&["down", "--yes"]).await.expect(0);
    let backups = down.events_of("backup");
    let [backup] = backups.as_slice() else { panic!("one table holds something: {backups:?}") };
    assert_eq!(backup["kind"], "file");
    let file = stage.folder().join(backup["place"].as_str().unwrap());
    let lines: Vec<Value> =
        fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [user]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "nobody else may read it");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_backup_keeps_the_stack() {
    let refuse = vec![("CreateBackup".to_owned(), 400, "LimitExceededException".to_owned(), "too many".to_owned())];
    let stage = Stage::with(Emulator::shared(), Settings { refuse, ..Settings::default() }).await;
    stage.up().await;
    user(&stage).await;
    let before = census(&stage.clients).await;
    let down = stage.run(&["down", "--yes"]).await.expect(1);
    assert!(down.stdout.contains("--no-backup"), "{}", down.stdout);
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new(), "nothing is deleted");
}

/// Returns the topics that each alarm of the account notifies.
async fn notified(stage: &Stage) -> Vec<Vec<String>> {
    let answer = stage.clients.cloudwatch.describe_alarms().send().await.unwrap();
    let topics = |actions: &[String]| actions.iter().filter(|action| action.contains(":sns:")).cloned().collect();
    answer.metric_alarms().iter().map(|alarm| topics(alarm.alarm_actions())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alarm_notifies_the_address_and_the_topic_of_the_configuration() {
    // MiniStack does not tell the actions of an alarm.
    let emulator = Emulator::start(Kind::Moto);
    let settings = Settings { moto: true, kept: Some(|call| call.is("sns", "Subscribe")), ..Settings::default() };
    let stage = Stage::with(&emulator, settings).await;
    let theirs = "arn:aws:sns:eu-central-1:123456789012:pager";
    let own = format!("arn:aws:sns:{REGION}:{}:{}-alarms", stage.account, stage.stack());
    let address = "email = \"ada@example.org\"\n";
    let topic = format!("topic_arn = \"{theirs}\"\n");
    for (configured, expected, subscribed) in [
        (address.to_owned(), vec![own.clone()], 1),
        (format!("{address}{topic}"), vec![theirs.to_owned(), own.clone()], 0),
        (topic, vec![theirs.to_owned()], 0),
    ] {
        stage.configure(&format!("[alarms]\n{configured}"));
        stage.up().await;
        let alarms = notified(&stage).await;
        assert!(alarms.len() >= 5, "{alarms:?}");
        for mut topics in alarms {
            topics.sort();
            let mut expected = expected.clone();
            expected.sort();
            assert_eq!(topics, expected, "{configured}");
        }
        let calls = stage.proxy().log.take().into_iter().filter_map(|record| record.kept).map(|(call, _)| call);
        let calls: Vec<_> = calls
            .map(|call| ["TopicArn", "Protocol", "Endpoint"].map(|name| call.parameter(name).unwrap_or_default()))
            .collect();
        assert_eq!(calls, vec![[own.clone(), "email".to_owned(), "ada@example.org".to_owned()]; subscribed]);
        stage.plan(0).await;
    }
}
