//! The rates of requests.

use std::fmt::Debug;

use aws_sdk_lambda::error::ProvideErrorMetadata;
use futures::future::join_all;
use peersync_tests::proxy::behaviour::Behaviour;

use super::with;

/// The codes of the calls that were refused, of so many at once.
async fn refused<T, E: ProvideErrorMetadata + Debug, F: Future<Output = Result<T, E>>>(
    number: usize,
    call: impl Fn() -> F,
) -> Vec<String> {
    let answers = join_all((0..number).map(|_| call())).await;
    let errors = answers.into_iter().filter_map(Result::err);
    errors.filter_map(|error| Some(error.code()?.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_above_the_rate_get_the_service_s_own_error() {
    let (_proxy, clients) = with(Behaviour::Rates).await;
    let api_gateway = refused(80, || clients.api_gateway.get_rest_apis().send()).await;
    let cloudwatch = refused(30, || clients.cloudwatch.describe_alarms().send()).await;
    let ec2 = refused(300, || clients.ec2.describe_vpcs().send()).await;
    let iam = refused(60, || clients.iam.list_roles().send()).await;
    let lambda = refused(60, || clients.lambda.list_functions().send()).await;
    let logs = refused(30, || clients.logs.describe_metric_filters().send()).await;
    let parameters = refused(120, || clients.ssm.get_parameters().names("/a").send()).await;
    for (codes, code, number) in [
        (api_gateway, "TooManyRequestsException", 80 - 40),
        (cloudwatch, "Throttling", 30 - 9),
        (ec2, "RequestLimitExceeded", 300 - 100),
        (iam, "Throttling", 60 - 20),
        (lambda, "TooManyRequestsException", 60 - 15),
        (logs, "ThrottlingException", 30 - 5),
        (parameters, "ThrottlingException", 120 - 40),
    ] {
        assert!(!codes.is_empty() && codes.len() <= number, "{code}: {} of at most {number}", codes.len());
        assert!(codes.iter().all(|refused| refused == code), "{code}: {codes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operation_with_a_rate_of_its_own_leaves_the_others_theirs() {
    let (_proxy, clients) = with(Behaviour::Rates).await;
    let gateway = &clients.api_gateway;
    gateway.create_rest_api().name("a").send().await.unwrap();
    let second = gateway.create_rest_api().name("b").send().await.unwrap_err();
    assert_eq!(second.code(), Some("TooManyRequestsException"));
    gateway.get_rest_apis().send().await.unwrap();
}
