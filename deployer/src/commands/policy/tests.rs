//! Policies evaluated as IAM does, for requests to our own stacks and to those of others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]

use std::collections::{BTreeMap, BTreeSet};

use super::permissions::{disks, reads};
use super::*;
use crate::artifacts::stack_for_tests;
use peersync_config::Config;
use peersync_resources::permission::{Condition, Permission};
use serde_json::json;

const OF_RESOURCE: &str = "aws:ResourceTag/peersync:stack";
const OF_REQUEST: &str = "aws:RequestTag/peersync:stack";

/// What a pipeline for some stages may do although it is not limited to them, and why that does not touch the others.
const NOT_LIMITED: [(&str, &str); 24] = [
    ("apigateway:DELETE /tags/", "a call about tags has only the tags of the request, see docs/permissions.md"),
    ("apigateway:PUT /tags/", "the same"),
    ("apigateway:PATCH /account", "the role for the logs of all APIs, which is set if there is none that works"),
    ("apigateway:POST /restapis", "creates, with the pipeline's tags"),
    ("cloudfront:CreateDistribution", "creates, with the pipeline's tags"),
    ("cloudfront:CreateOriginAccessControl", "creates"),
    ("cloudfront:CreateResponseHeadersPolicy", "creates"),
    ("cloudfront:DeleteOriginAccessControl", "AWS refuses it while a distribution uses it"),
    ("cloudfront:DeleteResponseHeadersPolicy", "AWS refuses it while a distribution uses it"),
    ("ec2:AllocateAddress", "creates, with the pipeline's tags"),
    ("ec2:AssociateAddress network-interface", "the address or the host must be the pipeline's, too"),
    ("ec2:CreateSecurityGroup", "creates, with the pipeline's tags"),
    ("ec2:DisassociateAddress network-interface", "the address must be the pipeline's, too"),
    ("ec2:RunInstances image", "the instance must have the pipeline's tags, too"),
    ("ec2:RunInstances instance", "creates, with the pipeline's tags"),
    ("ec2:RunInstances network-interface", "the instance must have the pipeline's tags, too"),
    ("ec2:RunInstances subnet", "the instance must have the pipeline's tags, too"),
    ("ec2:RunInstances volume", "creates, with the pipeline's tags"),
    ("iam:PassRole peersync-eu-central-1-gateway", "the role that all stacks share, to API Gateway alone"),
    ("iam:CreateServiceLinkedRole", "creates the role that CloudWatch has once in an account"),
    ("logs:CreateLogDelivery", "calls of API Gateway in the caller's name, which IAM limits to nothing"),
    ("logs:DeleteLogDelivery", "the same"),
    ("logs:PutResourcePolicy", "the same"),
    ("logs:UpdateLogDelivery", "the same"),
];

/// A request as IAM sees it.
#[derive(Clone, Debug)]
struct Request {
    action: String,
    resource: String,
    context: BTreeMap<String, String>,
}

impl Request {
    fn new(action: &str, resource: &str, context: &[(&str, &str)]) -> Self {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { action: action.to_owned(), resource: resource.to_owned(), context }
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Returns whether a text matches a pattern of IAM.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((beginning, mut rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(beginning) else { return false };
    while let Some((part, next)) = rest.split_once('*') {
        let Some((_, after)) = left.split_once(part) else { return false };
        (left, rest) = (after, next);
    }
    left.ends_with(rest)
}

fn is_met(operator: &str, key: &str, wanted: &str, context: &BTreeMap<String, String>) -> bool {
    let found = context.get(key);
    match operator {
        "Null" => found.is_none() == (wanted == "true"),
        "StringEquals" => found.is_some_and(|found| found == wanted),
        "StringEqualsIfExists" => found.is_none_or(|found| found == wanted),
        "StringLike" => found.is_some_and(|found| matches(wanted, found)),
        // Of no values, it holds for all.
        "StringLikeIfExists" | "ForAllValues:StringLike" => found.is_none_or(|found| matches(wanted, found)),
        other => panic!("the operator {other}"),
    }
}

/// Returns whether a policy allows a request.
fn allows(policy: &Value, request: &Request) -> bool {
    policy["Statement"].as_array().unwrap().iter().any(|statement| {
        let operators = statement["Condition"].as_object().into_iter().flatten();
        let mut conditions = operators.flat_map(|(operator, keys)| {
            keys.as_object().unwrap().iter().map(move |(key, wanted)| (operator, key, wanted.as_str().unwrap()))
        });
        texts(&statement["Action"]).any(|action| action == request.action)
            && texts(&statement["Resource"]).any(|resource| matches(resource, &request.resource))
            && conditions.all(|(operator, key, wanted)| is_met(operator, key, wanted, &request.context))
    })
}

/// Returns a request for each action and resource of a policy that covers one stack, as its deployer sends them.
fn requests(policy: &Value, stack: &str) -> Vec<Request> {
    let mut requests = Vec::new();
    for statement in policy["Statement"].as_array().unwrap() {
        let mut context: BTreeMap<String, String> = BTreeMap::new();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            let keys = keys.as_object().unwrap().iter().filter(|_| operator != "Null");
            context.extend(keys.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())));
        }
        if context.is_empty() {
            context.insert(OF_RESOURCE.to_owned(), stack.to_owned());
        }
        for (action, resource) in
            texts(&statement["Action"]).flat_map(|action| texts(&statement["Resource"]).map(move |one| (action, one)))
        {
            let (action, resource) = (action.to_owned(), resource.replace('*', "x7"));
            requests.push(Request { action, resource, context: context.clone() });
        }
    }
    requests
}

