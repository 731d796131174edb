//! The rights of before, when a role changes: with the way in or the relay, whatever has the role goes on by the former one for
//! minutes, and until a later run if the change fails. They stay beside the new ones until nobody uses them any more.
//!
//! Only rights that a program of the stack may have stay: whatever else somebody has put into the policy goes at once.

use serde_json::{Value, json};

use super::documents::{document, identities};
use crate::kinds::bucket_files::PROGRAMS;
use crate::kinds::dynamodb_table::table_arn;
use crate::kinds::s3_bucket;
use crate::stack::Stack;

/// The beginning of the ids of the statements that stay.
const FORMER: &str = "Former";
/// The actions of the programs.
const ACTIONS: &[&str] = &[
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "s3:GetObject",
    "ses:SendRawEmail",
    "ssm:GetParameters",
    "ssm:PutParameter",
];
/// The members of a statement of the stack.
const MEMBERS: &[&str] = &["Sid", "Effect", "Action", "Resource", "Condition"];
/// The characters that IAM takes for all inline policies of a role ("IAM and AWS STS quotas").
const LONGEST: usize = 10_240;

/// Returns the wanted policy with the rights of the live one; `None` if that has no others, or if both do not fit into one.
pub(super) fn beside(stack: &Stack, wanted: &Value, live: &Value) -> Option<Value> {
    let wanted = statements(wanted);
    let stays = |one: &&Value| is_of_a_program(stack, one) && !wanted.iter().any(|other| includes(other, one));
    let former = statements(live).iter().filter(stays);
    let former = former.zip(1..).map(|(statement, number)| numbered(statement, number)).collect::<Vec<_>>();
    if former.is_empty() {
        return None;
    }
    Some(document([wanted, &former].concat())).filter(|both| both.to_string().len() <= LONGEST)
}

fn statements(document: &Value) -> &[Value] {
    document.get("Statement").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The ids of the statements of a policy differ.
fn numbered(statement: &Value, number: usize) -> Value {
    let mut statement = statement.clone();
    if let Some(members) = statement.as_object_mut() {
        members.insert("Sid".to_owned(), json!(format!("{FORMER}{number}")));
    }
    statement
}

/// Returns whether the stack may have given these rights, which are all about what is its own.
fn is_of_a_program(stack: &Stack, statement: &Value) -> bool {
    let mut members = statement.as_object().into_iter().flatten();
    let mails = identities(stack);
    let own = [
        stack.arn("ssm", &format!("parameter{}/", stack.parameter_prefix())),
        table_arn(stack, ""),
        format!("{}/{PROGRAMS}", s3_bucket::bucket_arn(stack)),
    ];
    let is_own = |resource: &String| {
        let is_below = !resource.contains(['*', '?']) && own.iter().any(|own| resource.starts_with(own));
        is_below || mails.contains(resource)
    };
    members.all(|(member, _)| MEMBERS.contains(&member.as_str()))
        && statement.get("Effect").and_then(Value::as_str) == Some("Allow")
        && texts(statement, "Action").iter().all(|action| ACTIONS.contains(&action.as_str()))
        && texts(statement, "Resource").iter().all(is_own)
}

/// Returns whether a statement gives all rights of another one.
fn includes(statement: &Value, other: &Value) -> bool {
    let has_all = |member| {
        let all = texts(statement, member);
        texts(other, member).iter().all(|one| all.contains(one))
    };
    let same = |member| statement.get(member) == other.get(member);
    same("Effect") && same("Condition") && has_all("Action") && has_all("Resource")
}

/// Returns the texts of a member, which may be a single one.
fn texts(statement: &Value, member: &str) -> Vec<String> {
    match statement.get(member) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => texts.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]
    use super::*;
    use crate::kinds::iam_role::documents::{of_function, of_host};
    use peersync_config::{Config, Ingress};

    async fn stack(ingress: Ingress, domain: Option<&str>) -> std::sync::Arc<Stack> {
        let mut config = Config { stage: "test".to_owned(), ..Config::default() };
        (config.signaling.ingress, config.signaling.domain) = (ingress, domain.map(str::to_owned));
        Stack::for_tests(config).await
    }

    fn rights(document: &Value) -> Vec<String> {
        let pairs = |one: &Value| {
            let resources = texts(one, "Resource");
            let of =
                move |action: String| resources.clone().into_iter().map(move |resource| format!("{action} {resource}"));
            texts(one, "Action").into_iter().flat_map(of).collect::<Vec<_>>()
        };
        statements(document).iter().flat_map(pairs).collect()
    }

    #[tokio::test]
    async fn rights_of_before_stay_beside_the_new_ones_whatever_the_ways_are() {
        const DOMAIN: Option<&str> = Some("signal.example.org");
        let ways = [
            (Ingress::Cloudfront, None),
            (Ingress::Cloudfront, DOMAIN),
            (Ingress::Direct, DOMAIN),
            (Ingress::Cloudflare, DOMAIN),
            (Ingress::Cloudflare, None),
        ];
        for (former, new) in ways.into_iter().flat_map(|former| ways.map(|new| (former, new))) {
            let (former, new) = (stack(former.0, former.1).await, stack(new.0, new.1).await);
            for of in [of_host, |stack: &Stack| of_function(stack, "rooms")] {
                let (live, wanted) = (of(&former), of(&new));
                let both = beside(&new, &wanted, &live).unwrap_or_else(|| wanted.clone());
                let granted = rights(&both);
                for right in rights(&live).into_iter().chain(rights(&wanted)) {
                    assert!(granted.contains(&right), "{right}");
                }
                // After an interrupted run.
                assert_eq!(beside(&new, &wanted, &both).unwrap_or_else(|| wanted.clone()), both);
                let ids: Vec<&Value> = statements(&both).iter().map(|one| &one["Sid"]).collect();
                assert!(ids.iter().enumerate().all(|(number, id)| !ids[..number].contains(id)), "{ids:?}");
            }
        }
    }

    #[tokio::test]
    async fn rights_of_somebody_else_do_not_stay() {
        let stack = stack(Ingress::Cloudfront, None).await;
        let wanted = of_host(&stack);
        let parameter = stack.arn("ssm", &format!("parameter{}/other", stack.parameter_prefix()));
        let with = |action: &str, resource: &str| {
            let statement = json!({ "Sid": "X", "Effect": "Allow", "Action": action, "Resource": resource });
            beside(&stack, &wanted, &document(vec![statement]))
        };
        assert!(with("ssm:GetParameters", &parameter).is_some());
        assert!(with("ssm:DeleteParameter", &parameter).is_none());
        assert!(with("ssm:*", &parameter).is_none());
        assert!(with("ssm:GetParameters", "*").is_none());
        assert!(with("ssm:GetParameters", &format!("{parameter}*")).is_none());
        assert!(beside(&stack, &wanted, &Value::from("no document")).is_none());
        assert!(beside(&stack, &wanted, &wanted).is_none());
    }
}
