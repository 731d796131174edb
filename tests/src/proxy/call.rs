//! Requests and answers of AWS's APIs, as far as a proxy must understand them.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::operation;
use super::protocol::{ErrorForm, Protocol};

/// A request to an AWS API.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service by its signing name: `s3`, `cloudfront`, `monitoring`.
    pub service: String,
    /// The operation, `CreateBucket`.
    pub operation: String,
    /// The HTTP method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Call {
    /// Parses a request.
    pub fn new(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Self {
        let service = operation::service(&headers).to_owned();
        let operation = operation::name(Protocol::of(&service).operation, &method, &uri, &headers, &body);
        Self { service, operation, method, uri, headers, body }
    }

    /// The region for which it is signed.
    pub fn region(&self) -> &str {
        operation::region(&self.headers)
    }

    /// Whether it is this operation of this service.
    pub fn is(&self, service: &str, operation: &str) -> bool {
        self.service == service && self.operation == operation
    }

    /// Whether it changes anything.
    pub fn mutating(&self) -> bool {
        operation::mutating(&self.service, &self.operation)
    }

    /// Whether it is about the lease on a stack.
    pub fn is_of_lease(&self) -> bool {
        self.service == "ssm" && self.text().contains("/peersync-lease/")
    }

    /// A field of the form body that the query protocols send, `SecurityGroupId.1`.
    pub fn parameter(&self, name: &str) -> Option<String> {
        operation::form(&self.body).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// All fields of the form body.
    pub fn parameters(&self) -> Vec<(String, String)> {
        operation::form(&self.body).collect()
    }

    /// A field of the JSON body.
    pub fn json(&self, name: &str) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok()?.get(name).cloned()
    }

    /// A text of the JSON body.
    pub fn json_text(&self, name: &str) -> Option<String> {
        self.json(name)?.as_str().map(str::to_owned)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Replaces the body of the request.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        let of_the_old = |name: &str| name.starts_with("x-amz-checksum-") || name == "content-md5";
        let stale: Vec<_> = self.headers.keys().filter(|name| of_the_old(name.as_str())).cloned().collect();
        stale.into_iter().for_each(|name| drop(self.headers.remove(name)));
    }

    /// Returns the request as JSON, without the content of objects, which is no parameter.
    pub fn recorded(&self) -> Value {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = self.headers.iter().map(|(name, value)| (name.to_string(), Value::from(text(value))));
        let body = if self.is("s3", "PutObject") { &[] } else { self.body.as_ref() };
        json!({
            "method": self.method.as_str(),
            "uri": self.uri.to_string(),
            "headers": headers.collect::<serde_json::Map<_, _>>(),
            "body": STANDARD.encode(body),
        })
    }

    /// A part of the path, counted from 0.
    pub fn segment(&self, number: usize) -> Option<String> {
        let segment = self.uri.path().trim_start_matches('/').split('/').nth(number)?;
        Some(operation::decoded(segment))
    }

    /// Returns the bucket of an S3 request.
    pub fn bucket(&self) -> Option<String> {
        self.segment(0).filter(|name| self.service == "s3" && !name.is_empty())
    }
}

/// An answer of an AWS API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// Whether the call succeeded.
    pub fn ok(&self) -> bool {
        self.status.is_success()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Replaces the body of the answer.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        self.headers.remove("content-length");
        // The checksum of the old body would not fit.
        self.headers.remove("x-amz-crc32");
    }

    /// Returns an empty success of the JSON services.
    pub fn empty(call: &Call) -> Self {
        let mut answer = Self::error(call, 200, "none", "");
        answer.headers.remove("x-amzn-errortype");
        answer.set_body("{}");
        answer
    }

    /// Returns an error in the form of the call's service.
    pub fn error(call: &Call, status: u16, code: &str, message: &str) -> Self {
        let (kind, body) = match Protocol::of(&call.service).errors {
            ErrorForm::S3 => {
                ("application/xml", format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
            }
            ErrorForm::Ec2 => (
                "text/xml",
                format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                     <RequestID>proxy</RequestID></Response>"
                ),
            ),
            ErrorForm::Query => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                     <RequestId>proxy</RequestId></ErrorResponse>"
                ),
            ),
            ErrorForm::Json10 => {
                ("application/x-amz-json-1.0", json!({ "__type": code, "message": message }).to_string())
            }
            ErrorForm::RestJson => ("application/json", json!({ "message": message, "Message": message }).to_string()),
            ErrorForm::Json11 => {
                ("application/x-amz-json-1.1", json!({ "__type": code, "message": message }).to_string())
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        if let Ok(code) = HeaderValue::from_str(code) {
            headers.insert("x-amzn-errortype", code);
        }
        let body = if call.method == Method::HEAD { Bytes::new() } else { Bytes::from(body) };
        Self { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), headers, body }
    }
}

/// Returns the text between the first occurrences of two marks.
pub fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(inner, _)| inner)
}

/// Returns the content of every element of this name.
pub fn elements<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    text.split(open.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once(close.as_str()))
        .map(|(inner, _)| inner)
        .collect()
}
