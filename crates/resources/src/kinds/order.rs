//! Which kinds must be there before which, and are deleted after them; each with its reason. A test holds the graph
//! against it, so that no edge is lost or added without one.

use std::collections::BTreeSet;

use crate::stack::Stack;
use peersync_config::Config;

const ORDER: &[(&str, &str, &str)] = &[
    ("alarm", "signal_instance", "the host's id is what it watches"),
    ("api_routes", "rest_api", "they are part of it"),
    ("api_stage", "api_routes", "its deployment shows the routes that there are"),
    ("api_stage", "iam_role", "the account needs the role before a stage may write a log"),
    ("api_stage", "log_group", "a log group that is not there is refused"),
    ("api_stage", "rest_api", "it is part of it"),
    ("cloudfront_distribution", "elastic_ip", "the address's name is an origin"),
    ("cloudfront_distribution", "origin_access_control", "it names it, and holds it while it is there"),
    ("cloudfront_distribution", "response_headers_policy", "it names it, and holds it while it is there"),
    ("cloudfront_distribution", "rest_api", "the API's host is an origin"),
    ("cloudfront_distribution", "ssm_parameter", "it sends the key"),
    ("dashboard", "signal_instance", "the host's id is what it shows"),
    ("instance_profile", "iam_role", "it holds the role, which is not deleted before"),
    ("lambda_function", "cloudfront_distribution", "the site's address is in its environment"),
    ("lambda_function", "dynamodb_table", "it reads and writes them from its first request on"),
    ("lambda_function", "iam_role", "Lambda refuses a role that is not there"),
    ("lambda_function", "log_group", "a late line would make the group anew, without its retention"),
    ("lambda_function", "s3_program", "Lambda takes the program from the bucket"),
    ("lambda_function", "ssm_parameter", "it reads them at its first request"),
    ("lambda_permission", "lambda_function", "it is part of its policy"),
    ("lambda_permission", "rest_api", "the API's id is in it"),
    ("metric_filter", "log_group", "it is part of it"),
    ("s3_bucket_policy", "cloudfront_distribution", "it names the one distribution that may read"),
    ("s3_bucket_policy", "s3_bucket", "it is part of it"),
    ("s3_objects", "s3_bucket", "they lie in it"),
    ("s3_program", "s3_bucket", "it lies in it"),
    ("signal_instance", "cloudfront_distribution", "the site's address is in its user data"),
    ("signal_instance", "elastic_ip", "it gets the address, and holds it while it is there"),
    ("signal_instance", "instance_profile", "EC2 refuses a profile that is not there"),
    ("signal_instance", "log_group", "its log agent would make the group without retention"),
    ("signal_instance", "s3_program", "it fetches the program at its first start"),
    ("signal_instance", "security_group", "it is launched into it, and holds it while it is there"),
];

#[tokio::test]
async fn every_edge_of_the_graph_has_its_reason() {
    let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
    let graph = crate::catalog::graph(&stack).expect("the resources form a graph");
    let edges = graph.order().iter().flat_map(|from| graph.dependencies(from).map(|needs| (from.kind, needs.kind)));
    let edges: BTreeSet<(&str, &str)> = edges.collect();
    let expected: BTreeSet<(&str, &str)> = ORDER.iter().map(|(from, needs, _)| (*from, *needs)).collect();
    assert_eq!(edges, expected);
}
