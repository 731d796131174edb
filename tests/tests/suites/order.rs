//! Dependencies exist before their dependents, however long they take: one resource is delayed, and no request for
//! its dependents comes before it exists.

use std::time::Duration;

use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::call::Call;
use peersync_tests::proxy::{LATE, Late, Settings};
use peersync_tests::stage::Stage;

/// Longer than everything else takes together.
const LATENESS: Duration = Duration::from_secs(3);

/// The delayed requests that must have ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// Only one, if each of them has another dependent.
    One,
}

/// Runs `up` while the requests that `meant` selects are delayed; each of the other operations must come after them.
async fn first(which: Which, meant: fn(&Call) -> bool, then: &[&str]) {
    let settings = Settings { late: Some(Late { meant, time: LATENESS }), ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    stage.up().await;
    let records = stage.proxy().log.all();
    let late = records.iter().filter(|record| record.by.as_deref() == Some(LATE)).map(|record| record.ended);
    let there = if which == Which::All { late.max() } else { late.min() }.expect("something was late");
    for operation in then {
        let asked = records.iter().filter(|record| record.operation == *operation).map(|record| record.began).min();
        let asked = asked.unwrap_or_else(|| panic!("{operation} was called"));
        assert!(asked > there, "{operation} did not wait");
    }
}

macro_rules! order {
    ($($test:ident: $which:ident, $late:expr, $then:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                first(Which::$which, $late, &$then).await;
            }
        )*
    };
}

order! {
    access_control_before_distribution: All, |call| call.operation == "CreateOriginAccessControl",
        ["CreateDistribution"];
    headers_policy_before_distribution: All, |call| call.operation == "CreateResponseHeadersPolicy",
        ["CreateDistribution"];
    api_before_distribution_routes_and_deployment: All, |call| call.operation == "CreateRestApi",
        ["CreateDistribution", "PutRestApi", "CreateDeployment"];
    address_before_distribution_and_instance: All, |call| call.operation == "AllocateAddress",
        ["CreateDistribution", "RunInstances"];
    origin_key_before_distribution: All, |call| of(call, "PutParameter", "origin-key"), ["CreateDistribution"];
    ticket_key_before_functions: All, |call| of(call, "PutParameter", "ticket-key"), ["CreateFunction"];
    distribution_before_functions_instance_and_bucket_policy: All, |call| call.operation == "CreateDistribution",
        ["CreateFunction", "RunInstances", "PutBucketPolicy"];
    tables_before_functions: All, |call| call.operation == "CreateTable", ["CreateFunction"];
    function_roles_before_functions: One, |call| of(call, "CreateRole", "lambda.amazonaws.com"), ["CreateFunction"];
    function_log_groups_before_functions: One, |call| of(call, "CreateLogGroup", "/aws/lambda/"), ["CreateFunction"];
    api_program_before_functions: All, |call| uploads(call, "api.zip"), ["CreateFunction"];
    functions_before_permissions: One, |call| call.operation == "CreateFunction", ["AddPermission"];
    routes_before_deployment: All, |call| call.operation == "PutRestApi", ["CreateDeployment"];
    gateway_role_before_deployment: All, |call| of(call, "CreateRole", "apigateway.amazonaws.com"),
        ["CreateDeployment"];
    access_log_group_before_deployment: All, |call| of(call, "CreateLogGroup", "api-access"), ["CreateDeployment"];
    bucket_before_distribution_objects_and_bucket_policy: All, |call| call.operation == "CreateBucket",
        ["CreateDistribution", "PutObject", "PutBucketPolicy"];
    host_role_before_instance_profile: All, |call| of(call, "CreateRole", "ec2.amazonaws.com"),
        ["CreateInstanceProfile"];
    instance_profile_before_instance: All, |call| call.operation == "AddRoleToInstanceProfile", ["RunInstances"];
    host_log_group_before_instance: All, |call| of(call, "CreateLogGroup", "/signal"), ["RunInstances"];
    signal_program_before_instance: All, |call| uploads(call, "signal.gz"), ["RunInstances"];
    relay_program_before_instance: All, |call| uploads(call, "relay.gz"), ["RunInstances"];
    security_group_before_instance: All, |call| call.operation == "CreateSecurityGroup", ["RunInstances"];
    digests_before_what_they_record: All, |call| of(call, "PutParameter", "/digests") && of(call, "PutParameter", "Tags"),
        ["CreateOriginAccessControl", "CreateResponseHeadersPolicy"];
    instance_before_dashboard: All, |call| call.operation == "RunInstances", ["PutDashboard"];
}

/// Returns whether it is a call of this operation that contains these words.
fn of(call: &Call, operation: &str, words: &str) -> bool {
    let text = call.parameters().into_iter().map(|(_, value)| value).chain([call.text()]);
    call.operation == operation && text.collect::<Vec<_>>().iter().any(|text| text.contains(words))
}

/// Returns whether it uploads this program.
fn uploads(call: &Call, program: &str) -> bool {
    call.is("s3", "PutObject") && call.uri.path().ends_with(&format!("/programs/{program}"))
}
