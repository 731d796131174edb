//! Builds the policy documents of the roles.

use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE, QUICK_TUNNEL, TableAccess};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};

use super::access::function_permissions;
use crate::kinds::dynamodb_table::{INDEX, table_arn};
use crate::kinds::ec2::{self, REPORT_TAG};
use crate::kinds::{s3_bucket, s3_program};
use crate::stack::{STACK_TAG, Stack};

/// The version of the policy language.
const VERSION: &str = "2012-10-17";

/// The action that SES checks if a call contains the whole message, both for `SendEmail` and `SendRawEmail`.
const RAW_MAIL: &str = "ses:SendRawEmail";

/// Returns a trust policy that lets one service assume the role.
pub(in crate::kinds) fn trust(service: &str) -> Value {
    json!({
        "Version": VERSION,
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    })
}

/// Returns the policy of a function.
pub(super) fn of_function(stack: &Stack, function: &str) -> Value {
    let mut statements = of_programs(stack, &[function]);
    statements.push(logs(stack, &stack.function_log_group(function)));
    if function_permissions(&stack.config, function).ses {
        statements.push(allow("Mail", &[RAW_MAIL], identities(stack)));
    }
    document(statements)
}

/// Returns what SES checks for a mail: the identity of its sender, and the configuration set that somebody may have made
/// the default of that identity.
pub(super) fn identities(stack: &Stack) -> Vec<String> {
    ["identity/*", "configuration-set/*"].map(|name| stack.arn("ses", name)).into()
}

