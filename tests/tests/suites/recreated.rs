//! A role or profile that somebody has deleted is created again under its name, with another id: what used the one before is
//! given the new one, because AWS goes by ids.

use peersync_tests::clients::REGION;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn function_learns_that_its_role_is_a_new_one() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let (iam, role) = (&stage.clients.iam, format!("{}-{REGION}-login", stage.stack()));
    let old = iam.get_role().role_name(&role).send().await.unwrap().role.unwrap().role_id;
    iam.delete_role_policy().role_name(&role).policy_name("peersync").send().await.unwrap();
    iam.delete_role().role_name(&role).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    assert!(steps.iter().any(|step| step.address == "lambda_function.login"), "{steps:#?}");
    stage.proxy().log.take();
    stage.up().await;
    let new = iam.get_role().role_name(&role).send().await.unwrap().role.unwrap();
    assert_ne!(new.role_id, old);
    let updates =
        stage.proxy().log.take().into_iter().filter(|record| record.operation == "UpdateFunctionConfiguration");
    let updates: Vec<String> = updates.map(|record| record.path).collect();
    assert_eq!(updates.len(), 2, "another role, and back: {updates:?}");
    assert!(updates.iter().all(|path| path.contains("-login")), "{updates:?}");
    let function = stage.clients.lambda.get_function().function_name(format!("{}-login", stage.stack()));
    let configuration = function.send().await.unwrap().configuration.unwrap();
    assert_eq!(configuration.role, Some(new.arn));
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn function_of_an_earlier_version_only_gets_the_id_of_its_role() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let arn = format!("arn:aws:lambda:{REGION}:{}:function:{}-rooms", stage.account, stage.stack());
    let call = stage.clients.lambda.untag_resource().resource(arn);
    call.tag_keys("peersync:role-id").tag_keys("peersync:digest").send().await.unwrap();
    stage.proxy().log.take();
    stage.up().await;
    let changed = mutating(&stage.proxy().log.take());
    assert!(!changed.iter().any(|change| change.contains("UpdateFunctionConfiguration")), "{changed:?}");
    stage.plan(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_is_given_an_instance_profile_that_was_created_again() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let (iam, name) = (&stage.clients.iam, format!("{}-{REGION}-signal", stage.stack()));
    iam.remove_role_from_instance_profile().instance_profile_name(&name).role_name(&name).send().await.unwrap();
    iam.delete_instance_profile().instance_profile_name(&name).send().await.unwrap();
    stage.up().await;
    let profile = iam.get_instance_profile().instance_profile_name(&name).send().await.unwrap();
    let id = profile.instance_profile.unwrap().instance_profile_id;
    let hosts = stage.clients.ec2.describe_instances().send().await.unwrap();
    let hosts: Vec<_> = hosts.reservations().iter().flat_map(|reservation| reservation.instances()).collect();
    let [host] = hosts.as_slice() else { panic!("it is the same host: {hosts:?}") };
    assert_eq!(host.iam_instance_profile().and_then(|profile| profile.id()), Some(id.as_str()));
    stage.plan(0).await;
}

/// The same while nothing is missing: somebody has created the profile again by hand.
#[tokio::test(flavor = "multi_thread")]
async fn plan_notices_that_the_profile_of_the_host_is_a_previous_one() {
    let stage = Stage::new(Emulator::shared()).await;
    stage.up().await;
    let (iam, name) = (&stage.clients.iam, format!("{}-{REGION}-signal", stage.stack()));
    let tags = iam.get_instance_profile().instance_profile_name(&name).send().await.unwrap();
    let tags = tags.instance_profile.unwrap().tags;
    iam.remove_role_from_instance_profile().instance_profile_name(&name).role_name(&name).send().await.unwrap();
    iam.delete_instance_profile().instance_profile_name(&name).send().await.unwrap();
    iam.create_instance_profile().instance_profile_name(&name).set_tags(tags).send().await.unwrap();
    iam.add_role_to_instance_profile().instance_profile_name(&name).role_name(&name).send().await.unwrap();
    let steps = stage.plan(3).await.steps();
    let [step] = steps.as_slice() else { panic!("the host differs, not {steps:#?}") };
    assert_eq!(step.fields, ["instance_profile_id: configuration"]);
    stage.up().await;
    stage.plan(0).await;
}
