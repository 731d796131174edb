//! The image of the host ages: `plan` says so, `up` replaces the host, `status` and `doctor` tell its age.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_ec2::types::Tag;
use peersync_tests::emulator::Emulator;
use peersync_tests::stage::Stage;
use serde_json::{Value, json};

use super::launching;

/// An image that is not the newest.
const OLD: &str = "ami-0abcdef1234567890";

fn ago(days: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(days * 86_400 + 3600)
}

/// Makes the host one that `up` has launched from an image that was the newest then.
async fn age(stage: &Stage, days: u64) {
    let host = &launching::hosts(stage).await[0];
    let published = humantime::format_rfc3339_seconds(ago(days)).to_string();
    let tags = [("peersync:image", format!("newest {OLD}")), ("peersync:image-published", published)];
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    let call = stage.clients.ec2.create_tags().resources(host.instance_id().unwrap());
    call.set_tags(Some(tags.to_vec())).send().await.unwrap();
}

fn checks(doctor: &Value, name: &str) -> bool {
    doctor["check"] == name
}

#[tokio::test(flavor = "multi_thread")]
async fn host_with_an_old_image_is_replaced_if_a_newer_one_exists() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(&format!("[signaling]\nimage = \"{OLD}\"\n"));
    stage.up().await;
    age(&stage, 45).await;
    let old = launching::hosts(&stage).await[0].instance_id().map(str::to_owned);

    stage.configure("[signaling]\nimage_max_age = \"60days\"\n");
    let young = stage.run(&["plan"]).await.expect(0);
    assert!(young.steps().iter().all(|step| step.action != "replace"), "{:#?}", young.steps());

    stage.configure("");
    let plan = stage.shown(&["plan"], 0).await;
    let reason = "-/+ signal_instance.signal must be replaced: the image is 45 days old; image_max_age is 30 days\n";
    assert!(plan.contains(reason), "{plan}");
    let status = stage.shown(&["status"], 0).await;
    assert!(status.contains("the image is 45 days old; image_max_age is 30 days"), "{status}");
    assert!(status.contains("Image:       45 days old, and a newer one exists: `up` replaces the host\n"), "{status}");
    // Whether the rest is well does not matter here.
    let doctor = stage.run(&["doctor"]).await;
    let image = doctor.events_of("check").into_iter().find(|check| checks(check, "image")).unwrap();
    assert_eq!(image["verdict"], "warn", "{image}");

    stage.up().await;
    let new = launching::hosts(&stage).await;
    assert_eq!(new.len(), 1);
    assert_ne!(new[0].instance_id().map(str::to_owned), old);
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_who_is_there_and_what_runs() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let group = format!("/peersync/{}/signal", stage.stack());
    let logs = &stage.clients.logs;
    logs.create_log_stream().log_group_name(&group).log_stream_name("i-1").send().await.unwrap();
    let line = |users: u64, seconds: u64| {
        let moment = SystemTime::now() - Duration::from_secs(seconds);
        let time = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let message = json!({ "message": "occupancy", "users": users, "sessions": 7, "rooms": 2, "calls": 1 });
        let event = InputLogEvent::builder().timestamp(i64::try_from(time).unwrap()).message(message.to_string());
        event.build().unwrap()
    };
    let call = logs.put_log_events().log_group_name(&group).log_stream_name("i-1");
    call.log_events(line(2, 600)).log_events(line(4, 60)).send().await.unwrap();

    let result = stage.run(&["status"]).await.expect(0).result();
    assert_eq!((&result["online"]["users"], &result["online"]["calls"]), (&json!(4), &json!(1)), "{result}");
    assert_eq!(result["alarms"], json!([]), "{result}");
    assert_eq!(result["programs"][0]["program"], "functions", "{result}");
    assert_eq!(result["programs"][0]["sha256"].as_str().map(str::len), Some(64), "{result}");
    let parts: Vec<&str> = result["parts"].as_array().unwrap().iter().filter_map(|one| one["part"].as_str()).collect();
    assert_eq!(parts, ["page", "api"], "an emulator has no edge: {result}");
    let text = stage.shown(&["status"], 0).await;
    assert!(text.contains("Online:      4 people signed in, 7 pages open, 1 call, at 20"), "{text}");
    assert!(text.contains("Alarms:      none raised"), "{text}");
}
