//! The IAM actions that a request needs, which are not always named like the operation.
//!
//! Source: the "Actions, resources, and condition keys" of each service in the Service Authorization Reference.

use std::collections::BTreeSet;

use peersync_aws::SERVICES;
use serde_json::Value;

use crate::proxy::log::Record;

/// Operations of S3 whose actions have other names.
const S3: [(&str, &[&str]); 11] = [
    ("DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("GetBucketCors", &["s3:GetBucketCORS"]),
    ("GetBucketEncryption", &["s3:GetEncryptionConfiguration"]),
    ("GetBucketLifecycleConfiguration", &["s3:GetLifecycleConfiguration"]),
    ("GetPublicAccessBlock", &["s3:GetBucketPublicAccessBlock"]),
    ("HeadBucket", &["s3:ListBucket"]),
    ("HeadObject", &["s3:GetObject"]),
    ("ListBuckets", &["s3:ListAllMyBuckets"]),
    ("ListObjectsV2", &["s3:ListBucket"]),
    ("ListObjectVersions", &["s3:ListBucketVersions"]),
    // The tags with which a bucket is created.
    ("CreateBucket", &["s3:CreateBucket", "s3:TagResource"]),
];
/// Settings of S3 whose change has another name.
const S3_CHANGES: [(&str, &str); 4] = [
    ("DeleteBucketCors", "s3:PutBucketCORS"),
    ("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
];
/// Further actions that an operation needs: for the tags that it sends, the role that it passes, what it reads.
const BESIDE: [(&str, &[&str]); 16] = [
    ("cloudfront:CreateDistribution", &["cloudfront:TagResource"]),
    ("dynamodb:CreateTable", &["dynamodb:TagResource"]),
    ("ec2:AllocateAddress", &["ec2:CreateTags"]),
    ("ec2:CreateSecurityGroup", &["ec2:CreateTags"]),
    ("ec2:RunInstances", &["ec2:CreateTags", "iam:PassRole"]),
    ("iam:AddRoleToInstanceProfile", &["iam:PassRole"]),
    ("iam:CreateInstanceProfile", &["iam:TagInstanceProfile"]),
    ("iam:CreateRole", &["iam:TagRole"]),
    ("lambda:CreateFunction", &["lambda:TagResource", "iam:PassRole", "s3:GetObject"]),
    // It returns the tags only to a caller that may list them.
    ("lambda:GetFunction", &["lambda:ListTags"]),
    ("lambda:UpdateFunctionCode", &["s3:GetObject"]),
    ("lambda:UpdateFunctionConfiguration", &["iam:PassRole"]),
    ("logs:CreateLogGroup", &["logs:TagResource"]),
    // An alarm that restarts a host creates the role for that, once per account.
    ("cloudwatch:PutMetricAlarm", &["cloudwatch:TagResource", "iam:CreateServiceLinkedRole"]),
    ("sns:CreateTopic", &["sns:TagResource"]),
    ("ssm:PutParameter", &["ssm:AddTagsToResource"]),
];

/// Setting a stage's log creates a log delivery on behalf of the caller.
const UPDATE_STAGE: [&str; 8] = [
    "apigateway:PATCH",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

/// Returns the actions that a policy allows.
pub fn named(policy: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(policy).expect("the policy is JSON");
    let statements = policy["Statement"].as_array().expect("it has statements");
    let actions = statements.iter().flat_map(|statement| statement["Action"].as_array().expect("it has actions"));
    actions.map(|action| action.as_str().expect("an action is a text").to_owned()).collect()
}

/// Returns the IAM actions that a request needs.
pub fn actions(record: &Record) -> Vec<String> {
    let operation = record.operation.as_str();
    let own: Vec<String> = match record.service.as_str() {
        // It is not signed.
        "" => Vec::new(),
        "s3" => s3(operation),
        "apigateway" => api_gateway(operation).iter().map(|action| (*action).to_owned()).collect(),
        service => vec![format!("{}:{operation}", prefix(service))],
    };
    // The parameters of the lease have no tags.
    let beside = BESIDE.iter().filter(|(action, _)| !record.of_lease && own.iter().any(|own| own == action));
    let beside: Vec<String> = beside.flat_map(|(_, more)| more.iter().map(|action| (*action).to_owned())).collect();
    own.into_iter().chain(beside).collect()
}

/// The prefix of a service's actions, by the name in the signatures of its requests.
fn prefix(signing_name: &str) -> &str {
    let service = SERVICES.iter().find(|service| service.signing_name == signing_name);
    service.map_or(signing_name, |service| service.prefix)
}

fn s3(operation: &str) -> Vec<String> {
    if let Some((_, actions)) = S3.iter().find(|(name, _)| *name == operation) {
        return actions.iter().map(|action| (*action).to_owned()).collect();
    }
    let changed = S3_CHANGES.iter().find(|(name, _)| *name == operation);
    vec![changed.map_or_else(|| format!("s3:{operation}"), |(_, action)| (*action).to_owned())]
}

/// API Gateway's actions are HTTP methods. Creation with tags needs PUT too, and the account's role is passed.
fn api_gateway(operation: &str) -> &'static [&'static str] {
    match operation {
        "UpdateAccount" => &["apigateway:PATCH", "iam:PassRole"],
        "TagResource" => &["apigateway:PUT"],
        "CreateRestApi" | "CreateStage" => &["apigateway:POST", "apigateway:PUT"],
        "UpdateStage" => &UPDATE_STAGE,
        other if other.starts_with("Get") => &["apigateway:GET"],
        other if other.starts_with("Put") => &["apigateway:PUT"],
        other if other.starts_with("Update") => &["apigateway:PATCH"],
        other if other.starts_with("Delete") => &["apigateway:DELETE"],
        _ => &["apigateway:POST"],
    }
}
