//! What is needed is there before what needs it, however long it takes: one thing is late, and nothing that needs it is
//! asked for before.

use std::time::Duration;

use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::call::Call;
use peersync_tests::proxy::{LATE, Late, Settings};
use peersync_tests::stage::Stage;

/// Longer than all else takes together.
const LATENESS: Duration = Duration::from_secs(3);

/// Which of the late requests must be over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// One, where each is needed by another resource.
    One,
}

/// `up` while the requests that `late` names take longer; each of these operations is asked for only then.
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
    the_access_control: All, |call| call.operation == "CreateOriginAccessControl", ["CreateDistribution"];
    the_headers_policy: All, |call| call.operation == "CreateResponseHeadersPolicy", ["CreateDistribution"];
    the_api: All, |call| call.operation == "CreateRestApi",
        ["CreateDistribution", "CreateResource", "CreateDeployment"];
    the_address: All, |call| call.operation == "AllocateAddress", ["CreateDistribution", "RunInstances"];
    the_key_of_the_edge: All, |call| of(call, "PutParameter", "origin-key"), ["CreateDistribution"];
    the_key_of_tickets: All, |call| of(call, "PutParameter", "ticket-key"), ["CreateFunction"];
    the_distribution: All, |call| call.operation == "CreateDistribution",
        ["CreateFunction", "RunInstances", "PutBucketPolicy"];
    the_tables: All, |call| call.operation == "CreateTable", ["CreateFunction"];
    the_roles_of_functions: All, |call| of(call, "CreateRole", "lambda.amazonaws.com"), ["CreateFunction"];
    the_logs_of_functions: All, |call| of(call, "CreateLogGroup", "/aws/lambda/"), ["CreateFunction"];
    the_logs: One, |call| call.operation == "CreateLogGroup", ["PutMetricFilter"];
    the_program_of_functions: All, |call| uploads(call, "api.zip"), ["CreateFunction"];
    the_functions: One, |call| call.operation == "CreateFunction", ["AddPermission"];
    the_routes: All, |call| call.operation == "PutIntegration", ["CreateDeployment"];
    the_role_of_the_gateway: All, |call| of(call, "CreateRole", "apigateway.amazonaws.com"), ["CreateDeployment"];
    the_log_of_the_gateway: All, |call| of(call, "CreateLogGroup", "api-access"), ["CreateDeployment"];
    the_bucket: All, |call| call.operation == "CreateBucket", ["PutObject", "PutBucketPolicy"];
    the_role_of_the_host: All, |call| of(call, "CreateRole", "ec2.amazonaws.com"), ["CreateInstanceProfile"];
    the_profile: All, |call| call.operation == "AddRoleToInstanceProfile", ["RunInstances"];
    the_log_of_the_host: All, |call| of(call, "CreateLogGroup", "/signal"), ["RunInstances"];
    the_program_of_the_host: All, |call| uploads(call, "signal.gz"), ["RunInstances"];
    the_group: All, |call| call.operation == "CreateSecurityGroup", ["RunInstances"];
    the_host: All, |call| call.operation == "RunInstances", ["PutDashboard"];
}

/// Whether it is a call of this operation that has these words.
fn of(call: &Call, operation: &str, words: &str) -> bool {
    let text = call.parameters().into_iter().map(|(_, value)| value).chain([call.text()]);
    call.operation == operation && text.collect::<Vec<_>>().iter().any(|text| text.contains(words))
}

/// Whether it uploads this program.
fn uploads(call: &Call, program: &str) -> bool {
    call.is("s3", "PutObject") && call.uri.path().ends_with(&format!("/programs/{program}"))
}
