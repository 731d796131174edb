//! The role with which API Gateway writes logs: a setting of the account, one for all APIs of a region, whoever they
//! belong to. So it is no stack's own: the stacks of a region share a role, which is named after none of them. It is set if
//! the account has none, or one that API Gateway cannot use; another one that works is kept. It goes with the last stage of
//! the region that writes a log.
//!
//! A stack has this resource as long as it has an API or the log group of its stage, because the setting itself does not
//! tell who needs it.

mod role;
mod setting;

use std::sync::Arc;

use async_trait::async_trait;

use super::{Kind, iam_role, log_group, rest_api};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_engine::{
    Address, ApplyContext, Changes, Failure, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Progress,
    Resource, ResourceError, SharedReads, rule,
};

pub(super) use self::setting::{cannot_write, is_missing};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "api_account";

/// What is the matter with the role of the account.
const LOG_ROLE: FieldName = FieldName::new("log_role");
/// The value of [`LOG_ROLE`] if nothing is.
const USABLE: &str = "usable";

/// The value of [`LOG_ROLE`] if there is the shared role and the account has none.
const NOT_SET: &str = "not set";

/// Returns the address of the setting.
pub fn address() -> Address {
    Address::new(NAME, "logs")
}

struct LogRole {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(LogRole { stack: stack.clone(), address: address() })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let shared = || vec![role::arn(stack)];
    vec![
        Permission::new(&["apigateway:GET", "apigateway:PATCH"], vec![rest_api::arn(stack, "/account")]),
        // Which stages of the region write a log.
        Permission::new(&["apigateway:GET"], vec![rest_api::arn(stack, "/restapis/*/stages")]),
        // The account's role may be anybody's.
        Permission::new(&["iam:GetRole"], vec![stack.iam_arn("role/*")]),
        Permission::new(&["iam:GetRolePolicy"], shared()),
        Permission::new(&["iam:CreateRole"], shared()).only(Condition::SharedTaggedInBoundary),
        Permission::new(&["iam:TagRole"], shared()).only(Condition::SharedTagged),
        Permission::new(&["iam:PutRolePolicy"], shared()).only(Condition::SharedInBoundary),
        Permission::new(&["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy"], shared())
            .only(Condition::Shared),
        Permission::new(&["iam:PassRole"], shared()).only(Condition::PassedTo(iam_role::API_GATEWAY)),
    ]
}

#[async_trait]
impl Resource for LogRole {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.stack.shared_log_role())
    }

    fn dependencies(&self) -> Vec<Address> {
        [
            // Deleted once it is known that this stack needs it no longer.
            rule!("api-account-after-rest-api", Some(rest_api::address())),
            rule!("api-account-after-log-group", Some(log_group::address("api-access"))),
            // Earlier versions gave each stack a role of its own, and set that of the first.
            rule!("earlier-gateway-role-deleted-after-account", Some(iam_role::address("gateway"))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let set = setting::role(&self.stack).await?;
        let (api, group) = futures::try_join!(rest_api::found_id(&self.stack, reads), self.has_log_group(reads))?;
        if api.is_none() && !group {
            return Ok(None);
        }
        let (arn, trouble) = match set {
            Some(arn) => {
                let trouble = role::trouble(&self.stack, &arn).await?;
                (arn, trouble.unwrap_or_else(|| USABLE.to_owned()))
            }
            // An interrupted removal has left the role.
            None if role::exists(&self.stack).await? => (role::arn(&self.stack), NOT_SET.to_owned()),
            None => return Ok(None),
        };
        Ok(Some(Live { id: arn, fields: LiveFields::new().with(LOG_ROLE, trouble), ..Live::default() }))
    }

    fn desired(&self, _: &Outputs) -> Fields {
        Fields::new().with(LOG_ROLE, USABLE)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        provide(&self.stack, context.progress).await?;
        Ok(OutputMap::new())
    }

    async fn update(&self, context: &ApplyContext<'_>, _: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        provide(&self.stack, context.progress).await?;
        Ok(OutputMap::new())
    }

    async fn delete(&self, progress: &Progress, _: &Live) -> Result<(), ResourceError> {
        release(&self.stack, progress).await
    }
}

impl LogRole {
    /// Returns whether the log group of the stage exists, which an emulator may not offer.
    async fn has_log_group(&self, reads: &SharedReads) -> Result<bool, ResourceError> {
        match log_group::exists(&self.stack, reads, "api-access").await {
            Err(error) if error.failure == Failure::NotOffered => Ok(false),
            result => result,
        }
    }
}

/// Returns what is the matter with the account's role for the logs of API Gateway, whoever set it; `None` if it has none,
/// or one that works.
///
/// # Errors
/// The setting or the role cannot be read.
pub async fn trouble(stack: &Stack) -> Result<Option<String>, ResourceError> {
    match setting::role(stack).await? {
        Some(arn) => role::trouble(stack, &arn).await,
        None => Ok(None),
    }
}

/// Gives the account the shared role, unless it has another one that works.
pub(super) async fn provide(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    if let Some(arn) = setting::role(stack).await?
        && role::trouble(stack, &arn).await?.is_none()
    {
        return Ok(());
    }
    put_shared(stack, progress).await
}

async fn put_shared(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    role::ensure(stack, progress).await?;
    setting::put(stack, progress, &role::arn(stack)).await
}

/// Takes the shared role, or the one that an earlier version made for this stack, away from the account if no stage of the
/// region needs it any more. Other stacks may come and go meanwhile.
async fn release(stack: &Stack, progress: &Progress) -> Result<(), ResourceError> {
    // If the account has none, an interrupted removal has taken it away, and the shared role is left.
    let arn = setting::role(stack).await?.unwrap_or_else(|| role::arn(stack));
    let is_of_earlier_version = arn == iam_role::role_arn(stack, "gateway");
    if arn != role::arn(stack) && !is_of_earlier_version {
        return Ok(());
    }
    if rule!("gateway-account-role-stays-for-others", setting::is_needed(stack, progress).await?) {
        return if is_of_earlier_version { put_shared(stack, progress).await } else { Ok(()) };
    }
    rule!("gateway-account-role-is-removed" => {
        setting::put(stack, progress, "").await?;
    });
    // A stage that got its log between the two requests has seen the role.
    if rule!("gateway-account-role-returns-for-newcomers", setting::is_needed(stack, progress).await?) {
        return put_shared(stack, progress).await;
    }
    match setting::role(stack).await? {
        Some(again) if again == role::arn(stack) => Ok(()),
        _ => role::delete(stack, progress).await,
    }
}
