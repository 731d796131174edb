//! Recognizes the service and operation of a request from the signature's scope, the target header, the form's action,
//! or method and path.

use axum::http::{HeaderMap, Method, Uri};

/// Prefixes of the names of operations that only read.
const READS: [&str; 10] =
    ["Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "Filter", "Lookup", "AssumeRole"];

/// Returns the service by its signing name; empty if the request is not signed.
pub fn service(headers: &HeaderMap) -> &str {
    scope(headers, 3)
}

/// Returns the region of a signed request.
pub fn region(headers: &HeaderMap) -> &str {
    scope(headers, 2)
}

/// Returns a part of the scope of a request's signature: key, date, region, service.
fn scope(headers: &HeaderMap, number: usize) -> &str {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = authorization.split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    scope.split('/').nth(number).unwrap_or_default()
}

/// Whether an operation changes anything.
pub fn mutating(service: &str, operation: &str) -> bool {
    !service.is_empty() && !READS.iter().any(|read| operation.starts_with(read))
}

/// A function that recognizes an operation by method and path.
pub type ByPath = fn(&Method, &Uri) -> String;

/// Returns the operation's name. `by_path` is for services whose requests do not name it.
pub fn name(by_path: Option<ByPath>, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> String {
    if let Some(target) = headers.get("x-amz-target").and_then(|value| value.to_str().ok()) {
        return target.rsplit('.').next().unwrap_or(target).to_owned();
    }
    if let Some((_, operation)) = uri.path().split_once("/operation/") {
        return operation.to_owned();
    }
    if let Some(by_path) = by_path {
        return by_path(method, uri);
    }
    let action = form(body).find(|(key, _)| key == "Action").map(|(_, value)| value);
    action.unwrap_or_else(|| format!("{method} {}", uri.path()))
}

/// Returns the fields of a form.
pub fn form(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.split('&').filter_map(|field| field.split_once('=')).map(|(key, value)| (decoded(key), decoded(value)))
}

/// Undoes percent-encoding.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "Get",
        Method::HEAD => "Head",
        Method::PUT => "Put",
        Method::DELETE => "Delete",
        Method::PATCH => "Update",
        _ => "Create",
    }
}

