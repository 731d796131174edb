//! The policy document, whole and in parts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ANY;
use peersync_resources::permission::{Condition, Permission};
use peersync_resources::stack::Stack;

/// AWS's limit for a managed policy, in characters without white space.
pub(super) const LONGEST_MANAGED: usize = 6_144;

/// Returns the policy document, with one statement for each set of resources under each condition, and without
/// repetition.
pub(super) fn document(stack: &Stack, permissions: &[Permission]) -> Value {
    let of_actions = grouped(stack, permissions);
    let statements: Vec<Value> = of_actions
        .into_iter()
        .map(|((actions, condition), resources)| {
            let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
            if let (Some(condition), Some(fields)) = (condition.to_json(stack), statement.as_object_mut()) {
                fields.insert("Condition".to_owned(), condition);
            }
            statement
        })
        .collect();
    of_statements(&statements)
}

/// The resources to which the same actions apply under the same condition.
type Grouped<'a> = BTreeMap<(BTreeSet<&'a str>, Condition), Vec<&'a str>>;

fn grouped<'a>(stack: &Stack, permissions: &'a [Permission]) -> Grouped<'a> {
    let mut of_resource: BTreeMap<(&str, Condition), BTreeSet<&str>> = BTreeMap::new();
    for permission in permissions {
        for resource in &permission.resources {
            of_resource
                .entry((resource, permission.condition.simplified(stack)))
                .or_default()
                .extend(&permission.actions);
        }
    }
    // An action that a wider pattern allows need not be repeated for the resources that the pattern covers.
    let of_beginnings: Vec<(&str, Condition, BTreeSet<&str>)> = of_resource
        .iter()
        .filter_map(|((pattern, condition), actions)| Some((pattern.strip_suffix(ANY)?, *condition, actions.clone())))
        .collect();
    let mut of_actions: Grouped<'_> = BTreeMap::new();
    for ((resource, condition), mut actions) in of_resource {
        let covers = |beginning: &str| resource.strip_prefix(beginning).is_some_and(|rest| rest != ANY);
        for (beginning, wider, allowed) in &of_beginnings {
            if covers(beginning) && [condition, Condition::Always].contains(wider) {
                actions.retain(|action| !allowed.contains(action));
            }
        }
        if !actions.is_empty() {
            of_actions.entry((actions, condition)).or_default().push(resource);
        }
    }
    of_actions
}

fn of_statements(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Returns the policy as policies that each fit into a managed policy.
pub(super) fn parts(policy: &Value) -> Vec<Value> {
    let statements = policy.get("Statement").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    for statement in statements {
        if let Some(last) = parts.last_mut() {
            last.push(statement.clone());
            if length(&of_statements(last)) <= LONGEST_MANAGED || last.len() == 1 {
                continue;
            }
            last.pop();
        }
        parts.push(vec![statement.clone()]);
    }
    parts.iter().map(|statements| of_statements(statements)).collect()
}

/// Returns the length of a policy as AWS counts it.
pub(super) fn length(policy: &Value) -> usize {
    policy.to_string().chars().filter(|c| !c.is_whitespace()).count()
}
