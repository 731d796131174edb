//! Each setting of the configuration changes the resources that use it, and no others.

use peersync_tests::earlier;
use peersync_tests::emulator::Emulator;
use peersync_tests::stage::Stage;
use serde_json::{Value, json};

/// Changes the configuration, checks which resources `plan` names and why, applies it, and checks that nothing is left.
async fn change(stage: &Stage, configuration: &str, expected: &[(&str, &str)]) {
    stage.configure(configuration);
    let steps = stage.plan(3).await.steps();
    let mut seen: Vec<(&str, &str)> = steps.iter().map(|step| (step.action.as_str(), step.address.as_str())).collect();
    let mut expected = expected.to_vec();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected, "{configuration}\n{steps:#?}");
    let mut reasons = steps.iter().flat_map(|step| &step.fields).filter_map(|field| field.rsplit(": ").next());
    assert!(reasons.all(|reason| !["drift", "unknown"].contains(&reason)), "{configuration}\n{steps:#?}");
    stage.up().await;
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_setting_updates_only_its_resources() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let functions = [
        ("update", "lambda_function.signup"),
        ("update", "lambda_function.login"),
        ("update", "lambda_function.friends"),
        ("update", "lambda_function.rooms"),
    ];
    change(&stage, "[api]\nmemory_mb = 512\n", &functions).await;
    change(&stage, "", &functions).await;

    change(&stage, "[site]\nold_version_days = 7\n", &[("update", "s3_bucket.site")]).await;
    change(&stage, "", &[("update", "s3_bucket.site")]).await;

    let groups = ["signup", "login", "friends", "rooms", "signal", "api-access"];
    let groups: Vec<String> = groups.iter().map(|part| format!("log_group.{part}")).collect();
    let groups: Vec<(&str, &str)> = groups.iter().map(|address| ("update", address.as_str())).collect();
    change(&stage, "[logs]\nretention_days = 30\n", &groups).await;
    change(&stage, "", &groups).await;

    change(&stage, "[site]\nprice_class = \"PriceClass_200\"\n", &[("update", "cloudfront_distribution.site")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_is_replaced_and_keeps_its_address() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let address = async || {
        let answer = stage.clients.ec2.describe_addresses().send().await.unwrap();
        answer.addresses()[0].allocation_id().unwrap().to_owned()
    };
    let before = address().await;
    for configuration in ["[signaling]\ninstance_type = \"t3.small\"\n", "[signaling]\nroom_capacity = 6\n"] {
        stage.configure(configuration);
        let steps = stage.plan(3).await.steps();
        let host = steps.iter().find(|step| step.address == "signal_instance.signal");
        assert!(host.is_some_and(|step| step.action == "replace" || step.action == "update"), "{steps:#?}");
        stage.up().await;
        stage.plan(0).await;
        assert_eq!(address().await, before, "the address survives");
        let alive = stage.clients.ec2.describe_instances().send().await.unwrap();
        let alive = alive.reservations().iter().flat_map(|one| one.instances());
        let running = alive.filter(|one| one.state().unwrap().name().unwrap().as_str() == "running").count();
        assert_eq!(running, 1, "one host, after {configuration}");
    }
}

/// Earlier versions had more alarms, and filters that counted lines of the logs.
#[tokio::test(flavor = "multi_thread")]
async fn alarms_and_metric_filters_of_earlier_versions_are_deleted_and_those_of_others_stay() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let (group, stack) = (format!("/aws/lambda/{}-login", stage.stack()), stage.stack());
    earlier::alarm(&stage, "signup-errors").await;
    for part in ["functions-errors", "theirs"] {
        earlier::metric_filter(&stage, &group, &format!("{stack}-{part}")).await;
    }
    let steps = stage.plan(3).await.steps();
    let mut deleted: Vec<&str> = steps.iter().map(|step| step.address.as_str()).collect();
    deleted.sort_unstable();
    assert_eq!(deleted, ["alarm.signup-errors", "metric_filter.former"], "{steps:#?}");
    assert!(steps.iter().all(|step| step.action == "delete"), "{steps:#?}");
    stage.up().await;
    let filters = stage.clients.logs.describe_metric_filters().send().await.unwrap();
    let left: Vec<_> = filters.metric_filters().iter().filter_map(|filter| filter.filter_name()).collect();
    assert_eq!(left, [format!("{stack}-theirs")]);
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_alarms_are_deleted() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    stage.configure("[alarms]\nenabled = false\n");
    let steps = stage.plan(3).await.steps();
    assert!(!steps.is_empty() && steps.iter().all(|step| step.action == "delete"), "{steps:#?}");
    let watching = |address: &str| address.starts_with("alarm.") || address.starts_with("dashboard.");
    assert!(steps.iter().all(|step| watching(&step.address)), "{steps:#?}");
    stage.up().await;
    assert!(stage.clients.cloudwatch.describe_alarms().send().await.unwrap().metric_alarms().is_empty());
    stage.plan(0).await;
}

/// Returns the fields of a resource in a plan, with their old and new values: of the origins, that of the host alone.
fn fields(plan: &Value, address: &str) -> Vec<Value> {
    let steps = plan["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["address"] == address).unwrap_or_else(|| panic!("{address}: {plan:#}"));
    let fields = step["changes"].as_array().unwrap().iter();
    let fields = fields.filter(|field| !field["field"].as_str().unwrap().starts_with("tags."));
    let of_host = |origins: &Value| {
        let origins = origins.as_array().unwrap().iter();
        origins.filter(|origin| origin["id"] == "signal").cloned().collect::<Vec<_>>()
    };
    let of_host = |field: &Value| match field["field"].as_str() {
        Some("origins") => json!({ "field": "origins", "old": of_host(&field["old"]), "new": of_host(&field["new"]) }),
        _ => json!({ "field": field["field"], "old": field["old"], "new": field["new"] }),
    };
    fields.map(of_host).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_between_cloudfront_and_host_is_switched_on_and_off() {
    const WITHOUT: &str = "[turn]\nprovider = \"none\"\n";
    let stage = Stage::new(Emulator::shared()).await;
    stage.configure(WITHOUT);
    stage.up().await;
    let addresses = stage.clients.ec2.describe_addresses().send().await.unwrap();
    let name = addresses.addresses()[0].public_ip().unwrap().replace('.', "-");
    let named = format!("[signaling]\ndomain = \"signal.example.org\"\n{WITHOUT}");
    for (name_of, configuration) in [("tls_on", named.as_str()), ("tls_off", WITHOUT)] {
        stage.configure(configuration);
        let plan = stage.plan(3).await;
        let steps: Vec<String> = plan.steps().iter().map(|step| format!("{} {}", step.action, step.address)).collect();
        let event = plan.events_of("plan")[0].clone();
        let of = |address| serde_json::to_string_pretty(&fields(&event, address)).unwrap();
        let text = [steps.join("\n"), of("security_group.signal"), of("cloudfront_distribution.site")].join("\n\n");
        insta::assert_snapshot!(name_of, text.replace(&name, "A-B-C-D"));
        stage.up().await;
        stage.plan(0).await;
    }
}