/// The S3 operations by sub-resource; an object's have no entry.
const BUCKET_PARTS: [(&str, &str); 14] = [
    ("accelerate", "BucketAccelerateConfiguration"),
    ("acl", "BucketAcl"),
    ("cors", "BucketCors"),
    ("encryption", "BucketEncryption"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("location", "BucketLocation"),
    ("logging", "BucketLogging"),
    ("notification", "BucketNotificationConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("tagging", "BucketTagging"),
    ("versioning", "BucketVersioning"),
    ("website", "BucketWebsite"),
];

pub(super) fn s3(method: &Method, uri: &Uri) -> String {
    let path = uri.path().trim_matches('/');
    let has =
        |part: &str| uri.query().unwrap_or_default().split('&').any(|field| field.split('=').next() == Some(part));
    if path.is_empty() {
        return "ListBuckets".to_owned();
    }
    if path.contains('/') {
        let object = if has("tagging") { "ObjectTagging" } else { "Object" };
        return format!("{}{object}", verb(method));
    }
    if let Some((_, part)) = BUCKET_PARTS.iter().find(|(part, _)| has(part)) {
        return format!("{}{part}", verb(method));
    }
    match *method {
        Method::GET if has("versions") => "ListObjectVersions".to_owned(),
        Method::GET if has("uploads") => "ListMultipartUploads".to_owned(),
        Method::GET => "ListObjectsV2".to_owned(),
        Method::POST if has("delete") => "DeleteObjects".to_owned(),
        Method::PUT => "CreateBucket".to_owned(),
        _ => format!("{}Bucket", verb(method)),
    }
}

pub(super) fn cloudfront(method: &Method, uri: &Uri) -> String {
    let mut parts = uri.path().trim_matches('/').split('/').skip(1);
    let (kind, id, part) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let query = uri.query().unwrap_or_default();
    let kind = match kind {
        "distribution" => "Distribution",
        "origin-access-control" => "OriginAccessControl",
        "response-headers-policy" => "ResponseHeadersPolicy",
        "cache-policy" => "CachePolicy",
        "origin-request-policy" => "OriginRequestPolicy",
        "function" => "Function",
        "tagging" if *method == Method::GET => return "ListTagsForResource".to_owned(),
        "tagging" if query.contains("Operation=Untag") => return "UntagResource".to_owned(),
        "tagging" => return "TagResource".to_owned(),
        other => other,
    };
    match (method, id, part) {
        (&Method::GET, None, _) if kind == "Distribution" => "ListDistributions".to_owned(),
        (&Method::GET, None, _) if kind.ends_with("Policy") => format!("List{}ies", kind.trim_end_matches('y')),
        (&Method::GET, None, _) => format!("List{kind}s"),
        (&Method::POST, _, Some("invalidation")) => "CreateInvalidation".to_owned(),
        (&Method::GET, _, Some("invalidation")) => "GetInvalidation".to_owned(),
        (&Method::POST, _, Some("publish")) => "PublishFunction".to_owned(),
        (&Method::GET, _, Some("config")) => format!("Get{kind}Config"),
        (&Method::PUT, ..) => format!("Update{kind}"),
        _ => format!("{}{kind}", verb(method)),
    }
}

pub(super) fn lambda(method: &Method, uri: &Uri) -> String {
    let parts: Vec<&str> = uri.path().trim_matches('/').split('/').skip(1).collect();
    match (method, parts.as_slice()) {
        (&Method::GET, ["functions"]) => "ListFunctions".to_owned(),
        (&Method::POST, ["functions"]) => "CreateFunction".to_owned(),
        (_, ["functions", _]) => format!("{}Function", verb(method)),
        (&Method::GET, ["functions", _, "configuration"]) => "GetFunctionConfiguration".to_owned(),
        (&Method::PUT, ["functions", _, "configuration"]) => "UpdateFunctionConfiguration".to_owned(),
        (&Method::PUT, ["functions", _, "code"]) => "UpdateFunctionCode".to_owned(),
        (&Method::GET, ["functions", _, "policy"]) => "GetPolicy".to_owned(),
        (&Method::POST, ["functions", _, "policy"]) => "AddPermission".to_owned(),
        (&Method::DELETE, ["functions", _, "policy", _]) => "RemovePermission".to_owned(),
        (&Method::POST, ["functions", _, "invocations"]) => "Invoke".to_owned(),
        (_, ["functions", _, "concurrency"]) => format!("{}FunctionConcurrency", verb(method)),
        (&Method::GET, ["tags", ..]) => "ListTags".to_owned(),
        (&Method::POST, ["tags", ..]) => "TagResource".to_owned(),
        (&Method::DELETE, ["tags", ..]) => "UntagResource".to_owned(),
        (_, parts) => format!("{} {}", verb(method), parts.join("/")),
    }
}

pub(super) fn api_gateway(method: &Method, uri: &Uri) -> String {
    let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let kind = match parts.as_slice() {
        ["restapis"] if *method == Method::GET => return "GetRestApis".to_owned(),
        ["restapis"] | ["restapis", _] => "RestApi",
        ["restapis", _, "resources"] if *method == Method::GET => return "GetResources".to_owned(),
        ["restapis", _, "resources", ..] if parts.ends_with(&["integration"]) => "Integration",
        ["restapis", _, "resources", _, "methods", ..] if parts.len() > 6 => "MethodPart",
        ["restapis", _, "resources", _, "methods", ..] => "Method",
        ["restapis", _, "resources", ..] => "Resource",
        ["restapis", _, "deployments"] if *method == Method::GET => return "GetDeployments".to_owned(),
        ["restapis", _, "deployments", ..] => "Deployment",
        ["restapis", _, "stages"] if *method == Method::GET => return "GetStages".to_owned(),
        ["restapis", _, "stages", ..] => "Stage",
        ["restapis", _, "gatewayresponses", ..] => "GatewayResponse",
        ["tags", ..] => {
            let name = match *method {
                Method::GET => "GetTags",
                Method::DELETE => "UntagResource",
                _ => "TagResource",
            };
            return name.to_owned();
        }
        ["account"] => "Account",
        _ => "Other",
    };
    format!("{}{kind}", verb(method))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Method, Uri};

    use super::super::protocol::Protocol;
    use super::{decoded, mutating, name};

    fn of(service: &str, method: Method, uri: &'static str, body: &str) -> String {
        name(Protocol::of(service).operation, &method, &Uri::from_static(uri), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn rest_operations_are_recognized_by_method_and_path() {
        assert_eq!(of("s3", Method::PUT, "/bucket", ""), "CreateBucket");
        assert_eq!(of("s3", Method::PUT, "/bucket/?policy", ""), "PutBucketPolicy");
        assert_eq!(of("s3", Method::PUT, "/bucket/a/b.html?x-id=PutObject", ""), "PutObject");
        assert_eq!(of("s3", Method::GET, "/bucket?versions", ""), "ListObjectVersions");
        assert_eq!(of("cloudfront", Method::POST, "/2020-05-31/distribution?WithTags", ""), "CreateDistribution");
        assert_eq!(of("cloudfront", Method::PUT, "/2020-05-31/distribution/E1/config", ""), "UpdateDistribution");
        assert_eq!(
            of("cloudfront", Method::GET, "/2020-05-31/response-headers-policy", ""),
            "ListResponseHeadersPolicies"
        );
        assert_eq!(of("lambda", Method::PUT, "/2015-03-31/functions/f/code", ""), "UpdateFunctionCode");
        assert_eq!(
            of("apigateway", Method::PUT, "/restapis/a/resources/b/methods/GET/integration", ""),
            "PutIntegration"
        );
        assert_eq!(of("apigateway", Method::GET, "/restapis/a/resources?embed=methods", ""), "GetResources");
    }

    #[test]
    fn query_operations_are_recognized_by_action() {
        assert_eq!(of("iam", Method::POST, "/", "Action=CreateRole&Version=2010-05-08"), "CreateRole");
    }

    #[test]
    fn only_reads_are_not_mutating() {
        assert!(mutating("s3", "PutObject"));
        assert!(mutating("ec2", "RunInstances"));
        assert!(!mutating("ec2", "DescribeInstances"));
        assert!(!mutating("s3", "HeadBucket"));
        assert!(!mutating("", "Create/")); // not an AWS request
    }

    #[test]
    fn percent_encoding_is_decoded() {
        assert_eq!(decoded("a%2Fb+c%"), "a/b c%");
    }
}
