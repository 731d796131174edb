//! Secrets that change: brought by `up`, created again after a deletion, rotated on purpose. Whoever verifies a key knows
//! it before it is used, and no value is shown.
//!
//! Threads: 6. They wait until both keys are known everywhere.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ssm::types::ParameterType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use peersync_server::clock::Clock;
use peersync_server::secrets::{FOLLOW_INTERVAL, LiveSecrets, SecretReader, Secrets, SecretsError};
use peersync_server::settings::{Function, Settings as Served};
use peersync_server::store::Store;
use peersync_signal::{Limits, Parts, Server, bind, serve};
use peersync_tests::deployer::{self, Run};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::{changing, mutating};
use peersync_tests::stage::Stage;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The origin of the pages.
const SITE: &str = "https://site.example";
/// How long a verifier may take to read a new key.
const SETTLED: Duration = Duration::from_secs(60);

const MAIL: &str =
    "[mail]\nprovider = \"smtp\"\n[mail.smtp]\nuser = \"me@example.org\"\npassword = { env = \"SMTP_PASS\" }\n";

/// The value of a parameter, if it exists.
pub(super) async fn value(stage: &Stage, part: &str) -> Option<String> {
    let name = format!("/peersync/{}/{part}", stage.stack());
    let answer = stage.clients.ssm.get_parameters().names(name).with_decryption(true).send().await.unwrap();
    answer.parameters().first().and_then(|parameter| parameter.value().map(str::to_owned))
}

/// The origin keys that the distribution sends, once for each origin.
async fn sent(stage: &Stage) -> Vec<String> {
    let cloudfront = &stage.clients.cloudfront;
    let list = cloudfront.list_distributions().send().await.unwrap();
    let list = list.distribution_list().map(|list| list.items().to_vec()).unwrap_or_default();
    let config = cloudfront.get_distribution_config().id(list[0].id()).send().await.unwrap();
    let origins = config.distribution_config.unwrap().origins.unwrap().items;
    let headers =
        origins.into_iter().filter_map(|origin| origin.custom_headers).flat_map(|all| all.items.unwrap_or_default());
    headers.map(|header| header.header_value).collect()
}

async fn run(stage: &Stage, password: &str, arguments: &[&str]) -> Run {
    let mut command = stage.command(arguments);
    command.env("SMTP_PASS", password);
    deployer::run(command).await
}

fn recording(folder: &Path) -> PathBuf {
    folder.join("requests.jsonl")
}

/// The changes to keys and distribution among the requests recorded so far, in order: `put origin-key`, `send`,
/// `delete …`.
fn key_changes(recording: &Path) -> Vec<String> {
    let text = fs::read_to_string(recording).unwrap();
    let requests = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    requests.filter_map(|request| key_change(&request)).collect()
}

fn key_change(request: &Value) -> Option<String> {
    if request["method"] == "PUT" && request["uri"].as_str()?.contains("/distribution/") {
        return Some("send".to_owned());
    }
    let body: Value = serde_json::from_slice(&STANDARD.decode(request["body"].as_str()?).ok()?).ok()?;
    let last = |name: &Value| name.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let name = body["Name"].as_str().or(body["Names"][0].as_str())?;
    if name.starts_with("/peersync-lease/") {
        return None;
    }
    match request["headers"]["x-amz-target"].as_str()? {
        "AmazonSSM.PutParameter" => Some(format!("put {}", last(&body["Name"]))),
        "AmazonSSM.DeleteParameters" => Some(format!("delete {}", last(&body["Names"][0]))),
        _ => None,
    }
}

/// Reads the parameters of a stack as a host does.
struct HostReader(aws_sdk_ssm::Client, Served);

impl SecretReader for HostReader {
    fn read(&self) -> BoxFuture<'_, Result<Secrets, SecretsError>> {
        Box::pin(Secrets::load(&self.0, &self.1))
    }
}

/// Starts a signaling server for the pages of this site that follows the stack's parameters as the one on a host does.
pub(super) async fn host(stage: &Stage, site: &str) -> SocketAddr {
    let stack = stage.stack();
    let mut settings = Served::from_variables(|name| match name {
        "PEERSYNC_STACK" => Some(stack.to_string()),
        "SITE_URL" => Some(site.to_owned()),
        _ => None,
    })
    .unwrap();
    settings.function = Function::Signal;
    let secrets = LiveSecrets::new(HostReader(stage.clients.ssm.clone(), settings.clone()), Clock::default());
    let secrets = Arc::new(secrets);
    secrets.current().await.unwrap();
    let followed = Arc::clone(&secrets);
    tokio::spawn(async move {
        loop {
            sleep(FOLLOW_INTERVAL).await;
            followed.refresh().await;
        }
    });
    let store = Arc::new(Store::new(stage.clients.dynamodb.clone(), settings.tables.clone()));
    let server = Server::new(Parts { settings, secrets, store, limits: Limits::default(), clock: Clock::default() });
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(server, listener));
    address
}

