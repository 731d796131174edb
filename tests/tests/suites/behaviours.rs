//! AWS as it is: `up`, a change and `down` through each of its behaviours alone, and through all of them together.

use std::collections::BTreeSet;

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::stage::Stage;

/// `up`, a change of functions, tables, host and edge, and `down`; the refusals that were met, which must be some where
/// the deployer cannot avoid them by waiting.
async fn lifecycle(behaviours: &[Behaviour]) -> BTreeSet<String> {
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
    let met = stage.proxy().log.all().into_iter().filter_map(|record| record.by);
    let met: BTreeSet<String> = met.collect();
    println!("{behaviours:?}: refusals met: {met:?}");
    met
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
        fn each_behaviour_has_its_test() {
            assert_eq!([$(Behaviour::$behaviour),*], Behaviour::ALL);
        }
    };
}

behaviours! {
    a_role_that_is_not_assumable_at_first: RoleNotAssumable;
    an_instance_profile_that_is_invalid_at_first: InvalidInstanceProfile;
    roles_that_are_in_use: DeleteConflict;
    a_security_group_that_is_held_by_its_instance: DependencyViolation;
    client_tokens: ClientToken;
    backups_that_are_unavailable_at_first: ContinuousBackupsUnavailable;
    tables_in_progress: TableInProgress;
    functions_in_progress: FunctionInProgress;
    a_distribution_in_progress: DistributionInProgress;
    an_access_control_in_use: AccessControlInUse;
    what_is_not_found_right_after_its_creation: NotFoundAfterCreate;
    changes_of_a_bucket_that_meet: OperationAborted;
    the_quota_of_the_gateway: ApiGatewayQuota;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_together() {
    let met = lifecycle(&Behaviour::ALL).await;
    // A role that was just made is known to nobody: the deployer can only try again.
    assert!(met.contains("RoleNotAssumable"), "{met:?}");
}
