//! The way of the SDK's client to the database: its requests are answered in this process. No port listens, so no web
//! page and no other program of this computer can reach the data.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What precedes the operation's name in the header `x-amz-target`.
const TARGET_PREFIX: &str = "DynamoDB_20120810.";
/// What DynamoDB answers to an operation that it does not have.
const UNKNOWN_OPERATION: &str = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;

/// Answers the SDK's requests from the database.
#[derive(Clone)]
pub struct InProcess(pub Arc<Database>);

impl fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcess")
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").and_then(|target| target.strip_prefix(TARGET_PREFIX));
        let operation = target.unwrap_or_default().to_owned();
        let body = request.body().bytes().map(<[u8]>::to_vec).unwrap_or_default();
        let database = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            // The database waits for its file and its lock.
            let answering = tokio::task::spawn_blocking(move || answer(&database, &operation, &body));
            let (status, text) = answering.await.map_err(|error| ConnectorError::other(error.into(), None))?;
            let status = status.try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(text));
            response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(response)
        })
    }
}

/// Returns status and body of the answer.
fn answer(database: &Database, operation: &str, body: &[u8]) -> (u16, String) {
    match dispatch(database, operation, body) {
        Some(Ok(text)) => (200, text),
        Some(Err(error)) => (error.status_code(), error.to_json()),
        None => (400, UNKNOWN_OPERATION.to_owned()),
    }
}

/// Calls the operation; `None` if the database does not have it.
fn dispatch(database: &Database, operation: &str, body: &[u8]) -> Option<Result<String, DynoxideError>> {
    Some(match operation {
        "CreateTable" => run(body, |request| database.create_table(request)),
        "DeleteTable" => run(body, |request| database.delete_table(request)),
        "DescribeTable" => run(body, |request| database.describe_table(request)),
        "ListTables" => run(body, |request| database.list_tables(request)),
        "UpdateTable" => run(body, |request| database.update_table(request)),
        "PutItem" => run(body, |request| database.put_item(request)),
        "GetItem" => run(body, |request| database.get_item(request)),
        "DeleteItem" => run(body, |request| database.delete_item(request)),
        "UpdateItem" => run(body, |request| database.update_item(request)),
        "Query" => run(body, |request| database.query(request)),
        "Scan" => run(body, |request| database.scan(request)),
        "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => run(body, |request| database.batch_write_item(request)),
        "TransactGetItems" => run(body, |request| database.transact_get_items(request)),
        "TransactWriteItems" => run(body, |request| database.transact_write_items(request)),
        "UpdateTimeToLive" => run(body, |request| database.update_time_to_live(request)),
        "DescribeTimeToLive" => run(body, |request| database.describe_time_to_live(request)),
        "TagResource" => run(body, |request| database.tag_resource(request)),
        "UntagResource" => run(body, |request| database.untag_resource(request)),
        "ListTagsOfResource" => run(body, |request| database.list_tags_of_resource(request)),
        _ => return None,
    })
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    call: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request =
        serde_json::from_slice(body).map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    serde_json::to_string(&call(request)?).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    fn ask(database: &Database, operation: &str, body: &str) -> (u16, String) {
        answer(database, operation, body.as_bytes())
    }

    #[test]
    fn operations_answer_as_dynamodb() {
        let database = Database::memory().unwrap();
        let table = r#"{"TableName":"Things","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],
            "AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#;
        assert_eq!(ask(&database, "CreateTable", table).0, 200);
        let put = r#"{"TableName":"Things","Item":{"k":{"S":"a"}},"ConditionExpression":"attribute_not_exists(k)"}"#;
        assert_eq!(ask(&database, "PutItem", put).0, 200);
        let (status, text) = ask(&database, "PutItem", put);
        assert!(status == 400 && text.contains("ConditionalCheckFailedException"), "{status} {text}");
        let (status, text) = ask(&database, "GetItem", r#"{"TableName":"Things","Key":{"k":{"S":"a"}}}"#);
        assert!(status == 200 && text.contains(r#""Item":{"k":{"S":"a"}}"#), "{status} {text}");
    }

    #[test]
    fn unknown_operations_and_broken_requests_are_errors() {
        let database = Database::memory().unwrap();
        assert_eq!(ask(&database, "DescribeContinuousBackups", "{}"), (400, UNKNOWN_OPERATION.to_owned()));
        let (status, text) = ask(&database, "GetItem", "no JSON");
        assert!(status == 400 && text.contains("ValidationException"), "{status} {text}");
    }
}
