//! Releases of the pages in the bucket: those of before stay for a while and are no difference.
//!
//! Needs: python

use std::time::Duration;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use peersync_config::Config;
use peersync_engine::Action;
use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::log::mutating;
use peersync_tests::releases::publish;
use peersync_tests::stage::Stage;

fn configuration() -> Config {
    Config { stage: "dev".to_owned(), ..Config::default() }
}

/// The changed file of the other release.
fn other(key: &str, _: &str) -> Option<String> {
    (key == "js/api.js").then(|| "export const other = 1;".to_owned())
}

async fn content(stage: &Stage, key: &str) -> String {
    let object = stage.clients.s3.get_object().bucket(stage.bucket()).key(key).send().await;
    let object = object.unwrap_or_else(|error| panic!("{key}: {error:?}"));
    String::from_utf8_lossy(&object.body.collect().await.unwrap().into_bytes()).into_owned()
}

/// Returns the folder of the release that the start page names.
async fn release(stage: &Stage) -> String {
    let page = content(stage, "index.html").await;
    let start = page.find("/r/").expect("the page names a release") + 1;
    page[start..start + "r/0123456789abcdef/".len()].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_release_stays_beside_the_new_one_and_is_no_difference() {
    let stage = Stage::new(Emulator::shared()).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    let ours = release(&stage).await;
    let count = stage.keys().await.len();

    let step = publish(stage.clients.clone(), configuration(), other).await;
    let mut changed: Vec<&str> = step.changes.shown().map(|change| change.field.as_str()).collect();
    changed.retain(|field| !field.ends_with(".html"));
    assert_eq!(changed, ["js/api.js"], "a plan names what differs between the releases");
    let theirs = release(&stage).await;
    assert_ne!(ours, theirs);
    assert_eq!(content(&stage, &format!("{theirs}js/api.js")).await, "export const other = 1;");
    assert!(content(&stage, &format!("{ours}js/api.js")).await.len() > 100);
    let files = stage.keys().await;
    let of = |folder: &str| files.iter().filter(|key| key.starts_with(folder)).count();
    assert_eq!(of(&ours), of(&theirs));
    assert_eq!(files.len(), count + of(&theirs) + 1, "both releases, and a mark: {files:?}");

    // Back to the first one, as after a rollback.
    stage.proxy().log.take();
    stage.up().await;
    let sent = mutating(&stage.proxy().log.take());
    assert!(!sent.iter().any(|call| call.contains("CreateInvalidation")), "new names need none: {sent:?}");
    assert_eq!(release(&stage).await, ours);
    let marks: Vec<String> = stage.keys().await.into_iter().filter(|key| key.ends_with(".replaced")).collect();
    assert_eq!(marks, [format!("{}.replaced", theirs.trim_end_matches('/'))]);
    content(&stage, &format!("{theirs}js/api.js")).await;
    stage.plan(0).await;
    stage.up().await;
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new());

    stage.down().await;
    assert_eq!(difference(&before, &census(&stage.clients).await), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_a_version_without_releases_has_put_stay_for_pages_that_are_open() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    as_without_releases(&stage).await;
    let plan = stage.plan(3).await;
    assert_eq!(plan.steps().iter().map(|step| step.address.as_str()).collect::<Vec<_>>(), ["s3_objects.site"]);
    stage.up().await;
    let ours = release(&stage).await;
    let keys = stage.keys().await;
    for key in ["js/api.js", "css/call.css", "main.js", "style.css", "r/without-folder.replaced"] {
        assert!(keys.iter().any(|found| found == key), "{key}: {keys:?}");
    }
    content(&stage, &format!("{ours}main.js")).await;
    stage.plan(0).await;

    // What somebody else puts there later is a difference, as everywhere.
    put_later(&stage, "js/theirs.js").await;
    stage.plan(3).await;
    stage.up().await;
    assert!(!stage.keys().await.iter().any(|key| key == "js/theirs.js"));
    stage.plan(0).await;
}

/// Puts an object that is newer than all pages, by dates that have whole seconds.
async fn put_later(stage: &Stage, key: &str) {
    let (s3, bucket) = (&stage.clients.s3, stage.bucket());
    let modified = async |key: &str| {
        let head = s3.head_object().bucket(&bucket).key(key).send().await.unwrap();
        head.last_modified.expect("an object has a date").secs()
    };
    let pages = modified("config.json").await;
    loop {
        s3.put_object().bucket(&bucket).key(key).body(b"1".to_vec().into()).send().await.unwrap();
        if modified(key).await > pages {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Arranges the pages as versions did that had no releases.
async fn as_without_releases(stage: &Stage) {
    let (s3, bucket, folder) = (&stage.clients.s3, stage.bucket(), release(stage).await);
    let mut moved = Vec::new();
    for key in stage.keys().await {
        let name = key.strip_prefix(&folder).unwrap_or(&key);
        if key.ends_with(".html") {
            let body = content(stage, &key).await.replace(&format!("/{folder}"), "");
            let put = s3.put_object().bucket(&bucket).key(&key).content_type("text/html; charset=utf-8");
            put.cache_control("no-cache").body(body.into_bytes().into()).send().await.unwrap();
        } else if name != key {
            let body = s3.get_object().bucket(&bucket).key(&key).send().await.unwrap().body.collect().await.unwrap();
            s3.put_object().bucket(&bucket).key(name).body(body.into_bytes().into()).send().await.unwrap();
            moved.push(ObjectIdentifier::builder().key(&key).build().unwrap());
        }
    }
    let delete = Delete::builder().set_objects(Some(moved)).build().unwrap();
    s3.delete_objects().bucket(&bucket).delete(delete).send().await.unwrap();
    // With the digest, but without the record of the release.
    let head = s3.head_object().bucket(&bucket).key("config.json").send().await.unwrap();
    let mut metadata = head.metadata.unwrap_or_default();
    metadata.remove(peersync_resources::kinds::s3_objects::RELEASE_METADATA).expect("the release is recorded");
    let config = content(stage, "config.json").await;
    let put = s3.put_object().bucket(&bucket).key("config.json").content_type("application/json");
    let put = put.cache_control("no-cache").set_metadata(Some(metadata)).body(config.into_bytes().into());
    put.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_release_is_continued() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let ours = release(&stage).await;
    publish(stage.clients.clone(), configuration(), other).await;
    // As after an `up` that ended amidst its uploads: a file of the release is missing, and the pages name the other one.
    let script = format!("{ours}js/api.js");
    stage.clients.s3.delete_object().bucket(stage.bucket()).key(&script).send().await.unwrap();
    stage.up().await;
    content(&stage, &script).await;
    stage.plan(0).await;
    let again = publish(stage.clients.clone(), configuration(), |_, _| None).await;
    assert_eq!(again.action, Action::NoChange, "{:?}", again.changes);
}