async fn policy(stage: &str, purpose: Purpose) -> Value {
    let mut config = Config { stage: stage.to_owned(), ..Config::default() };
    if stage == ANY {
        config.stack.name = ANY.to_owned();
    }
    let stack = stack_for_tests(config).await;
    document(&stack, &permissions(&stack, purpose))
}

#[tokio::test]
async fn pipeline_may_do_everything_for_its_stages() {
    let pipeline = policy("pr-*", Purpose::Up).await;
    let needed = requests(&policy("pr-7", Purpose::Up).await, "peersync-pr-7");
    assert!(needed.len() > 200, "{}", needed.len());
    let denied: Vec<&Request> = needed.iter().filter(|request| !allows(&pipeline, request)).collect();
    let denied: BTreeSet<&str> = denied.iter().map(|request| request.action.as_str()).collect();
    let expected = ["cloudfront:UpdateOriginAccessControl", "cloudfront:UpdateResponseHeadersPolicy"];
    assert_eq!(denied, BTreeSet::from(expected));
}

/// Whoever has the pipeline's role sends whatever tags are of use.
#[tokio::test]
async fn pipeline_cannot_touch_other_stages() {
    let pipeline = policy("pr-*", Purpose::Up).await;
    let of_prod = requests(&policy("prod", Purpose::Up).await, "peersync-prod");
    let mut used = BTreeSet::new();
    for request in of_prod.iter().filter(|request| !reads(&request.action)) {
        let tags = [(OF_RESOURCE, "peersync-prod"), (OF_REQUEST, "peersync-pr-7")];
        let mut attack = Request::new(&request.action, &request.resource, &tags);
        let service = request.context.get("iam:PassedToService").cloned();
        attack.context.extend(service.map(|service| ("iam:PassedToService".to_owned(), service)));
        if allows(&pipeline, &attack) {
            let excused = NOT_LIMITED.iter().find(|(what, _)| {
                let (action, of) = what.split_once(' ').unwrap_or((what, ""));
                attack.action == action && attack.resource.contains(of)
            });
            used.insert(excused.unwrap_or_else(|| panic!("{attack:?}")).0);
        }
    }
    let all: BTreeSet<&str> = NOT_LIMITED.iter().map(|(what, _)| *what).collect();
    assert_eq!(used, all, "no excuse is unused");
}

