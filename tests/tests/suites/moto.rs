//! The same lifecycle on moto, as a second opinion.
//!
//! moto lacks, and this suite therefore omits: functions that run, API Gateway's and CloudFront's data
//! planes, and response-headers policies. So nobody signs up and no page is opened. What it gets wrong is corrected
//! by the proxy (`tests/src/proxy/fixups/moto.rs`). It does return user data and the metadata options.

use aws_sdk_ec2::types::Instance;
use peersync_tests::census::{census, difference};
use peersync_tests::clients::Clients;
use peersync_tests::drift;
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::Stage;
use peersync_tests::unmanaged;

use super::host::user_data;

#[tokio::test(flavor = "multi_thread")]
async fn stack_lifecycle_up_no_changes_drift_update_down() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = Stage::with(&emulator, Settings { moto: true, ..Settings::default() }).await;
    unmanaged::plant(&stage.clients, &stage.account).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    the_host_is_as_it_was_ordered(&stage).await;

    stage.proxy().log.take();
    stage.plan(0).await;
    assert_eq!(stage.up().await.result()["status"], "nothing_to_do");
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new(), "a second up must change nothing");

    let named = somebody_changes_some(&stage).await;
    let steps = stage.plan(3).await.steps();
    let mut seen: Vec<&str> = steps.iter().map(|step| step.address.as_str()).collect();
    seen.sort_unstable();
    assert_eq!(seen, named, "{steps:#?}");
    stage.up().await;
    stage.plan(0).await;

    stage.configure(
        "[api]\nmemory_mb = 512\n[signaling]\ninstance_type = \"t3.small\"\n[logs]\nretention_days = 30\n\
         [site]\nold_version_days = 7\nprice_class = \"PriceClass_200\"\n",
    );
    stage.up().await;
    stage.plan(0).await;

    stage.down().await;
    let left = difference(&before, &census(&stage.clients).await);
    assert!(left.is_empty(), "{}", left.join("\n"));
}

async fn our_host(clients: &Clients) -> Instance {
    let answer = clients.ec2.describe_instances().send().await.unwrap();
    let hosts = answer.reservations().iter().flat_map(|reservation| reservation.instances());
    let ours = hosts.filter(|one| one.tags().iter().any(|tag| tag.key() == Some("peersync:stack")));
    let [host] = ours.collect::<Vec<_>>()[..] else { panic!("one host is expected: {answer:?}") };
    host.clone()
}

/// Checks what MiniStack does not return.
async fn the_host_is_as_it_was_ordered(stage: &Stage) {
    let host = our_host(&stage.clients).await;
    let metadata = host.metadata_options().unwrap();
    assert_eq!(metadata.http_tokens().unwrap().as_str(), "required");
    assert_eq!(metadata.http_put_response_hop_limit(), Some(1));
    assert!(host.tags().iter().any(|tag| tag.key() == Some("peersync:image-published")), "{:?}", host.tags());
    let user_data = user_data(&stage.clients, host.instance_id().unwrap()).await;
    assert!(user_data.contains(&stage.bucket()) && user_data.contains("sha256"), "{user_data}");
}

/// Changes a setting of several kinds, and returns what `plan` must name.
async fn somebody_changes_some(stage: &Stage) -> Vec<&'static str> {
    let (clients, stack) = (&stage.clients, stage.stack());
    let function = clients.lambda.update_function_configuration().function_name(format!("{stack}-login"));
    function.memory_size(1024).send().await.unwrap();
    clients.cloudwatch.delete_alarms().alarm_names(format!("{stack}-mails-failed")).send().await.unwrap();
    clients.s3.delete_object().bucket(stage.bucket()).key("index.html").send().await.unwrap();
    let group = format!("/peersync/{stack}/signal");
    clients.logs.put_retention_policy().log_group_name(group).retention_in_days(3653).send().await.unwrap();
    let groups = clients.ec2.describe_security_groups().send().await.unwrap();
    let theirs = groups.security_groups().iter().find(|group| group.group_name() == Some("default")).unwrap();
    let host = our_host(clients).await;
    let call = clients.ec2.modify_instance_attribute().instance_id(host.instance_id().unwrap());
    call.groups(theirs.group_id().unwrap()).send().await.unwrap();
    drift::silent_alarm(stage).await;
    drift::permission(stage).await;
    drift::trust(stage).await;
    drift::access_control(stage).await;
    drift::open_port(stage).await;
    drift::protected_table(stage).await;
    drift::program_in_the_bucket(stage).await;
    drift::description_of_the_api(stage).await;
    drift::throttling(stage).await;
    vec![
        "alarm.api-5xx",
        "alarm.mails-failed",
        "api_stage.api",
        "dynamodb_table.Users",
        "iam_role.login",
        "lambda_function.login",
        "lambda_permission.login",
        "log_group.signal",
        "origin_access_control.site",
        "rest_api.api",
        "s3_objects.site",
        "s3_program.signal",
        "security_group.signal",
        "signal_instance.signal",
    ]
}