/// Returns the policy of the signaling host: the access of its programs, downloading them, writing their logs, and Session
/// Manager.
pub(super) fn of_host(stack: &Stack) -> Value {
    let names: Vec<&str> =
        [s3_program::SIGNAL].into_iter().chain(stack.runs_relay().then_some(s3_program::RELAY)).collect();
    let architecture = stack.config.signaling.architecture();
    let keys: Vec<&str> = names.iter().map(|name| s3_program::key(name, architecture)).collect();
    // One that only ends TLS needs neither the secret nor the table.
    let relays = stack.relay().is_some();
    let publishes = stack.config.has_quick_tunnel().then_some(QUICK_TUNNEL);
    let names: Vec<&str> = names.into_iter().filter(|name| *name != "relay" || relays).chain(publishes).collect();
    let mut statements = of_programs(stack, &names);
    statements.push(logs(stack, &stack.log_group("signal")));
    let bucket = s3_bucket::bucket_arn(stack);
    let programs = keys.into_iter().map(|key| format!("{bucket}/{key}")).collect();
    statements.push(allow("Program", &["s3:GetObject"], programs));
    if stack.config.signaling.has_certificate() {
        let kept = [ACME_ACCOUNT, ACME_CERTIFICATE];
        let kept = kept.map(|name| stack.arn("ssm", &format!("parameter{}/{name}", stack.parameter_prefix())));
        statements.push(allow("Certificate", &["ssm:GetParameters", "ssm:PutParameter"], kept.to_vec()));
    }
    statements.push(report(stack));
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
pub(in crate::kinds) fn of_gateway() -> Value {
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

/// Returns the statement for the report of a host that it is ready: one tag of hosts of the same stack.
fn report(stack: &Stack) -> Value {
    let statement = allow("Report", &["ec2:CreateTags"], ec2::arns(stack, &["instance"]));
    let ours = format!("aws:ResourceTag/{STACK_TAG}");
    let condition = json!({
        "StringEquals": { ours: stack.name() },
        "ForAllValues:StringEquals": { "aws:TagKeys": [REPORT_TAG] },
    });
    only_if(statement, condition)
}

/// Returns the statements for the tables and parameters of programs with the same role.
fn of_programs(stack: &Stack, programs: &[&str]) -> Vec<Value> {
    let access: Vec<_> = programs.iter().map(|program| function_permissions(&stack.config, program)).collect();
    let tables = access.iter().flat_map(|access| access.tables);
    let mut statements: Vec<Value> = tables.map(|table| dynamodb(stack, table)).collect();
    let prefix = stack.parameter_prefix();
    let parameters = access.iter().flat_map(|access| &access.parameters);
    let parameters = parameters.map(|name| stack.arn("ssm", &format!("parameter{prefix}/{name}")));
    statements.push(allow("Secrets", &["ssm:GetParameters"], parameters.collect()));
    statements
}

fn dynamodb(stack: &Stack, access: &TableAccess) -> Value {
    let actions: Vec<String> = access.actions.iter().map(|action| format!("dynamodb:{action}")).collect();
    let arn = table_arn(stack, access.table);
    if let Some(keys) = access.keys {
        // A policy's statements have different ids, which consist of letters and digits.
        let prefix: String = keys.chars().filter(char::is_ascii_alphanumeric).collect();
        let statement = allow(&format!("{}Keys{prefix}", access.table), &actions, vec![arn]);
        // "Using IAM policy conditions for fine-grained access control", DynamoDB developer guide.
        let leading = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": [format!("{keys}*")] } });
        return only_if(statement, leading);
    }
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

/// Returns the statement with a condition.
fn only_if(mut statement: Value, condition: Value) -> Value {
    if let Some(statement) = statement.as_object_mut() {
        statement.insert("Condition".to_owned(), condition);
    }
    statement
}

pub(super) fn document(statements: Vec<Value>) -> Value {
    json!({ "Version": VERSION, "Statement": statements })
}

/// Parses a document in the percent-encoded form that IAM returns. If it is not JSON, it remains text, which differs
/// from every desired document.
pub(in crate::kinds) fn parse(document: &str) -> Value {
    let decoded = percent_decode_str(document).decode_utf8_lossy();
    serde_json::from_str(&decoded).unwrap_or_else(|_| Value::from(decoded.as_ref()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]
    use serde_json::{Value, json};

    use super::{of_function, of_host, parse, trust};
    use crate::stack::Stack;
    use peersync_config::{Config, Ingress, MailProvider, TurnProvider};

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
        // SES checks the configuration set too if the account has a default one.
        let of_mail = named("Mail")["Resource"].to_string();
        assert!(of_mail.contains(":identity/*") && of_mail.contains(":configuration-set/*"), "{of_mail}");
    }

    #[tokio::test]
    async fn host_may_count_relayed_traffic_and_learn_what_was_withdrawn_for_the_relay_alone() {
        let mut config = Config::default();
        let with = of_host(&*Stack::for_tests(config.clone()).await);
        config.turn.provider = Some(TurnProvider::None);
        let without = of_host(&*Stack::for_tests(config).await);
        let writing = |policy: &Value| {
            let statements = policy["Statement"].as_array().unwrap().clone();
            let writes = |statement: &Value| statement["Action"].to_string().contains("UpdateItem");
            statements.into_iter().filter(writes).collect::<Vec<_>>()
        };
        assert_eq!(writing(&without), Vec::<Value>::new());
        let counting = writing(&with);
        assert_eq!(counting.len(), 1);
        let leading = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["relay-usage#*"] } });
        assert_eq!((&counting[0]["Sid"], &counting[0]["Condition"]), (&json!("EphemeralKeysrelayusage"), &leading));
        let statements = with["Statement"].as_array().unwrap();
        let reading = statements.iter().find(|statement| statement["Sid"] == "EphemeralKeyswithdrawn").unwrap();
        let leading = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["withdrawn#*"] } });
        assert_eq!((&reading["Action"], &reading["Condition"]), (&json!(["dynamodb:BatchGetItem"]), &leading));
        assert!(!without.to_string().contains("withdrawn"));
        assert!(with.to_string().contains("/programs/relay.gz") && with.to_string().contains("/turn-secret-previous"));
        assert!(!without.to_string().contains("relay") && !without.to_string().contains("turn-secret"));
    }

    #[tokio::test]
    async fn host_with_a_name_of_its_own_may_keep_its_certificate_and_write_no_other_parameter() {
        let mut config = Config::default();
        let writing = |policy: Value| {
            let statements = policy["Statement"].as_array().unwrap().clone();
            let writes = |statement: &Value| statement["Action"].to_string().contains("PutParameter");
            statements.into_iter().filter(writes).map(|statement| statement["Resource"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(writing(of_host(&*Stack::for_tests(config.clone()).await)), Vec::<Value>::new());
        config.signaling.domain = Some("signal.example.org".to_owned());
        let ways = [Ingress::Direct, Ingress::Cloudfront];
        let providers = [TurnProvider::Host, TurnProvider::None];
        for (ingress, provider) in ways.into_iter().flat_map(|way| providers.map(|provider| (way, provider))) {
            config.signaling.ingress = ingress;
            config.turn.provider = Some(provider);
            let stack = Stack::for_tests(config.clone()).await;
            let kept = |name| stack.arn("ssm", &format!("parameter{}/{name}", stack.parameter_prefix()));
            let policy = of_host(&stack);
            assert!(policy.to_string().contains("/programs/relay.gz"), "{provider:?}");
            assert_eq!(policy.to_string().contains("/turn-secret"), provider == TurnProvider::Host);
            assert_eq!(writing(policy), [json!([kept("acme-account"), kept("acme-certificate")])]);
        }
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