#[tokio::test]
async fn roles_get_rights_only_within_the_boundary() {
    const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/boundary";
    let mut config = Config { stage: "pr-*".to_owned(), ..Config::default() };
    config.stack.permissions_boundary = Some(BOUNDARY.to_owned());
    let stack = stack_for_tests(config).await;
    let policy = document(&stack, &permissions(&stack, Purpose::Up));
    let role = "arn:aws:iam::123456789012:role/peersync-pr-7-eu-central-1-login";
    let request = |action: &str, boundary: Option<&str>| {
        let tags = [(OF_RESOURCE, "peersync-pr-7"), (OF_REQUEST, "peersync-pr-7")];
        let boundary = boundary.map(|boundary| ("iam:PermissionsBoundary", boundary));
        let context: Vec<(&str, &str)> = tags.into_iter().chain(boundary).collect();
        Request::new(action, role, &context)
    };
    for action in ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"] {
        assert!(allows(&policy, &request(action, Some(BOUNDARY))), "{action}");
        for other in [None, Some("arn:aws:iam::aws:policy/AdministratorAccess")] {
            assert!(!allows(&policy, &request(action, other)), "{action} within {other:?}");
        }
    }
    assert!(!allows(&policy, &request("iam:DeleteRolePermissionsBoundary", Some(BOUNDARY))));
    let without = self::policy("pr-*", Purpose::Up).await;
    assert!(
        allows(&without, &request("iam:DeleteRolePermissionsBoundary", Some(BOUNDARY))),
        "it was taken out of the file"
    );
    let teardown = self::policy(ANY, Purpose::Teardown).await.to_string();
    assert!(!teardown.contains("PermissionsBoundary"), "a role is deleted with its boundary");
}

