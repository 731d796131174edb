//! The policy documents of the roles.

use peersync_server::access::TableAccess;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};

use super::access::function_permissions;
use crate::kinds::dynamodb_table::{INDEX, table_arn};
use crate::kinds::{s3_bucket, s3_program};
use crate::stack::Stack;
use peersync_config::Ingress;

/// Version of the policy language.
const VERSION: &str = "2012-10-17";

/// What SES asks for where a call gives the whole message, be the call `SendEmail` or `SendRawEmail`.
const RAW_MAIL: &str = "ses:SendRawEmail";

/// A policy that lets one service take the role.
pub(super) fn trust(service: &str) -> Value {
    json!({
        "Version": VERSION,
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    })
}

/// What a function may do.
pub(super) fn of_function(stack: &Stack, function: &str) -> Value {
    let mut statements = of_program(stack, function);
    statements.push(logs(stack, &stack.function_log_group(function)));
    if function_permissions(&stack.config, function).ses {
        statements.push(allow("Mail", &[RAW_MAIL], vec![stack.arn("ses", "identity/*")]));
    }
    document(statements)
}

/// What the signaling host may do: as the program, fetch the program, write its log, and be reached by Session Manager.
pub(super) fn of_host(stack: &Stack) -> Value {
    let mut statements = of_program(stack, "signal");
    statements.push(logs(stack, &stack.log_group("signal")));
    let program = format!("{}/{}", s3_bucket::bucket_arn(stack), s3_program::SIGNAL_KEY);
    statements.push(allow("Program", &["s3:GetObject"], vec![program]));
    if stack.config.signaling.ingress == Ingress::Cloudflare {
        let token = stack.arn("ssm", &format!("parameter{}/tunnel-token", stack.parameter_prefix()));
        statements.push(allow("Tunnel", &["ssm:GetParameter", "ssm:GetParameters"], vec![token]));
    }
    // These have no narrower form. AmazonSSMManagedInstanceCore would let the host read every parameter.
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

/// What the gateway may do: write logs. API Gateway refuses a role that may do less than the managed policy
/// AmazonAPIGatewayPushToCloudWatchLogs, whose actions these are.
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

/// The tables and parameters of a program.
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

/// Writing to a log group that is there: a late write must not make a new one without retention.
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

/// A document as IAM returns it, percent-encoded. What is no JSON stays a text, and differs.
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
    async fn an_index_is_queried_and_its_table_is_not_and_mail_is_sent_whole() {
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
    fn a_document_is_read_back_as_it_was_written() {
        let document = trust("lambda.amazonaws.com");
        let text = document.to_string();
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        assert_eq!(parse(&encoded.to_string()), document);
        assert_eq!(parse(&document.to_string()), document);
    }
}
