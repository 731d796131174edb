//! The dependencies between kinds, each with its reason: the second is created before the first and deleted after it. A
//! test compares the graph with this list, so that no dependency is lost, or added without a reason.

use std::collections::BTreeSet;

use crate::stack::Stack;
use peersync_config::Config;
use peersync_engine::Address;

const ORDER: &[(&str, &str, &str)] = &[
    ("alarm", "signal_instance", "it watches the host by its id"),
    ("api_account", "iam_role", "the role that an earlier version made is deleted once the account has another"),
    ("api_account", "log_group", "as long as one of them exists, the stack may need the role of the account"),
    ("api_account", "rest_api", "as long as one of them exists, the stack may need the role of the account"),
    ("api_account", "ssm_parameter", "its digest is recorded in one"),
    ("api_routes", "rest_api", "they are part of the API"),
    ("api_routes", "ssm_parameter", "its digest is recorded in one"),
    ("api_stage", "api_routes", "its deployment is a snapshot of the existing routes"),
    ("api_stage", "api_account", "the account needs a role before a stage can write logs"),
    ("api_stage", "log_group", "API Gateway rejects a log group that does not exist"),
    ("api_stage", "rest_api", "it is part of the API"),
    (
        "cloudfront_distribution",
        "log_group",
        "its last requests would re-create the group of the API without retention",
    ),
    ("cloudfront_distribution", "elastic_ip", "the DNS name of the Elastic IP address is an origin"),
    ("cloudfront_distribution", "origin_access_control", "it refers to it, and blocks its deletion"),
    ("cloudfront_distribution", "response_headers_policy", "it refers to it, and blocks its deletion"),
    ("cloudfront_distribution", "rest_api", "the API's domain is an origin"),
    ("cloudfront_distribution", "s3_bucket", "whoever gets the free name of its origin owns the site"),
    ("cloudfront_distribution", "ssm_parameter", "it sends the origin key"),
    ("dashboard", "signal_instance", "it shows the host by its id"),
    ("dashboard", "ssm_parameter", "its digest is recorded in one"),
    ("cloudflare_record", "cloudflare_tunnel", "it leads to the tunnel by its id"),
    ("cloudflare_record", "ssm_parameter", "its digest is recorded in one"),
    (
        "cloudflare_tunnel",
        "ssm_parameter",
        "one records that there is a tunnel, before it is created and until it is deleted",
    ),
    ("instance_profile", "iam_role", "it contains the role, and blocks its deletion"),
    ("lambda_function", "cloudfront_distribution", "the URL of the pages is in its environment"),
    ("lambda_function", "dynamodb_table", "it accesses them from its first request on"),
    ("lambda_function", "elastic_ip", "the name of the relay is in its environment"),
    ("lambda_function", "iam_role", "Lambda rejects a role that does not exist"),
    ("lambda_function", "log_group", "a late log line would re-create the group without retention"),
    ("lambda_function", "s3_program", "Lambda copies the program from the bucket"),
    ("lambda_function", "ssm_parameter", "it reads them at its first request"),
    ("lambda_permission", "lambda_function", "it is part of the function's policy"),
    ("lambda_permission", "rest_api", "it contains the API's id"),
    ("lambda_permission", "ssm_parameter", "its digest is recorded in one"),
    ("metric_filter", "ssm_parameter", "its digest is recorded in one"),
    ("origin_access_control", "log_group", "what is left of a stack is found by the tags of the group"),
    ("origin_access_control", "ssm_parameter", "its digest is recorded in one"),
    ("response_headers_policy", "log_group", "what is left of a stack is found by the tags of the group"),
    ("response_headers_policy", "ssm_parameter", "its digest is recorded in one"),
    ("s3_bucket_policy", "cloudfront_distribution", "it names the only distribution that may read"),
    ("s3_bucket_policy", "s3_bucket", "it is part of the bucket"),
    ("s3_bucket_policy", "ssm_parameter", "its digest is recorded in one"),
    ("s3_objects", "s3_bucket", "they are stored in it"),
    ("s3_program", "s3_bucket", "it is stored in it"),
    ("s3_program", "ssm_parameter", "its digest is recorded in one"),
    ("signal_instance", "cloudfront_distribution", "the URL of the pages is in its user data"),
    ("signal_instance", "elastic_ip", "it is given the address, and blocks its release"),
    ("signal_instance", "iam_role", "rights that a change takes away end after the host that has used them"),
    ("signal_instance", "instance_profile", "EC2 rejects a profile that does not exist"),
    ("signal_instance", "log_group", "its log agent needs the group and may not create it"),
    ("signal_instance", "s3_program", "it downloads the program at its first boot"),
    ("signal_instance", "security_group", "it is launched into it, and blocks its deletion"),
    (
        "signal_instance",
        "ssm_parameter",
        "it runs the tunnel with the token in one, keeps its certificate in others, and ends before them",
    ),
    ("ssm_parameter", "cloudflare_tunnel", "one holds the token of the tunnel"),
];

/// What leads people where, each with its reason: a change that leads them elsewhere waits for the second.
const LEADS: &[(&str, &str, &str)] = &[
    ("alarm", "signal_instance", "one watches what only the former host does"),
    ("cloudflare_record", "signal_instance", "its domain leads to the host through the tunnel"),
    ("lambda_function", "cloudflare_record", "one of them tells pages the domain"),
    ("lambda_function", "s3_objects", "pages go by what it tells only if `config.json` names no path"),
    ("lambda_function", "signal_instance", "one of them tells pages its address"),
    ("s3_objects", "signal_instance", "`config.json` names the path of its WebSocket"),
];

/// An order in a circle would never begin.
#[tokio::test]
async fn what_leads_people_has_its_reason_and_no_circle() {
    let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
    let graph = crate::catalog::graph(&stack).expect("the resources form a graph");
    let leads = |from: &Address| graph.resource(from).map(|resource| resource.leads_to()).unwrap_or_default();
    let found = graph.order().iter().flat_map(|from| leads(from).into_iter().map(|to| (from.kind, to.kind)));
    let found: BTreeSet<(&str, &str)> = found.collect();
    assert_eq!(found, LEADS.iter().map(|(from, to, _)| (*from, *to)).collect());
    for from in graph.order() {
        let (mut open, mut seen) = (leads(from), BTreeSet::new());
        while let Some(next) = open.pop() {
            assert_ne!(next, *from, "it waits for itself");
            if seen.insert(next.clone()) {
                open.extend(graph.dependencies(&next).cloned().chain(leads(&next)));
            }
        }
    }
}

#[tokio::test]
async fn every_edge_of_the_graph_has_its_reason() {
    let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
    let graph = crate::catalog::graph(&stack).expect("the resources form a graph");
    let edges = graph.order().iter().flat_map(|from| graph.dependencies(from).map(|needs| (from.kind, needs.kind)));
    let edges: BTreeSet<(&str, &str)> = edges.collect();
    let expected: BTreeSet<(&str, &str)> = ORDER.iter().map(|(from, needs, _)| (*from, *needs)).collect();
    assert_eq!(edges, expected);
}
