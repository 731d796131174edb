//! The whole lifecycle on MiniStack: up, the page, a sign-up, no changes, down, nothing left.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::http;
use peersync_tests::proxy::log::{longest_chain, mutating};
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;
use serde_json::{Value, json};

async fn stage() -> Stage {
    Stage::new(Emulator::shared()).await
}

/// Returns the id of the stack's REST API.
async fn api_id(stage: &Stage) -> String {
    let apis = stage.clients.api_gateway.get_rest_apis().send().await.unwrap();
    let name = format!("{}-api", stage.stack());
    let ours = apis.items().iter().find(|api| api.name() == Some(name.as_str()));
    ours.expect("the API is there").id().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn stack_lifecycle_up_serves_no_changes_down() {
    let stage = Stage::in_served_account(Emulator::shared()).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    let before = census(&stage.clients).await;

    // This includes the check that page and API answer.
    let up = stage.run(&["up", "--yes"]).await.expect(0);
    assert_eq!(up.result()["status"], "done");
    assert!(!up.done().is_empty());
    page_is_served(&stage, &up.result()["outputs"]).await;
    sign_up_reaches_the_table(&stage).await;

    stage.proxy().log.take();
    stage.plan(0).await;
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new(), "plan must write nothing");
    let second = stage.up().await;
    let records = stage.proxy().log.take();
    assert_eq!(second.result()["status"], "nothing_to_do");
    assert_eq!(mutating(&records), Vec::<String>::new(), "a second up must change nothing");
    // Three waves of reads, and GetCallerIdentity.
    assert!(records.len() < 150, "{} requests", records.len());
    println!("second up: {} requests, longest chain {}", records.len(), longest_chain(&records).len());

    let down = stage.down().await;
    assert_eq!([up.undocumented(), second.undocumented(), down.undocumented()].concat(), Vec::<Value>::new());
    let left = difference(&before, &census(&stage.clients).await);
    assert!(left.is_empty(), "{}", left.join("\n"));
    // Deleting what no longer exists succeeds.
    stage.down().await;
}

/// The distribution sends browsers to HTTPS; the emulator's edge has none, so the page itself comes out of the bucket.
async fn page_is_served(stage: &Stage, outputs: &Value) {
    let distributions = stage.clients.cloudfront.list_distributions().send().await.unwrap();
    let distributions = distributions.distribution_list().map(|list| list.items().to_vec()).unwrap_or_default();
    let host = distributions.iter().find(|one| one.comment().starts_with("PeerSync stack")).expect("our distribution");
    let answer = http::client().get(format!("{}/", stage.emulator)).header("host", host.domain_name()).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 301, "{outputs}");
    let location = answer.headers().get("location").unwrap().to_str().unwrap();
    assert!(location.starts_with("https://"), "{location}");
    let object = stage.clients.s3.get_object().bucket(stage.bucket()).key("index.html").send().await.unwrap();
    assert!(object.content_type().unwrap().starts_with("text/html"));
    let page = String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap();
    assert!(page.contains("<title"), "{page}");
    let config = stage.clients.s3.get_object().bucket(stage.bucket()).key("config.json").send().await.unwrap();
    let config: Value = serde_json::from_slice(&config.body.collect().await.unwrap().to_vec()).unwrap();
    assert_eq!(config["api"], "/api");
}

async fn sign_up_reaches_the_table(stage: &Stage) {
    let base = format!("{}/restapis/{}/api/_user_request_", stage.emulator, api_id(stage).await);
    let health = http::client().get(format!("{base}/health")).send().await.unwrap();
    assert_eq!(health.status(), 200, "{}", health.text().await.unwrap());
    let answer = http::client()
        .post(format!("{base}/signup"))
        .json(&json!({ "name": "Ada Lovelace", "email": "Ada@Example.ORG" }))
        .send()
        .await
        .unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status} {text}");
    let table = format!("{}-Users", stage.stack());
    let items = stage.clients.dynamodb.scan().table_name(table).send().await.unwrap();
    let names: Vec<_> = items.items().iter().filter_map(|item| item.get("name")?.as_s().ok()).collect();
    assert!(names.iter().any(|name| *name == "Ada Lovelace"), "{:?}", items.items());
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_on_empty_account_lists_all_resources_without_changes() {
    let stage = stage().await;
    let plan = stage.plan(3).await;
    assert!(plan.steps().len() > 30, "{:?}", plan.steps());
    assert!(plan.steps().iter().all(|step| step.action == "create"), "{:?}", plan.steps());
    let plans = plan.events_of("plan");
    let unchanged =
        plans.iter().flat_map(|plan| plan["steps"].as_array().unwrap()).filter(|step| step["action"] == "no_change");
    assert_eq!(unchanged.count(), 0, "nothing exists that could be unchanged");
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn unmanaged_resource_is_not_taken_over_without_adopt() {
    let stage = stage().await;
    let table = format!("{}-Users", stage.stack());
    unmanaged::table(&stage.clients, &table, "email").await;
    let item = BTreeMap::from([("email", "theirs@example.org")]);
    let item = item.into_iter().map(|(key, value)| (key.to_owned(), AttributeValue::S(value.to_owned())));
    stage.clients.dynamodb.put_item().table_name(&table).set_item(Some(item.collect())).send().await.unwrap();
    let before = census(&stage.clients).await;

    stage.proxy().log.take();
    let refused = stage.run(&["up", "--yes", "--no-check"]).await.expect(1);
    let printed = refused.printed();
    assert!(printed.contains("dynamodb_table.Users") && printed.contains("--adopt"), "{printed}");
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new(), "a refused up must change nothing");
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
    // Unmanaged resources are not deleted either.
    stage.run(&["down", "--yes", "--no-backup"]).await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());

    stage.run(&["up", "--yes", "--no-check", "--adopt", "dynamodb_table.Users"]).await.expect(0);
    let kept = stage.clients.dynamodb.scan().table_name(&table).send().await.unwrap();
    assert_eq!(kept.count(), 1, "adopting keeps what is in the table");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stages_do_not_affect_each_other() {
    let stage = stage().await;
    stage.configure("[stages.prod]\n[stages.prod.api]\nmemory_mb = 512\n");
    stage.up().await;
    let with_one = census(&stage.clients).await;
    stage.run(&["--stage", "prod", "up", "--yes", "--no-check"]).await.expect(0);
    stage.plan(0).await;
    stage.run(&["--stage", "prod", "down", "--yes", "--no-backup"]).await.expect(0);
    assert_eq!(difference(&with_one, &census(&stage.clients).await), Vec::<String>::new());
    stage.plan(0).await;
    // And vice versa.
    stage.run(&["--stage", "prod", "up", "--yes", "--no-check"]).await.expect(0);
    stage.down().await;
    stage.run(&["--stage", "prod", "plan", "--detailed-exitcode"]).await.expect(0);
}
