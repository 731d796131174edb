//! The policy of the bucket: only the stack's distribution may read it, only over TLS, and not the programs in it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::s3_bucket::{self, Contents};
use super::{Kind, bucket_files, cloudfront_distribution};
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveField, LiveFields, OutputMap, Outputs,
    Ownership, Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "s3_bucket_policy";

const POLICY: FieldName = FieldName::new("policy");

struct BucketPolicy {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(BucketPolicy { stack: stack.clone(), address: Address::new(NAME, "site") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    vec![Permission::new(
        &["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
        vec![s3_bucket::bucket_arn(stack)],
    )]
}

#[async_trait]
impl Resource for BucketPolicy {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.stack.bucket())
    }

    fn dependencies(&self) -> Vec<Address> {
        [
            rule!("bucket-policy-after-bucket", Some(s3_bucket::address())),
            rule!("bucket-policy-after-distribution", Some(cloudfront_distribution::address())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let bucket = self.stack.bucket();
        let call = self.stack.clients.s3.get_bucket_policy().bucket(&bucket).send();
        let (contents, answer) = futures::join!(s3_bucket::contents(&self.stack, reads), call);
        let ownership = match contents? {
            Contents::Absent => return Ok(None),
            Contents::Ours { .. } => Ownership::Ours,
            Contents::Adopted => Ownership::Foreign("the bucket has a policy of its own".to_owned()),
        };
        let absent = ["NoSuchBucketPolicy", "NoSuchBucket"];
        let Some(answer) = answer.found(&absent, "failed to read the policy of the bucket")? else { return Ok(None) };
        let text = answer.policy.unwrap_or_default();
        // A policy that is not JSON is shown as text and replaced.
        let policy = serde_json::from_str(&text).map_or(Value::String(text), canonical);
        let fields = LiveFields::new().with(POLICY, LiveField::Known(policy));
        Ok(Some(Live { id: bucket, fields, ownership, ..Live::default() }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let distribution = outputs.get(&cloudfront_distribution::address(), "arn");
        let bucket = s3_bucket::bucket_arn(&self.stack);
        let policy = distribution.map(|distribution| canonical(policy(&bucket, distribution)));
        Fields::new().with(POLICY, Field::known_or_unknown(policy))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let distribution = context.outputs.require(&cloudfront_distribution::address(), "arn")?;
        let policy = policy(&s3_bucket::bucket_arn(&self.stack), distribution).to_string();
        s3_bucket::retry_transient(context.progress, || async {
            let call = self.stack.clients.s3.put_bucket_policy().bucket(self.stack.bucket()).policy(&policy);
            call.send().await.context("failed to set the policy of the bucket")
        })
        .await?;
        Ok(OutputMap::new())
    }

    async fn update(&self, context: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        self.create(context).await
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        let answer = self.stack.clients.s3.delete_bucket_policy().bucket(&live.id).send().await;
        answer.found(&["NoSuchBucket", "NoSuchBucketPolicy"], "failed to delete the policy of the bucket").map(|_| ())
    }
}

fn policy(bucket: &str, distribution: &str) -> Value {
    let cloudfront = json!({ "Service": "cloudfront.amazonaws.com" });
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "PagesForOurDistribution",
                "Effect": "Allow",
                "Principal": cloudfront,
                "Action": "s3:GetObject",
                "Resource": format!("{bucket}/*"),
                "Condition": { "StringEquals": { "AWS:SourceArn": distribution } },
            },
            {
                "Sid": "ProgramsAreNotPages",
                "Effect": "Deny",
                "Principal": cloudfront,
                "Action": "s3:GetObject",
                "Resource": format!("{bucket}/{}*", bucket_files::PROGRAMS),
            },
            {
                "Sid": "OnlyOverTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket, format!("{bucket}/*")],
                "Condition": { "Bool": { "aws:SecureTransport": "false" } },
            },
        ],
    })
}

/// Normalises the forms in which AWS may return a policy: a list of one becomes its element, `{"AWS": "*"}` becomes
/// `"*"`, and lists are sorted.
fn canonical(value: Value) -> Value {
    match value {
        Value::Array(items) if items.len() == 1 => items.into_iter().next().map_or(Value::Null, canonical),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(canonical).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(members) if members.len() == 1 && members.get("AWS") == Some(&json!("*")) => json!("*"),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, canonical(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_forms_of_a_policy_are_equal() {
        let ours = policy("arn:aws:s3:::site", "arn:aws:cloudfront::1:distribution/E1");
        let mut theirs = ours.clone();
        theirs["Statement"][0]["Action"] = json!(["s3:GetObject"]);
        theirs["Statement"][2]["Principal"] = json!({ "AWS": "*" });
        theirs["Statement"][2]["Resource"] = json!(["arn:aws:s3:::site/*", "arn:aws:s3:::site"]);
        assert_eq!(canonical(ours.clone()), canonical(theirs.clone()));
        theirs["Statement"][0]["Condition"] = json!({});
        assert_ne!(canonical(ours), canonical(theirs));
    }

    #[test]
    fn policy_lets_one_distribution_read_everything_but_programs() {
        let policy = policy("arn:aws:s3:::site", "arn:aws:cloudfront::1:distribution/E1");
        let allowed: Vec<&Value> =
            policy["Statement"].as_array().unwrap().iter().filter(|one| one["Effect"] == "Allow").collect();
        assert_eq!(allowed.len(), 1);
        assert_eq!(allowed[0]["Action"], "s3:GetObject");
        assert_eq!(allowed[0]["Condition"]["StringEquals"]["AWS:SourceArn"], "arn:aws:cloudfront::1:distribution/E1");
        assert_eq!(policy["Statement"][1]["Resource"], "arn:aws:s3:::site/programs/*");
    }
}
