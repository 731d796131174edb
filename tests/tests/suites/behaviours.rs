//! `up`, a change and `down` with each behaviour of AWS alone, and with all of them together.

use std::collections::BTreeSet;

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::stage::Stage;

/// Behaviours that a lifecycle never meets: nothing in use is deleted, a host is launched once, nothing is backed up.
/// `operating` and `faults` meet them, or the order of the graph avoids them.
const NEVER_MET: [Behaviour; 7] = [
    Behaviour::ClientToken,
    Behaviour::BackupInProgress,
    Behaviour::AccessControlInUse,
    Behaviour::EmptyDeployment,
    Behaviour::LateLog,
    Behaviour::HeadersPolicies,
    Behaviour::AlreadyThere,
];

/// Runs `up`, a change of functions, tables, host and edge, and `down`. Each behaviour must occur, as a refusal or as
/// a state in progress; otherwise the test would prove nothing.
async fn lifecycle(behaviours: &[Behaviour]) {
    let settings = Settings { behaviours: behaviours.to_vec(), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    let before = census(&stage.clients).await;
    stage.up().await;
    stage.plan(0).await;
    stage.configure(
        "[api]\nmemory_mb = 512\n[signaling]\ninstance_type = \"t3.small\"\n[site]\nprice_class = \"PriceClass_200\"\n",
    );
    stage.up().await;
    stage.plan(0).await;
    stage.down().await;
    let left = difference(&before, &census(&stage.clients).await);
    assert!(left.is_empty(), "{behaviours:?}:\n{}", left.join("\n"));
    let records = stage.proxy().log.all();
    let health = records.iter().rev().find(|record| record.operation == "DescribeInstanceStatus");
    assert!(health.is_some_and(|record| record.by.is_none()), "the new host was healthy before the old one ended");
    let refused = records.into_iter().filter_map(|record| Some((record.operation, record.by?)));
    let refused: Vec<(String, String)> = refused.collect();
    // The deployer waits for these instead of trying.
    for waited in [
        ("AssociateAddress", "DependencyViolation"),
        ("DeleteDistribution", "DistributionInProgress"),
        ("DeleteSecurityGroup", "DependencyViolation"),
    ] {
        let waited = (waited.0.to_owned(), waited.1.to_owned());
        assert!(!refused.contains(&waited), "{waited:?} was tried too early");
    }
    let met: BTreeSet<String> = refused.into_iter().map(|(_, by)| by).collect();
    for behaviour in behaviours.iter().filter(|behaviour| !NEVER_MET.contains(behaviour)) {
        assert!(met.contains(&format!("{behaviour:?}")), "{behaviour:?} is not among {met:?}");
    }
}

macro_rules! behaviours {
    ($($test:ident: $behaviour:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                lifecycle(&[Behaviour::$behaviour]).await;
            }
        )*

        #[test]
        fn every_behaviour_has_a_test() {
            assert_eq!([$(Behaviour::$behaviour),*], Behaviour::ALL);
        }
    };
}

behaviours! {
    role_not_assumable_at_first: RoleNotAssumable;
    instance_profile_invalid_at_first: InvalidInstanceProfile;
    roles_in_use: DeleteConflict;
    security_group_in_use_by_its_instance: DependencyViolation;
    hosts_that_install_themselves: HostReports;
    client_tokens: ClientToken;
    zones_without_capacity: CapacityByZone;
    continuous_backups_unavailable_at_first: ContinuousBackupsUnavailable;
    backups_in_progress: BackupInProgress;
    tables_in_progress: TableInProgress;
    functions_in_progress: FunctionInProgress;
    update_of_a_function_after_a_failed_one: FailedUpdate;
    distribution_in_progress: DistributionInProgress;
    access_control_in_use: AccessControlInUse;
    not_found_right_after_creation: NotFoundAfterCreate;
    concurrent_changes_of_a_bucket: OperationAborted;
    requests_above_the_rates: Rates;
    concurrent_changes_of_an_api: ApiGatewayConcurrent;
    deployment_of_an_api_without_routes: EmptyDeployment;
    account_role_for_api_gateway_logs: GatewayLogRole;
    tables_created_one_at_a_time: SimultaneousTables;
    distribution_changed_by_somebody_else: ChangedMeanwhile;
    function_logs_after_its_group_was_deleted: LateLog;
    access_log_lines_after_the_group_was_deleted: LateAccessLog;
    host_with_the_previous_profile: EarlierProfile;
    headers_policies_of_an_account: HeadersPolicies;
    resource_already_exists: AlreadyThere;
    index_of_tags_that_is_late: LateTagIndex;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_behaviours_together() {
    lifecycle(&Behaviour::ALL).await;
}

/// CloudFront never forgets the caller reference of a distribution, so that a re-created stack needs another one.
#[tokio::test(flavor = "multi_thread")]
async fn stack_is_recreated_after_down() {
    let settings = Settings { behaviours: vec![Behaviour::AlreadyThere], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    stage.down().await;
    stage.up().await;
    let refused = stage.proxy().log.all().into_iter().filter(|record| record.by.is_some());
    assert!(refused.map(|record| record.operation).any(|operation| operation == "CreateDistribution"));
    stage.plan(0).await;
    stage.down().await;
}
