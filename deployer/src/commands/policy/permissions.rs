//! What each form of the policy permits.

use super::ANY;
use crate::cli::Purpose;
use peersync_aws::lease::Lease;
use peersync_resources::kinds::dynamodb_table::TABLES;
use peersync_resources::kinds::{KINDS, log_group};
use peersync_resources::permission::{Condition, Permission};
use peersync_resources::stack::Stack;

/// The verbs of actions that change nothing.
const READS: [&str; 5] = ["Describe", "Filter", "Get", "GET", "List"];
/// The verbs of actions that remove something.
const REMOVALS: [&str; 7] = ["Delete", "DELETE", "Detach", "Disassociate", "Release", "Remove", "Terminate"];
/// Other actions with which a removal begins: tables are backed up, a distribution is disabled, and a bucket with the
/// files of somebody else loses our tags. An API loses its access log, and the account the role for it.
const BEFORE_REMOVALS: [&str; 6] = [
    "apigateway:PATCH",
    "cloudfront:UpdateDistribution",
    "dynamodb:CreateBackup",
    "dynamodb:Scan",
    "logs:UpdateLogDelivery",
    "s3:PutBucketTagging",
];
/// Removals that no removal of a stack needs: a role is deleted with its permissions boundary.
const OF_UP_ALONE: [&str; 1] = ["iam:DeleteRolePermissionsBoundary"];
/// Actions on what CloudFront numbers and nobody can tag, so that they cannot be limited to some stages. Only a new
/// version needs them; without them, such a stack is created again.
const UNLIMITED: [&str; 2] = ["cloudfront:UpdateOriginAccessControl", "cloudfront:UpdateResponseHeadersPolicy"];

/// Returns the permissions for a purpose. The stack's name may be a pattern.
pub(super) fn permissions(stack: &Stack, purpose: Purpose) -> Vec<Permission> {
    let all = KINDS.iter().flat_map(|kind| (kind.permissions)(stack)).chain(of_commands(stack));
    let mut all: Vec<Permission> = all.collect();
    match purpose {
        Purpose::Up => {}
        Purpose::Plan => keep(&mut all, reads),
        Purpose::Teardown => {
            keep(&mut all, |action| reads(action) || removes(action));
            all.extend([lease(stack), all_leases(stack)]);
            all.extend(
                KINDS.iter().filter_map(|kind| kind.search).map(|search| Permission::anywhere(search.actions())),
            );
            all.iter_mut().for_each(|permission| permission.condition = tagged(permission.condition));
        }
    }
    if stack.name().contains(ANY) {
        keep(&mut all, |action| !UNLIMITED.contains(&action));
    }
    all
}

/// Returns the permissions to launch a host whose disk is encrypted with this key of the owner's ("Required permissions for
/// Amazon EBS encryption", EBS user guide). AWS's own default key needs none.
pub(super) fn disks(key: &str) -> [Permission; 2] {
    let use_it = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ];
    [
        Permission::new(&use_it, vec![key.to_owned()]).only(Condition::ThroughEc2),
        Permission::new(&["kms:CreateGrant"], vec![key.to_owned()]).only(Condition::GrantToEc2),
    ]
}

fn keep(permissions: &mut Vec<Permission>, wanted: impl Fn(&str) -> bool) {
    permissions.iter_mut().for_each(|permission| permission.actions.retain(|action| wanted(action)));
    permissions.retain(|permission| !permission.actions.is_empty());
}

/// Returns the condition of a permission to remove: what belongs to no stack is not removed, whatever its name.
fn tagged(condition: Condition) -> Condition {
    if condition == Condition::Named { Condition::Ours } else { condition }
}

/// Returns whether an action changes nothing.
pub(super) fn reads(action: &str) -> bool {
    READS.iter().any(|verb| has_verb(action, verb))
}

fn removes(action: &str) -> bool {
    let is_removal = REMOVALS.iter().any(|verb| has_verb(action, verb)) && !OF_UP_ALONE.contains(&action);
    is_removal || BEFORE_REMOVALS.contains(&action)
}

fn has_verb(action: &str, verb: &str) -> bool {
    action.split_once(':').is_some_and(|(_, name)| name.starts_with(verb))
}

/// Returns the permissions that no resource needs: for the caller identity, the quotas, the index of tags, the lease, `logs`, and the backup that `down`
/// makes.
fn of_commands(stack: &Stack) -> [Permission; 6] {
    let tables = |end: &str| {
        let names = TABLES.iter().map(|layout| stack.named(layout.part));
        names.map(|name| stack.arn("dynamodb", &format!("table/{name}{end}"))).collect()
    };
    [
        Permission::anywhere(&["sts:GetCallerIdentity"]),
        Permission::anywhere(&["cloudwatch:ListDashboards", "servicequotas:GetServiceQuota", "tag:GetResources"]),
        lease(stack),
        Permission::new(&["logs:FilterLogEvents"], log_group::arns(stack)),
        Permission::new(&["dynamodb:CreateBackup", "dynamodb:Scan"], tables("")).only(Condition::Named),
        Permission::new(&["dynamodb:DescribeBackup"], tables("/backup/*")),
    ]
}

/// Returns the permission to find what killed runs have left of their leases on stacks that are gone.
fn all_leases(stack: &Stack) -> Permission {
    let paths = ["", "/*"].map(|end| stack.arn("ssm", &format!("parameter{}{end}", Lease::root()))).to_vec();
    Permission::new(&["ssm:GetParametersByPath"], paths)
}

/// Returns the permission to take the lease and to give it back. Reading by path is a permission on the path itself.
fn lease(stack: &Stack) -> Permission {
    let path = Lease::path(&stack.name());
    let paths = ["", "/*"].map(|end| stack.arn("ssm", &format!("parameter{path}{end}"))).to_vec();
    Permission::new(&["ssm:PutParameter", "ssm:GetParametersByPath", "ssm:DeleteParameters"], paths)
}
