//! `policy`: what the deployer's role must be allowed for this stack, and nothing beyond it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CommandError, Context, Exit, output};
use crate::cli::PolicyArgs;
use crate::resources::{KINDS, Permission};
use crate::stack::Stack;

/// Stands for an account or region that is not known.
const ANY: &str = "*";
/// When asking for the account is given up; the policy is most useful before there are credentials.
const IDENTITY_DEADLINE: Duration = Duration::from_secs(5);
/// The longest managed policy, white space not counted.
const LONGEST_MANAGED: usize = 6_144;
/// The longest inline policy of a role, white space not counted.
const LONGEST_INLINE: usize = 10_240;

/// Prints the policy.
///
/// # Errors
/// Problems of the configuration.
pub async fn run(context: &Context, args: &PolicyArgs) -> Result<Exit, CommandError> {
    let stack = stack(context, args).await?;
    let policy = document(&permissions(&stack));
    output::data(&serde_json::to_string_pretty(&policy).unwrap_or_default());
    notes(&stack, &policy).iter().for_each(|note| output::note(note));
    Ok(Exit::Done)
}

/// The stack in its account where we can find out which, or in any account.
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

fn notes(stack: &Stack, policy: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    if stack.identity.account == ANY {
        notes.push(
            "note: the account is not known, and the policy holds for any; add `--account 123456789012`".to_owned(),
        );
    }
    if stack.clients.region == ANY {
        notes.push(
            "note: the region is not known, and the policy holds for any; add `--region eu-central-1`".to_owned(),
        );
    }
    let length = length(policy);
    if length > LONGEST_INLINE {
        notes
            .push(format!("note: {length} characters are too many for one policy of IAM: attach each half on its own"));
    } else if length > LONGEST_MANAGED {
        notes.push(format!(
            "note: {length} characters are too many for a managed policy ({LONGEST_MANAGED}): make it an inline policy \
             of the deployer's role"
        ));
    }
    notes
}

fn length(policy: &Value) -> usize {
    policy.to_string().chars().filter(|c| !c.is_whitespace()).count()
}

/// What all kinds need, and the commands beyond them. `teardown` is left out: it looks at every stack of the account,
/// and needs for each what this policy gives for one.
fn permissions(stack: &Stack) -> Vec<Permission> {
    KINDS.iter().flat_map(|kind| (kind.permissions)(stack)).chain(of_commands(stack)).collect()
}

/// What no resource needs: who we are, `logs`, and the backup that `down` makes.
fn of_commands(stack: &Stack) -> [Permission; 4] {
    let tables = |end: &str| {
        ["Users", "UserConnections", "Ephemeral"]
            .map(|table| stack.arn("dynamodb", &format!("table/{}{end}", stack.named(table))))
            .to_vec()
    };
    let groups = ["/aws/lambda/{}-*", "/peersync/{}/*"]
        .map(|form| stack.arn("logs", &format!("log-group:{}", form.replace("{}", &stack.name()))));
    [
        Permission { actions: vec!["sts:GetCallerIdentity"], resources: vec![ANY.to_owned()] },
        Permission { actions: vec!["logs:FilterLogEvents"], resources: groups.to_vec() },
        Permission { actions: vec!["dynamodb:CreateBackup", "dynamodb:Scan"], resources: tables("") },
        Permission { actions: vec!["dynamodb:DescribeBackup"], resources: tables("/backup/*") },
    ]
}

/// The policy document: one statement for each set of resources, without repetition.
fn document(permissions: &[Permission]) -> Value {
    let mut of_resource: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for permission in permissions {
        for resource in &permission.resources {
            of_resource.entry(resource).or_default().extend(&permission.actions);
        }
    }
    // What is allowed on everything need not be allowed on something.
    let everywhere = of_resource.get(ANY).cloned().unwrap_or_default();
    let mut of_actions: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (resource, actions) in of_resource {
        let actions = if resource == ANY { actions } else { actions.difference(&everywhere).copied().collect() };
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

    fn permission(actions: &[&'static str], resources: &[&str]) -> Permission {
        Permission {
            actions: actions.to_vec(),
            resources: resources.iter().map(|resource| (*resource).to_owned()).collect(),
        }
    }

    #[test]
    fn statements_do_not_repeat_each_other() {
        let policy = document(&[
            permission(&["s3:GetObject", "s3:PutObject"], &["arn:a", "arn:b"]),
            permission(&["s3:GetObject"], &["arn:b"]),
            permission(&["s3:ListAllMyBuckets", "s3:PutObject"], &["*"]),
            permission(&["s3:ListAllMyBuckets"], &["arn:c"]),
        ]);
        let statement = |actions: &[&str], resources: &[&str]| json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
        assert_eq!(
            policy.get("Statement").cloned().unwrap_or_default(),
            json!([
                statement(&["s3:GetObject"], &["arn:a", "arn:b"]),
                statement(&["s3:ListAllMyBuckets", "s3:PutObject"], &["*"]),
            ])
        );
    }
}