#[tokio::test]
async fn key_of_the_disks_is_covered_for_ec2_alone() {
    const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let stack = stack_for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
    let policy = document(&stack, &disks(KEY));
    let ec2 = "ec2.eu-central-1.amazonaws.com";
    assert_eq!(
        policy["Statement"],
        json!([
            {
                "Effect": "Allow",
                "Action": ["kms:CreateGrant"],
                "Resource": [KEY],
                "Condition": {
                    "StringEquals": { "kms:ViaService": ec2 },
                    "Bool": { "kms:GrantIsForAWSResource": "true" },
                },
            },
            {
                "Effect": "Allow",
                "Action": [
                    "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                "Resource": [KEY],
                "Condition": { "StringEquals": { "kms:ViaService": ec2 } },
            },
        ])
    );
    let usual = self::policy("test", Purpose::Up).await.to_string();
    assert!(!usual.contains("kms:"), "nobody has asked for it");
}

#[tokio::test]
async fn teardown_may_remove_every_stack_and_nothing_else() {
    let teardown = policy(ANY, Purpose::Teardown).await;
    let account = "arn:aws:ACTION:eu-central-1:123456789012";
    for (action, resource) in [
        ("dynamodb:DeleteTable", "table/a-shop-Users"),
        ("lambda:DeleteFunction", "function:a-shop-login"),
        ("ec2:TerminateInstances", "instance/i-1"),
        ("ec2:ReleaseAddress", "elastic-ip/e-1"),
        ("ec2:DeleteSecurityGroup", "security-group/sg-1"),
        ("logs:DeleteLogGroup", "log-group:/aws/lambda/a-shop-login"),
    ] {
        let resource = format!("{}:{resource}", account.replace("ACTION", action.split(':').next().unwrap()));
        assert!(!allows(&teardown, &Request::new(action, &resource, &[])), "{action} {resource}");
        let ours = Request::new(action, &resource, &[(OF_RESOURCE, "peersync-pr-7")]);
        assert!(allows(&teardown, &ours), "{ours:?}");
    }
    let writes: BTreeSet<&str> = teardown["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| texts(&statement["Action"]))
        .filter(|action| {
            [":Create", ":Put", ":Run", ":Update", ":Pass", ":Add"].iter().any(|verb| action.contains(verb))
        })
        .collect();
    let expected = [
        "cloudfront:UpdateDistribution",
        "dynamodb:CreateBackup",
        "logs:UpdateLogDelivery",
        "s3:PutBucketTagging",
        "ssm:PutParameter",
    ];
    assert_eq!(writes, BTreeSet::from(expected), "the lease, and what precedes a removal");
}

#[tokio::test]
async fn plan_may_only_read() {
    let plan = policy("dev", Purpose::Plan).await;
    let actions = plan["Statement"].as_array().unwrap().iter().flat_map(|statement| texts(&statement["Action"]));
    let actions: Vec<&str> = actions.collect();
    assert!(actions.len() > 40 && actions.iter().all(|action| reads(action)), "{actions:?}");
}

/// Returns the ARNs of what the policy for a stage may change; list actions cover everything.
async fn changed_by(stage: &str) -> Vec<String> {
    let stack = stack_for_tests(Config { stage: stage.to_owned(), ..Config::default() }).await;
    let all = permissions(&stack, Purpose::Up);
    let changes = all.into_iter().filter(|permission| !permission.actions.iter().all(|action| reads(action)));
    changes.flat_map(|permission| permission.resources).collect()
}

/// Only identifiers that AWS assigns, and what IAM cannot narrow down, may match resources of other stacks.
#[tokio::test]
async fn policy_excludes_stacks_sharing_our_prefix() {
    let ours = changed_by("test").await;
    for longer in ["test-2", "test-signup", "test-eu-central-1"] {
        let theirs = changed_by(longer).await;
        let named: Vec<&String> = theirs.iter().filter(|arn| !ours.contains(arn)).collect();
        assert!(named.len() > 40, "{named:?}");
        for arn in named {
            let arn = arn.replace('*', "any");
            let granted: Vec<&String> = ours.iter().filter(|ours| *ours != ANY && matches(ours, &arn)).collect();
            assert!(granted.is_empty(), "{arn} of {longer} is granted by {granted:?}");
        }
    }
}

/// The number of managed policies that a role can have (IAM's quotas, "Managed policies attached to an IAM role").
const ATTACHED: usize = 10;

#[tokio::test]
async fn each_part_of_the_policy_fits_into_a_managed_policy() {
    const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/a-path-of-a-company/a-boundary-with-a-long-name";
    for (name, stage, boundary) in [
        ("peersync", "test", None),
        ("a-name-as-long-as-pos", "stage-as-long-as-pos", Some(BOUNDARY)),
        ("a-name-as-long-as-pos", "pattern-as-long-as-*", Some(BOUNDARY)),
    ] {
        let mut config = Config { stage: stage.to_owned(), ..Config::default() };
        config.stack.name = name.to_owned();
        config.stack.permissions_boundary = boundary.map(str::to_owned);
        let stack = stack_for_tests(config).await;
        for purpose in [Purpose::Up, Purpose::Plan, Purpose::Teardown] {
            let policy = document(&stack, &permissions(&stack, purpose));
            let parts = parts(&policy);
            let lengths: Vec<usize> = parts.iter().map(length).collect();
            assert!(lengths.iter().all(|length| *length <= LONGEST_MANAGED), "{lengths:?}");
            assert!(parts.len() <= ATTACHED, "{lengths:?}");
            let statements = parts.iter().flat_map(|part| part["Statement"].as_array().into_iter().flatten());
            assert_eq!(Some(&statements.cloned().collect::<Vec<_>>()), policy["Statement"].as_array());
        }
    }
}

#[test]
fn patterns_match_as_in_iam() {
    assert!(matches("arn:a/*", "arn:a/b/c") && matches("arn:*/x/*", "arn:a/x/") && matches("arn:a", "arn:a"));
    assert!(!matches("arn:a/*", "arn:b/c") && !matches("arn:a/*/x", "arn:a/b") && !matches("arn:a", "arn:ab"));
}

#[tokio::test]
async fn policy_statements_do_not_repeat_each_other() {
    let permission = |actions: &[&'static str], resources: &[&str]| {
        Permission::new(actions, resources.iter().map(|resource| (*resource).to_owned()).collect())
    };
    let stack = stack_for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
    let policy = document(
        &stack,
        &[
            permission(&["s3:GetObject", "s3:PutObject"], &["arn:a", "arn:b"]),
            permission(&["s3:GetObject"], &["arn:b"]),
            permission(&["s3:ListAllMyBuckets", "s3:PutObject"], &["*"]),
            permission(&["s3:ListAllMyBuckets"], &["arn:c"]),
            permission(&["s3:GetObject"], &["arn:c/*", "arn:c/d", "arn:c/e/*"]),
            permission(&["s3:PutObject", "s3:DeleteObject"], &["arn:d"]).only(Condition::Named),
        ],
    );
    let statement =
        |actions: &[&str], resources: &[&str]| json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    let mut limited = statement(&["s3:DeleteObject"], &["arn:d"]);
    limited["Condition"] = json!({ "StringEqualsIfExists": { OF_RESOURCE: "peersync-test" } });
    let expected = json!([
        limited,
        statement(&["s3:GetObject"], &["arn:a", "arn:b", "arn:c/*"]),
        statement(&["s3:ListAllMyBuckets", "s3:PutObject"], &["*"]),
    ]);
    assert_eq!(policy["Statement"], expected);
}