/// Opens a WebSocket as the edge does for a page, with this key, and returns the status.
async fn upgrade(host: SocketAddr, key: &str) -> String {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\norigin: {SITE}\r\nx-peersync-origin-key: {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    String::from_utf8_lossy(&status).into_owned()
}

/// Lets pages open WebSockets through an edge that sends what the distribution says, and at some places still what it said
/// before, and returns the keys that were sent.
async fn traffic(stage: &Stage, host: SocketAddr) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    loop {
        all.extend(sent(stage).await);
        for key in &all {
            let status = upgrade(host, key).await;
            assert_eq!(
                status,
                "HTTP/1.1 101",
                "key {} of {}",
                all.iter().position(|one| one == key).unwrap(),
                all.len()
            );
        }
        if all.len() > 1 && value(stage, "origin-key-previous").await.is_none() {
            return all;
        }
        sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_variable_is_shown_as_a_change_and_brought_by_up() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(MAIL);
    run(&stage, "first-password", &["up", "--yes", "--no-check"]).await.expect(0);
    let plan = run(&stage, "second-password", &["plan", "--detailed-exitcode"]).await.expect(3);
    let steps = plan.steps();
    assert_eq!(steps.len(), 1, "{steps:#?}");
    assert_eq!((steps[0].address.as_str(), steps[0].action.as_str()), ("ssm_parameter.smtp-pass", "update"));
    assert_eq!(steps[0].fields, ["value: configuration"]);
    let up = run(&stage, "second-password", &["up", "--yes", "--no-check"]).await.expect(0);
    assert_eq!(up.done(), ["update ssm_parameter.smtp-pass"]);
    assert_eq!(value(&stage, "smtp-pass").await.as_deref(), Some("second-password"));
    for printed in [plan.printed(), up.printed()] {
        assert!(!printed.contains("-password"), "{printed}");
    }
    run(&stage, "second-password", &["plan", "--detailed-exitcode"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn change_of_every_mail_setting_plans_nothing_for_the_host() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    for mail in [
        MAIL,
        "[mail]\nprovider = \"smtp\"\nfrom = \"P <p@example.org>\"\n[mail.smtp]\nhost = \"mail.example.org\"\n\
         port = 465\ntls = \"tls\"\nuser = \"you@example.org\"\npassword = { env = \"SMTP_PASS\" }\n",
        "[mail]\nprovider = \"ses\"\nfrom = \"p@example.org\"\n",
        "[mail]\nprovider = \"emailjs\"\n[mail.emailjs]\nservice_id = \"s\"\ntemplate_id = \"t\"\npublic_key = \"p\"\n\
         private_key = { env = \"SMTP_PASS\" }\n",
    ] {
        stage.configure(mail);
        let steps = run(&stage, "a-password", &["plan", "--detailed-exitcode"]).await.expect(3).steps();
        let functions = steps.iter().filter(|step| step.address.starts_with("lambda_function.")).count();
        assert_eq!(functions, 4, "{mail}\n{steps:#?}");
        assert!(steps.iter().all(|step| step.address != "signal_instance.signal"), "{mail}\n{steps:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_origin_key_is_created_again_as_the_edge_sends_it() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let before = value(&stage, "origin-key").await.unwrap();
    let name = format!("/peersync/{}/origin-key", stage.stack());
    stage.clients.ssm.delete_parameter().name(name).send().await.unwrap();
    stage.proxy().log.take();
    let up = stage.up().await;
    assert_eq!(value(&stage, "origin-key").await.as_ref(), Some(&before));
    assert_eq!(sent(&stage).await, vec![before.clone(); 2]);
    let changes = changing(&stage.proxy().log.take());
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(!up.printed().contains(&before));
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_ticket_key_is_kept_as_the_previous_one() {
    let folder = TempDir::new().unwrap();
    let settings = Settings { recording: Some(recording(folder.path())), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    let earlier = key_changes(&recording(folder.path())).len();
    let first = value(&stage, "ticket-key").await.unwrap();
    let rotated = stage.run(&["secrets", "rotate", "ticket-key", "--yes"]).await.expect(0);
    let second = value(&stage, "ticket-key").await.unwrap();
    assert!(second.len() == 43 && second != first);
    assert_eq!(value(&stage, "ticket-key-previous").await.as_ref(), Some(&first));
    let changes = key_changes(&recording(folder.path())).split_off(earlier);
    assert_eq!(changes, ["put ticket-key-previous", "put ticket-key"], "the previous one is never unknown");
    let result = rotated.result();
    assert_eq!((result["status"].as_str(), result["secret"].as_str()), (Some("done"), Some("ticket-key")));
    let again = stage.run(&["secrets", "rotate", "ticket-key", "--yes"]).await.expect(0);
    assert_eq!(value(&stage, "ticket-key-previous").await.as_ref(), Some(&second));
    stage.plan(0).await;
    for secret in [first, second, value(&stage, "ticket-key").await.unwrap()] {
        assert!(!rotated.printed().contains(&secret) && !again.printed().contains(&secret));
    }
    stage.down().await;
    assert_eq!(value(&stage, "ticket-key-previous").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_turn_secret_is_kept_as_the_previous_one_while_the_host_relays() {
    let folder = TempDir::new().unwrap();
    let settings = Settings { recording: Some(recording(folder.path())), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    let earlier = key_changes(&recording(folder.path())).len();
    let first = value(&stage, "turn-secret").await.unwrap();
    let rotated = stage.run(&["secrets", "rotate", "turn-secret", "--yes"]).await.expect(0);
    let second = value(&stage, "turn-secret").await.unwrap();
    assert!(second.len() == 43 && second != first);
    assert_eq!(value(&stage, "turn-secret-previous").await.as_ref(), Some(&first));
    let changes = key_changes(&recording(folder.path())).split_off(earlier);
    assert_eq!(changes, ["put turn-secret-previous", "put turn-secret"], "the previous one is never unknown");
    assert!(!rotated.printed().contains(&first) && !rotated.printed().contains(&second));
    stage.plan(0).await;
    stage.configure("[turn]\nprovider = \"none\"\n");
    stage.up().await;
    for part in ["turn-secret", "turn-secret-previous"] {
        assert_eq!(value(&stage, part).await, None, "{part} is deleted with the relay");
    }
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_origin_key_is_sent_once_all_know_it_and_the_previous_one_ends_last() {
    let folder = TempDir::new().unwrap();
    let behaviours = vec![Behaviour::DistributionInProgress];
    let settings = Settings { recording: Some(recording(folder.path())), behaviours, ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    let first = value(&stage, "origin-key").await.unwrap();
    stage.proxy().log.take();
    let earlier = key_changes(&recording(folder.path())).len();
    let host = host(&stage, SITE).await;
    let rotating = stage.run(&["secrets", "rotate", "origin-key", "--yes"]);
    let traffic = timeout(4 * SETTLED, traffic(&stage, host));
    let (rotated, keys) = tokio::join!(rotating, traffic);
    let (rotated, keys) = (rotated.expect(0), keys.expect("the previous key is deleted"));
    let second = value(&stage, "origin-key").await.unwrap();
    assert_eq!(keys, BTreeSet::from([first.clone(), second.clone()]), "pages got in with both all the time");
    assert_eq!(upgrade(host, &"A".repeat(43)).await, "HTTP/1.1 403");
    assert!(second != first && sent(&stage).await == [second.clone(), second.clone()]);
    let changes = key_changes(&recording(folder.path())).split_off(earlier);
    let (put, rest) = changes.split_at(2);
    assert_eq!(put, ["put origin-key-previous", "put origin-key"]);
    let rest: Vec<&str> =
        rest.iter().map(String::as_str).filter(|change| *change != "put origin-key-previous").collect();
    assert_eq!(rest, ["send", "delete origin-key-previous"]);
    let records: Vec<_> = stage.proxy().log.take().into_iter().filter(|record| !record.of_lease).collect();
    let of = |operation: &str| records.iter().filter(|record| record.operation == operation).collect::<Vec<_>>();
    let (puts, sends, deletions) = (of("PutParameter"), of("UpdateDistribution"), of("DeleteParameters"));
    let known = puts.iter().map(|record| record.ended).max().unwrap();
    assert!(sends[0].began.duration_since(known) >= SETTLED, "{:?}", sends[0].began.duration_since(known));
    let in_progress = of("GetDistribution").len();
    assert!(in_progress > 1 && deletions[0].began > sends[0].ended, "the edge was asked {in_progress} times");
    assert_eq!(value(&stage, "origin-key-previous").await, None);
    assert!(!rotated.printed().contains(&first) && !rotated.printed().contains(&second));
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_changed_by_hand_is_sent_after_both_are_known() {
    let folder = TempDir::new().unwrap();
    let settings = Settings { recording: Some(recording(folder.path())), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    let name = format!("/peersync/{}/origin-key", stage.stack());
    let by_hand = "B".repeat(42) + "A";
    let call = stage.clients.ssm.put_parameter().name(name).value(&by_hand).overwrite(true);
    call.r#type(ParameterType::SecureString).send().await.unwrap();
    let earlier = key_changes(&recording(folder.path())).len();
    stage.up().await;
    assert_eq!(sent(&stage).await, [by_hand.clone(), by_hand]);
    let changes = key_changes(&recording(folder.path())).split_off(earlier);
    assert_eq!(changes, ["put origin-key-previous", "send", "delete origin-key-previous"]);
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_rotation_keeps_both_keys_and_is_completed_by_up() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let first = value(&stage, "origin-key").await.unwrap();
    let rotating = stage.start(&["secrets", "rotate", "origin-key", "--yes"]);
    while value(&stage, "origin-key").await.as_ref() == Some(&first) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rotating.kill().await;
    stage.outlast_lease();
    // Whoever starts now knows the key that the edge sends.
    assert_eq!(value(&stage, "origin-key-previous").await.as_ref(), Some(&first));
    assert_eq!(sent(&stage).await, [first.clone(), first.clone()]);
    let steps = stage.plan(3).await.steps();
    let named: Vec<(&str, &str)> = steps.iter().map(|step| (step.address.as_str(), step.action.as_str())).collect();
    let expected = [("cloudfront_distribution.site", "update"), ("ssm_parameter.origin-key-previous", "delete")];
    assert_eq!(named, expected);
    stage.up().await;
    let second = value(&stage, "origin-key").await.unwrap();
    assert_eq!(sent(&stage).await, [second.clone(), second]);
    assert_eq!(value(&stage, "origin-key-previous").await, None);
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn list_shows_names_sources_and_ages_but_no_values() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(MAIL);
    run(&stage, "a-password", &["up", "--yes", "--no-check"]).await.expect(0);
    let list = stage.run(&["secrets", "list"]).await.expect(0);
    let result = list.result();
    let secrets = result["secrets"].as_array().unwrap();
    let rows: Vec<(&str, &str, bool)> = secrets
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["source"].as_str().unwrap(), row["exists"].as_bool().unwrap()))
        .collect();
    let generated = ["turn-secret", "ticket-key", "origin-key"].map(|name| (name, "generated", true));
    assert_eq!(rows, [&[("smtp-pass", "environment", true)][..], &generated].concat());
    assert!(secrets.iter().all(|row| row["age_s"].as_u64().is_some_and(|age| age < 600)), "{secrets:?}");
    assert_eq!(secrets[0]["variable"], "SMTP_PASS");
    for part in ["smtp-pass", "turn-secret", "ticket-key", "origin-key"] {
        assert!(!list.printed().contains(&value(&stage, part).await.unwrap()), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_rotated_is_refused_without_a_change() {
    let stage = Stage::new(Emulator::shared()).await;
    let absent = stage.run(&["secrets", "rotate", "ticket-key", "--yes"]).await.expect(1);
    assert!(absent.printed().contains("the secret does not exist"), "{}", absent.printed());
    stage.configure(MAIL);
    run(&stage, "a-password", &["up", "--yes", "--no-check"]).await.expect(0);
    stage.proxy().log.take();
    let configured = stage.run(&["secrets", "rotate", "smtp-pass", "--yes"]).await.expect(2);
    assert!(configured.printed().contains("set the variable to the new value"), "{}", configured.printed());
    let unconfirmed = stage.run(&["secrets", "rotate", "ticket-key"]).await.expect(2);
    assert!(unconfirmed.printed().contains("add `-y`"), "{}", unconfirmed.printed());
    stage.configure(&format!("{MAIL}[site]\nprice_class = \"PriceClass_200\"\n"));
    let pending = stage.run(&["secrets", "rotate", "origin-key", "--yes"]).await.expect(1);
    assert!(pending.printed().contains("price_class"), "{}", pending.printed());
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new());
}
