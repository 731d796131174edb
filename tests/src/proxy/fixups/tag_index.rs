//! GetResources, of which the emulators know neither alarms nor log groups: the services themselves are asked.

use axum::http::HeaderValue;
use serde_json::{Value, json};

use crate::proxy::Shared;
use crate::proxy::call::{Answer, Call, between, elements};

/// Whether the emulators need help with this call.
pub(in crate::proxy) fn is_one(call: &Call) -> bool {
    call.is("tagging", "GetResources")
}

/// Answers with the alarms and the log groups that have the tag for which is asked.
pub(in crate::proxy) async fn get(proxy: &Shared, call: &Call) -> Answer {
    let groups = ask_logs(proxy, call, "DescribeLogGroups", json!({})).await;
    let arns = groups.get("logGroups").and_then(Value::as_array).into_iter().flatten();
    let arns: Vec<String> = arns.filter_map(|group| text(group, "arn")).collect();
    let mut found = Vec::new();
    for arn in arns.iter().map(|arn| arn.trim_end_matches(":*")) {
        let answer = ask_logs(proxy, call, "ListTagsForResource", json!({ "resourceArn": arn })).await;
        let tags = answer.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
        found.push((
            arn.to_owned(),
            tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect(),
        ));
    }
    let alarms = ask_cloudwatch(proxy, call, "DescribeAlarms").await;
    for arn in elements(&alarms, "AlarmArn") {
        let answer = ask_cloudwatch(proxy, call, &format!("ListTagsForResource&ResourceARN={arn}")).await;
        found.push((arn.to_owned(), elements(&answer, "member").into_iter().filter_map(tag).collect()));
    }
    let wanted = |tags: &Vec<Value>| tags.iter().any(|tag| is_wanted(call, tag));
    let found = found.into_iter().filter(|(_, tags)| wanted(tags));
    let list: Vec<Value> = found.map(|(arn, tags)| json!({ "ResourceARN": arn, "Tags": tags })).collect();
    let mut answer = Answer::empty(call);
    answer.set_body(json!({ "PaginationToken": "", "ResourceTagMappingList": list }).to_string());
    answer
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

/// Whether the first filter of the call selects this tag.
fn is_wanted(call: &Call, tag: &Value) -> bool {
    let filters = call.json("TagFilters").unwrap_or_default();
    let values = filters.pointer("/0/Values").and_then(Value::as_array).cloned().unwrap_or_default();
    filters.pointer("/0/Key") == tag.get("Key") && tag.get("Value").is_some_and(|value| values.contains(value))
}

fn tag(member: &str) -> Option<Value> {
    let part = |name: &str| between(member, &format!("<{name}>"), &format!("</{name}>")).map(unescaped);
    Some(json!({ "Key": part("Key")?, "Value": part("Value").unwrap_or_default() }))
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (escaped, plain) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#39;", "'"), ("&amp;", "&")]
    {
        text = text.replace(escaped, plain);
    }
    text
}

async fn ask_logs(proxy: &Shared, call: &Call, operation: &str, body: Value) -> Value {
    let target = format!("Logs_20140328.{operation}");
    let answer = ask(proxy, call, "logs", Some(&target), "application/x-amz-json-1.1", &body.to_string()).await;
    answer.json().unwrap_or_default()
}

async fn ask_cloudwatch(proxy: &Shared, call: &Call, action: &str) -> String {
    let body = format!("Action={action}&Version=2010-08-01");
    ask(proxy, call, "monitoring", None, "application/x-www-form-urlencoded", &body).await.text()
}

/// Sends a request to another service, for the account and region of the call.
async fn ask(
    proxy: &Shared,
    call: &Call,
    service: &str,
    target: Option<&str>,
    kind: &'static str,
    body: &str,
) -> Answer {
    let mut headers = call.headers.clone();
    headers.remove("x-amz-target");
    let scope = call.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = HeaderValue::from_str(&scope.replace("/tagging/", &format!("/{service}/")));
    let target = target.map(HeaderValue::from_str);
    scope.into_iter().for_each(|scope| drop(headers.insert("authorization", scope)));
    target.into_iter().flatten().for_each(|target| drop(headers.insert("x-amz-target", target)));
    headers.insert("content-type", HeaderValue::from_static(kind));
    let mut single = Call::new(call.method.clone(), call.uri.clone(), headers, call.body.clone());
    single.set_body(body.to_owned());
    proxy.forward(&single).await
}
