//! Fixups for moto.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::body::Bytes;
use axum::http::{Method, Uri};
use serde_json::Value;

use super::{Fixup, without_interface};
use crate::proxy::call::{Answer, Call, between};
use crate::proxy::lock;

/// The namespace of CloudFront's documents.
const CLOUDFRONT: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";

/// What the corrections must remember.
#[derive(Debug, Default)]
pub(super) struct Moto {
    /// Bucket policies as they were sent.
    policies: Mutex<HashMap<String, String>>,
    /// Configurations of distributions as they were sent.
    distributions: Mutex<HashMap<String, String>>,
}

impl Fixup for Moto {
    fn request(&self, call: &Call) -> Call {
        let mut fixed = call.clone();
        match call.operation.as_str() {
            "PutBucketPolicy" => {
                if let Some(bucket) = call.bucket() {
                    lock(&self.policies).insert(bucket, call.text());
                }
                fixed.set_body(without_denials(&call.body));
            }
            // It requires a size that AWS takes from the image.
            "RunInstances" => {
                fixed.set_body(format!("{}&BlockDeviceMapping.1.Ebs.VolumeSize=8", without_interface(call)))
            }
            _ => {}
        }
        fixed
    }

    /// moto drops the tags with which a bucket is created.
    fn following(&self, call: &Call, answer: &Answer) -> Option<Call> {
        let text = call.text();
        let tags = between(&text, "<Tags>", "</Tags>").filter(|_| call.is("s3", "CreateBucket") && answer.ok())?;
        let uri: Uri = format!("{}?tagging", call.uri.path()).parse().ok()?;
        // The other headers describe the body.
        let kept = call.headers.get("authorization").map(|value| ("authorization".parse(), value.clone()));
        let headers = kept.into_iter().filter_map(|(name, value)| Some((name.ok()?, value))).collect();
        let body = format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
        Some(Call::new(Method::PUT, uri, headers, Bytes::from(body)))
    }

    fn answer(&self, call: &Call, answer: &mut Answer) {
        if !answer.ok() {
            return;
        }
        match call.operation.as_str() {
            "GetBucketVersioning" => {
                answer.set_body(answer.text().replace("GetBucketVersioningResponse", "VersioningConfiguration"));
            }
            // In place of the id of an instance's profile, it tells that of the association.
            "DescribeInstances" => answer.set_body(without_association_ids(&answer.text())),
            "GetBucketPolicy" => {
                let sent = call.bucket().and_then(|bucket| lock(&self.policies).get(&bucket).cloned());
                sent.into_iter().for_each(|policy| answer.set_body(policy));
            }
            // It drops a distribution's access control and its certificate.
            "CreateDistribution" | "UpdateDistribution" => {
                let id = call.segment(2).or_else(|| between(&answer.text(), "<Id>", "</Id>").map(str::to_owned));
                if let Some((id, config)) = id.zip(configuration(&call.text())) {
                    lock(&self.distributions).insert(id, config);
                }
            }
            "GetDistributionConfig" => {
                let sent = call.segment(2).and_then(|id| lock(&self.distributions).get(&id).cloned());
                let whole =
                    |config| format!("<DistributionConfig xmlns=\"{CLOUDFRONT}\">{config}</DistributionConfig>");
                sent.into_iter().for_each(|config| answer.set_body(whole(config)));
            }
            _ => {}
        }
    }
}

/// Returns the content of the element `DistributionConfig`, whatever its attributes.
fn configuration(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<DistributionConfig>").or_else(|| {
        let (_, rest) = text.split_once("<DistributionConfig ")?;
        rest.split_once('>')
    })?;
    Some(rest.split_once("</DistributionConfig>")?.0.to_owned())
}

/// Returns an answer without the elements `id` that have an association's id.
fn without_association_ids(text: &str) -> String {
    let mut parts = text.split("<id>iip-assoc-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| before + part.split_once("</id>").map_or("", |(_, rest)| rest))
}

/// Returns a policy without its denials, which moto applies to everybody, whatever their principal and condition.
fn without_denials(policy: &[u8]) -> Bytes {
    let Ok(mut parsed) = serde_json::from_slice::<Value>(policy) else { return Bytes::copy_from_slice(policy) };
    if let Some(statements) = parsed.get_mut("Statement").and_then(Value::as_array_mut) {
        statements.retain(|statement| statement.get("Effect").is_none_or(|effect| effect != "Deny"));
    }
    Bytes::from(parsed.to_string())
}

#[cfg(test)]
mod tests {
    use super::{configuration, without_association_ids, without_denials};

    #[test]
    fn only_ids_of_associations_are_removed() {
        let text = "<p><arn>a</arn><id>iip-assoc-1</id></p><p><id>AIPA2</id></p><p><id>iip-assoc-3</id></p>";
        assert_eq!(without_association_ids(text), "<p><arn>a</arn></p><p><id>AIPA2</id></p><p></p>");
    }

    #[test]
    fn only_denials_are_removed() {
        let policy = r#"{"Statement":[{"Effect":"Deny","Condition":{}},{"Effect":"Allow","Condition":{}}]}"#;
        assert_eq!(without_denials(policy.as_bytes()), r#"{"Statement":[{"Condition":{},"Effect":"Allow"}]}"#);
        assert_eq!(without_denials(b"no JSON"), "no JSON");
    }

    #[test]
    fn configuration_is_found_with_or_without_tags() {
        let with_tags = "<DistributionConfigWithTags><DistributionConfig><A/></DistributionConfig><Tags/>";
        assert_eq!(configuration(with_tags).as_deref(), Some("<A/>"));
        assert_eq!(configuration("<DistributionConfig xmlns=\"x\"><A/></DistributionConfig>").as_deref(), Some("<A/>"));
        assert_eq!(configuration("<Other/>"), None);
    }
}
