//! The command `policy`: prints the permissions that the deployer's role needs for this stack, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CommandError, Context, Exit, output};
use crate::cli::PolicyArgs;
use peersync_aws::lease::Lease;
use peersync_resources::kinds::{KINDS, Permission, log_group};
use peersync_resources::stack::Stack;

/// Replaces an account or region that is not known.
const ANY: &str = "*";
/// How long looking up the account may take: the policy is most useful before there are credentials.
const IDENTITY_DEADLINE: Duration = Duration::from_secs(5);
/// AWS's limit for a managed policy, in characters without white space.
const LONGEST_MANAGED: usize = 6_144;

/// Prints the policy.
///
/// # Errors
/// Fails if the configuration has problems.
pub async fn run(context: &Context, args: &PolicyArgs) -> Result<Exit, CommandError> {
    let stack = stack(context, args).await?;
    let policy = document(&permissions(&stack));
    let parts = parts(&policy);
    let printed = match args.part {
        None => &policy,
        Some(number) => number.checked_sub(1).and_then(|index| parts.get(index)).ok_or_else(|| {
            CommandError::usage("the policy does not have this part")
                .caused_by(format!("--part {number}: it has {}", parts.len()))
                .hint(format!("give a number from 1 to {}", parts.len()))
        })?,
    };
    output::data(&serde_json::to_string_pretty(printed).unwrap_or_default());
    notes(&stack, printed, parts.len()).iter().for_each(|note| output::note(note));
    Ok(Exit::Done)
}

/// Returns the stack in its account if it can be looked up, otherwise in any account.
async fn stack(context: &Context, args: &PolicyArgs) -> Result<Arc<Stack>, CommandError> {
    if let Some(account) = &args.account {
        return context.offline_stack(account, ANY).await;
    }
    let stack = context.offline_stack(ANY, ANY).await?;
    if stack.clients.region == ANY {
        return Ok(stack);
    }
    match tokio::time::timeout(IDENTITY_DEADLINE, stack.clients.identity()).await {
        Ok(Ok(identity)) => Ok(Arc::new(Stack { identity, ..(*stack).clone() })),
        _ => Ok(stack),
    }
}

fn notes(stack: &Stack, policy: &Value, parts: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if stack.identity.account == ANY {
        notes.push("note: the account is unknown, so the policy covers any; add `--account 123456789012`".to_owned());
    }
    if stack.clients.region == ANY {
        notes.push("note: the region is unknown, so the policy covers any; add `--region eu-central-1`".to_owned());
    }
    let length = length(policy);
    if length > LONGEST_MANAGED {
        notes.push(format!(
            "note: {length} characters are too many for one managed policy ({LONGEST_MANAGED}): create {parts} of them, \
             with `--part 1` to `--part {parts}`"
        ));
    }
    notes
}

/// Returns the policy as policies that each fit into a managed policy.
fn parts(policy: &Value) -> Vec<Value> {
    let statements = policy.get("Statement").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |statements: &[Value]| json!({ "Version": "2012-10-17", "Statement": statements });
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    for statement in statements {
        if let Some(last) = parts.last_mut() {
            last.push(statement.clone());
            if length(&of(last)) <= LONGEST_MANAGED || last.len() == 1 {
                continue;
            }
            last.pop();
        }
        parts.push(vec![statement.clone()]);
    }
    parts.iter().map(|statements| of(statements)).collect()
}

fn length(policy: &Value) -> usize {
    policy.to_string().chars().filter(|c| !c.is_whitespace()).count()
}

/// Returns the permissions that resources and commands need. `teardown` is left out: it checks every stack of the
/// account, and needs for each of them what this policy grants for one.
fn permissions(stack: &Stack) -> Vec<Permission> {
    KINDS.iter().flat_map(|kind| (kind.permissions)(stack)).chain(of_commands(stack)).collect()
}

/// Returns the permissions that no resource needs: for the caller identity, the lease, `logs`, and the backup that `down`
/// makes.
fn of_commands(stack: &Stack) -> [Permission; 5] {
    let tables = |end: &str| {
        ["Users", "UserConnections", "Ephemeral"]
            .map(|table| stack.arn("dynamodb", &format!("table/{}{end}", stack.named(table))))
            .to_vec()
    };
    [
        Permission { actions: vec!["sts:GetCallerIdentity"], resources: vec![ANY.to_owned()] },
        Permission {
            actions: vec!["ssm:PutParameter", "ssm:GetParametersByPath", "ssm:DeleteParameters"],
            resources: ["", "/*"].map(|end| stack.arn("ssm", &format!("parameter{}{end}", lease_path(stack)))).to_vec(),
        },
        Permission { actions: vec!["logs:FilterLogEvents"], resources: log_group::arns(stack) },
        Permission { actions: vec!["dynamodb:CreateBackup", "dynamodb:Scan"], resources: tables("") },
        Permission { actions: vec!["dynamodb:DescribeBackup"], resources: tables("/backup/*") },
    ]
}

