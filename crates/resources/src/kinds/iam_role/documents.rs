//! Builds the policy documents of the roles.

use peersync_server::access::TableAccess;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};

use super::access::function_permissions;
use crate::kinds::dynamodb_table::{INDEX, table_arn};
use crate::kinds::{s3_bucket, s3_program};
use crate::stack::Stack;

/// The version of the policy language.
const VERSION: &str = "2012-10-17";

/// The action that SES checks if a call contains the whole message, both for `SendEmail` and `SendRawEmail`.
const RAW_MAIL: &str = "ses:SendRawEmail";

/// Returns a trust policy that lets one service assume the role.
pub(super) fn trust(service: &str) -> Value {
    json!({
        "Version": VERSION,
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    })
}

/// Returns the policy of a function.
pub(super) fn of_function(stack: &Stack, function: &str) -> Value {
    let mut statements = of_program(stack, function);
    statements.push(logs(stack, &stack.function_log_group(function)));
    if function_permissions(&stack.config, function).ses {
        statements.push(allow("Mail", &[RAW_MAIL], vec![stack.arn("ses", "identity/*")]));
    }
    document(statements)
}

/// Returns the policy of the signaling host: the access of the program, downloading the program, writing its log, and
/// Session Manager.
pub(super) fn of_host(stack: &Stack) -> Value {
    let mut statements = of_program(stack, "signal");
    statements.push(logs(stack, &stack.log_group("signal")));
    let program = format!("{}/{}", s3_bucket::bucket_arn(stack), s3_program::SIGNAL_KEY);
    statements.push(allow("Program", &["s3:GetObject"], vec![program]));
    // AWS supports nothing narrower for these. AmazonSSMManagedInstanceCore would let the host read every parameter.
    let session = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ];
    statements.push(allow("SessionManager", &session, vec!["*".to_owned()]));
    document(statements)
}

/// Returns the policy of the gateway: writing logs. API Gateway rejects a role with fewer actions than these, which are
/// those of the managed policy AmazonAPIGatewayPushToCloudWatchLogs.
pub(super) fn of_gateway() -> Value {
    let actions = [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "logs:PutLogEvents",
    ];
    document(vec![allow("Logs", &actions, vec!["*".to_owned()])])
}

/// Returns the statements for the tables and parameters of a program.
fn of_program(stack: &Stack, function: &str) -> Vec<Value> {
    let access = function_permissions(&stack.config, function);
    let mut statements: Vec<Value> = access.tables.iter().map(|table| dynamodb(stack, table)).collect();
    let prefix = stack.parameter_prefix();
    let parameters = access.parameters.iter().map(|name| stack.arn("ssm", &format!("parameter{prefix}/{name}")));
    statements.push(allow("Secrets", &["ssm:GetParameters"], parameters.collect()));
    statements
}

fn dynamodb(stack: &Stack, access: &TableAccess) -> Value {
    let actions: Vec<String> = access.actions.iter().map(|action| format!("dynamodb:{action}")).collect();
    let arn = table_arn(stack, access.table);
    if access.index {
        allow(&format!("{}Index", access.table), &actions, vec![format!("{arn}/index/{INDEX}")])
    } else {
        allow(access.table, &actions, vec![arn])
    }
}

/// Returns the statement for writing to an existing log group. It may not be created, because a late write would then
/// re-create it without retention.
fn logs(stack: &Stack, group: &str) -> Value {
    let streams = stack.arn("logs", &format!("log-group:{group}:*"));
    allow("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"], vec![streams])
}

fn allow(sid: &str, actions: &[impl Serialize], resources: Vec<String>) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources })
}

fn document(statements: Vec<Value>) -> Value {
    json!({ "Version": VERSION, "Statement": statements })
}

/// Parses a document in the percent-encoded form that IAM returns. If it is not JSON, it remains text, which differs
/// from every desired document.
pub(super) fn parse(document: &str) -> Value {
    let decoded = percent_decode_str(document).decode_utf8_lossy();
    serde_json::from_str(&decoded).unwrap_or_else(|_| Value::from(decoded.as_ref()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]
    use serde_json::{Value, json};

    use super::{of_function, parse, trust};
    use crate::stack::Stack;
    use peersync_config::{Config, MailProvider};

    #[tokio::test]
    async fn function_policy_allows_index_queries_and_raw_mail_only() {
        let mut config = Config::default();
        config.mail.provider = MailProvider::Ses;
        let stack = Stack::for_tests(config).await;
        let policy = of_function(&stack, "friends");
        let statements = policy["Statement"].as_array().unwrap();
        let named = |sid: &str| statements.iter().find(|statement| statement["Sid"] == sid).unwrap();
        let users = format!("arn:aws:dynamodb:eu-central-1:123456789012:table/{}", stack.named("Users"));
        assert_eq!(named("Users")["Resource"], json!([users]));
        assert!(!named("Users")["Action"].as_array().unwrap().contains(&Value::from("dynamodb:Query")));
        assert_eq!(named("UsersIndex")["Resource"], json!([format!("{users}/index/byName")]));
        assert_eq!(named("UsersIndex")["Action"], json!(["dynamodb:Query"]));
        assert!(named("UserConnections")["Action"].as_array().unwrap().contains(&Value::from("dynamodb:Query")));
        assert_eq!(named("Mail")["Action"], json!(["ses:SendRawEmail"]));
    }

    #[test]
    fn policy_document_round_trips_through_percent_encoding() {
        let document = trust("lambda.amazonaws.com");
        let text = document.to_string();
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        assert_eq!(parse(&encoded.to_string()), document);
        assert_eq!(parse(&document.to_string()), document);
    }
}
