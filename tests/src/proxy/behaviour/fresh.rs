//! Eventual consistency: the next call, which reads another replica, does not find what was just created.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use super::{Behave, Moments, last_part};
use crate::proxy::call::{Answer, Call, elements};
use crate::proxy::lock;

/// Resources that are too new to be found.
pub(super) struct NotFoundAfterCreate {
    time: Duration,
    created: Mutex<Moments>,
    /// Groups whose rules somebody has tried to change.
    tried: Mutex<HashSet<String>>,
}

impl NotFoundAfterCreate {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, created: Mutex::default(), tried: Mutex::default() }
    }

    /// Returns whether the resource of the call was created a moment ago.
    fn is_fresh(&self, call: &Call) -> bool {
        // These are first used long after their creation, because others come first.
        let late = ["RunInstances", "AssociateAddress"].contains(&call.operation.as_str());
        let time = if late { self.time * 10 } else { self.time };
        let created = lock(&self.created);
        subjects(call).iter().any(|subject| created.within(&format!("{} {subject}", call.service), time))
    }
}

impl Behave for NotFoundAfterCreate {
    fn before(&self, call: &Call) -> Option<Answer> {
        let (status, code) = not_found(call)?;
        // That one replica has found it does not mean that the next one does, however much later.
        let group = call.parameter("GroupId").filter(|_| call.operation.ends_with("SecurityGroupIngress"));
        let is_first = group
            .is_some_and(|group| lock(&self.created).knows(&format!("ec2 {group}")) && lock(&self.tried).insert(group));
        (is_first || self.is_fresh(call)).then(|| Answer::error(call, status, code, "It does not exist."))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if answer.ok() {
            for name in created(call, answer) {
                lock(&self.created).set(format!("{} {name}", call.service));
            }
        }
    }
}

/// Returns the resource that a successful call has created.
fn created(call: &Call, answer: &Answer) -> Vec<String> {
    let text = answer.text();
    let all = |name: &str| elements(&text, name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    match (call.service.as_str(), call.operation.as_str()) {
        ("s3", "CreateBucket") => call.bucket().into_iter().collect(),
        ("iam", "CreateRole") => call.parameter("RoleName").into_iter().collect(),
        ("iam", "CreateInstanceProfile") => call.parameter("InstanceProfileName").into_iter().collect(),
        ("dynamodb", "CreateTable") => call.json_text("TableName").into_iter().collect(),
        // With this, it writes to one that exists already.
        ("ssm", "PutParameter") if call.json("Overwrite") == Some(true.into()) => Vec::new(),
        ("ssm", "PutParameter") => call.json_text("Name").into_iter().collect(),
        ("ec2", "RunInstances") => all("instanceId"),
        ("ec2", "CreateSecurityGroup") => all("groupId"),
        ("ec2", "AllocateAddress") => all("allocationId"),
        ("lambda", "CreateFunction") => call.json_text("FunctionName").into_iter().collect(),
        ("logs", "CreateLogGroup") => call.json_text("logGroupName").into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Returns the resource of a call.
fn subjects(call: &Call) -> Vec<String> {
    match call.service.as_str() {
        "s3" => call.bucket().into_iter().collect(),
        "lambda" => call.segment(2).map(|name| last_part(&name).to_owned()).into_iter().collect(),
        "dynamodb" => {
            let table = call.json_text("TableName").or_else(|| call.json_text("ResourceArn"));
            table.map(|table| last_part(&table).to_owned()).into_iter().collect()
        }
        "logs" => call.json_text("logGroupName").into_iter().collect(),
        "ssm" => call.json_text("Name").or_else(|| call.json_text("ResourceId")).into_iter().collect(),
        _ => call.parameters().into_iter().map(|(_, value)| value).collect(),
    }
}

/// Returns the error of a service for an unknown resource; `None` for calls that this behaviour does not change.
fn not_found(call: &Call) -> Option<(u16, &'static str)> {
    match (call.service.as_str(), call.operation.as_str()) {
        ("s3", "CreateBucket") => None,
        ("s3", "HeadBucket") => Some((404, "NotFound")),
        ("s3", _) => Some((404, "NoSuchBucket")),
        ("iam", "GetRole" | "ListRoleTags" | "ListRolePolicies" | "GetRolePolicy" | "PutRolePolicy") => {
            Some((404, "NoSuchEntity"))
        }
        ("iam", "GetInstanceProfile" | "AddRoleToInstanceProfile") => Some((404, "NoSuchEntity")),
        ("dynamodb", "DescribeTable" | "DescribeTimeToLive" | "ListTagsOfResource" | "UpdateTimeToLive") => {
            Some((400, "ResourceNotFoundException"))
        }
        ("ssm", "GetParameter") => Some((400, "ParameterNotFound")),
        ("ssm", "ListTagsForResource" | "AddTagsToResource") => Some((400, "InvalidResourceId")),
        ("lambda", "GetFunction" | "GetFunctionConfiguration" | "ListTags" | "GetPolicy" | "AddPermission") => {
            Some((404, "ResourceNotFoundException"))
        }
        ("ec2", "DescribeInstances") if call.parameter("InstanceId.1").is_some() => {
            Some((400, "InvalidInstanceID.NotFound"))
        }
        ("ec2", "DescribeSecurityGroups") if call.parameter("GroupId.1").is_some() => {
            Some((400, "InvalidGroup.NotFound"))
        }
        ("ec2", "AuthorizeSecurityGroupIngress" | "RevokeSecurityGroupEgress" | "RunInstances") => {
            Some((400, "InvalidGroup.NotFound"))
        }
        // The creation is still going on somewhere.
        ("logs", "PutRetentionPolicy") => Some((400, "OperationAbortedException")),
        ("ec2", "AssociateAddress") => Some((400, "InvalidAllocationID.NotFound")),
        _ => None,
    }
}