/// The path of the parameters that the lease consists of. Reading by path is a permission on the path itself.
fn lease_path(stack: &Stack) -> String {
    Lease::path(&stack.name())
}

/// Returns the policy document, with one statement for each set of resources and without repetition.
fn document(permissions: &[Permission]) -> Value {
    let mut of_resource: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for permission in permissions {
        for resource in &permission.resources {
            of_resource.entry(resource).or_default().extend(&permission.actions);
        }
    }
    // An action that a wider pattern allows need not be repeated for the resources that the pattern covers.
    let of_beginnings: Vec<(&str, BTreeSet<&str>)> = of_resource
        .iter()
        .filter_map(|(pattern, actions)| Some((pattern.strip_suffix(ANY)?, actions.clone())))
        .collect();
    let mut of_actions: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (resource, mut actions) in of_resource {
        let wider = of_beginnings
            .iter()
            .filter(|(beginning, _)| resource.strip_prefix(beginning).is_some_and(|rest| rest != ANY));
        wider.for_each(|(_, allowed)| actions.retain(|action| !allowed.contains(action)));
        if !actions.is_empty() {
            of_actions.entry(actions).or_default().push(resource);
        }
    }
    let statements: Vec<Value> = of_actions
        .into_iter()
        .map(|(actions, resources)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources }))
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::stack_for_tests;
    use peersync_config::Config;

    fn permission(actions: &[&'static str], resources: &[&str]) -> Permission {
        Permission {
            actions: actions.to_vec(),
            resources: resources.iter().map(|resource| (*resource).to_owned()).collect(),
        }
    }

    /// Returns whether an ARN matches a pattern of IAM.
    fn matches(pattern: &str, arn: &str) -> bool {
        let Some((beginning, mut rest)) = pattern.split_once('*') else { return pattern == arn };
        let Some(mut left) = arn.strip_prefix(beginning) else { return false };
        while let Some((part, next)) = rest.split_once('*') {
            let Some((_, after)) = left.split_once(part) else { return false };
            (left, rest) = (after, next);
        }
        left.ends_with(rest)
    }

    /// Returns the ARNs of what the policy for a stage may change; list actions cover everything.
    async fn changed_by(stage: &str) -> Vec<String> {
        let stack = stack_for_tests(Config { stage: stage.to_owned(), ..Config::default() }).await;
        let reads = |action: &&str| ["Describe", "Get", "List"].iter().any(|verb| action.contains(&format!(":{verb}")));
        let changes = permissions(&stack).into_iter().filter(|permission| !permission.actions.iter().all(reads));
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

    #[tokio::test]
    async fn each_part_of_the_policy_fits_into_a_managed_policy() {
        for (name, stage) in [("peersync", "test"), ("a-name-as-long-as-pos", "stage-as-long-as-pos")] {
            let mut config = Config { stage: stage.to_owned(), ..Config::default() };
            config.stack.name = name.to_owned();
            let policy = document(&permissions(&*stack_for_tests(config).await));
            let parts = parts(&policy);
            let lengths: Vec<usize> = parts.iter().map(length).collect();
            assert!(lengths.iter().all(|length| *length <= LONGEST_MANAGED) && parts.len() <= 3, "{lengths:?}");
            let statements = parts.iter().flat_map(|part| part["Statement"].as_array().into_iter().flatten());
            assert_eq!(Some(&statements.cloned().collect::<Vec<_>>()), policy["Statement"].as_array());
        }
    }

    #[test]
    fn patterns_match_as_in_iam() {
        assert!(matches("arn:a/*", "arn:a/b/c") && matches("arn:*/x/*", "arn:a/x/") && matches("arn:a", "arn:a"));
        assert!(!matches("arn:a/*", "arn:b/c") && !matches("arn:a/*/x", "arn:a/b") && !matches("arn:a", "arn:ab"));
    }

    #[test]
    fn policy_statements_do_not_repeat_each_other() {
        let policy = document(&[
            permission(&["s3:GetObject", "s3:PutObject"], &["arn:a", "arn:b"]),
            permission(&["s3:GetObject"], &["arn:b"]),
            permission(&["s3:ListAllMyBuckets", "s3:PutObject"], &["*"]),
            permission(&["s3:ListAllMyBuckets"], &["arn:c"]),
            permission(&["s3:GetObject"], &["arn:c/*", "arn:c/d", "arn:c/e/*"]),
        ]);
        let statement = |actions: &[&str], resources: &[&str]| json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
        assert_eq!(
            policy.get("Statement").cloned().unwrap_or_default(),
            json!([
                statement(&["s3:GetObject"], &["arn:a", "arn:b", "arn:c/*"]),
                statement(&["s3:ListAllMyBuckets", "s3:PutObject"], &["*"]),
            ])
        );
    }
}
