//! The calls that change a function. Lambda accepts one change at a time.

use std::collections::HashMap;

use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, LastUpdateStatus, Runtime, State};

use super::{ABSENT, Function, PROGRAM, ROLE_ID_TAG, function_arn};
use crate::kinds::{iam_role, s3_program};
use peersync_aws::retry::{Schedule, until, while_failing};
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{ApplyContext, Progress, ResourceError, rule};

/// Parts of Lambda's messages if a role, its policy or its key has not propagated yet. Just "not authorized" means that
/// the permission is missing.
const NOT_KNOWN_YET: &[&str] =
    &["cannot be assumed by Lambda", "KMS key is invalid for CreateGrant", "does not have permissions to call"];
/// The error codes for a function that already exists, or that is being changed.
const CONFLICT: &[&str] = &["ResourceConflictException"];

impl Function {
    pub(super) async fn create_function(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        let call = self.stack.clients.lambda.create_function().function_name(&self.name);
        let call = call.runtime(Runtime::Providedal2023).architectures(self.architecture()).handler(PROGRAM);
        let call = call.role(iam_role::role_arn(&self.stack, self.function)).description(self.stack.mark());
        let call = call.memory_size(self.stack.config.api.memory_mb).timeout(self.timeout());
        let call = call.environment(self.sdk_environment(context)?);
        let call = call.set_tags(Some(self.tags(context)));
        let call = call.code(FunctionCode::builder().s3_bucket(self.stack.bucket()).s3_key(self.key()).build());
        let is_transient = |error: &ResourceError| rule!("lambda-role-assumable", is_not_known_yet(error));
        while_failing(context.progress, Schedule::PROPAGATION, is_transient, || async {
            let answer = call.clone().send().await;
            // It exists if the response to an earlier attempt was lost; observe has ruled out an unmanaged one.
            let exists = rule!("lambda-create-survives-lost-answer", CONFLICT);
            answer.found(exists, "failed to create the function").map(|_| ())
        })
        .await
    }

    pub(super) async fn put_configuration(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        let call = self.stack.clients.lambda.update_function_configuration().function_name(&self.name);
        let call = call.runtime(Runtime::Providedal2023).handler(PROGRAM);
        let call = call.role(iam_role::role_arn(&self.stack, self.function));
        let call = call.memory_size(self.stack.config.api.memory_mb).timeout(self.timeout());
        let call = call.environment(self.sdk_environment(context)?);
        let is_transient =
            |error: &ResourceError| is_not_known_yet(error) || rule!("lambda-update-while-busy", is_busy(error));
        while_failing(context.progress, Schedule::PROPAGATION, is_transient, || async {
            call.clone().send().await.context("failed to change the function").map(|_| ())
        })
        .await
    }

    fn architecture(&self) -> Architecture {
        Architecture::from(self.stack.config.api.architecture.name())
    }

    /// Returns the key of the program in the bucket.
    fn key(&self) -> &'static str {
        s3_program::key(s3_program::API, self.stack.config.api.architecture)
    }

    /// Gives the function the role of another one. Lambda lets a role decrypt the environment when it is given to the
    /// function, and compares names: only another role makes it notice that the own one is new ("KMSAccessDeniedException",
    /// Lambda developer guide; Terraform's provider, issue 6352).
    pub(super) async fn put_other_role(&self, progress: &Progress) -> Result<(), ResourceError> {
        let call = self.stack.clients.lambda.update_function_configuration().function_name(&self.name);
        let call = call.role(iam_role::role_arn(&self.stack, self.other_function()));
        let is_transient = |error: &ResourceError| is_not_known_yet(error) || is_busy(error);
        while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            call.clone().send().await.context("failed to give the function another role for a moment").map(|_| ())
        })
        .await
    }

    /// Returns the tags of the function: those of the context, and the id of its role.
    fn tags(&self, context: &ApplyContext<'_>) -> HashMap<String, String> {
        let id = context.outputs.get(&iam_role::address(self.function), "id");
        let id = id.map(|id| (ROLE_ID_TAG.to_owned(), id.to_owned()));
        context.tags.clone().into_iter().chain(id).collect()
    }

    pub(super) async fn put_code(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        let is_transient = |error: &ResourceError| rule!("lambda-code-while-busy", is_busy(error));
        while_failing(context.progress, Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.lambda.update_function_code().function_name(&self.name);
            // Both at once: the program of one architecture does not run on the other.
            let call = call.architectures(self.architecture()).s3_bucket(self.stack.bucket());
            let call = call.s3_key(self.key());
            call.send().await.context("failed to update the program of the function").map(|_| ())
        })
        .await
    }

    /// Lets the function share the concurrency of the account again.
    pub(super) async fn release_concurrency(&self) -> Result<(), ResourceError> {
        let call = self.stack.clients.lambda.delete_function_concurrency().function_name(&self.name);
        call.send().await.context("failed to release the reserved concurrency of the function").map(|_| ())
    }

    pub(super) async fn remove_tags(&self, keys: Vec<String>) -> Result<(), ResourceError> {
        let call = self.stack.clients.lambda.untag_resource().resource(function_arn(&self.stack, self.function));
        call.set_tag_keys(Some(keys)).send().await.context("failed to remove tags of the function").map(|_| ())
    }

    pub(super) async fn put_tags(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        let tags = self.tags(context);
        let call = self.stack.clients.lambda.tag_resource().resource(function_arn(&self.stack, self.function));
        call.set_tags(Some(tags)).send().await.context("failed to tag the function").map(|_| ())
    }

    pub(super) async fn delete_function(&self, progress: &Progress) -> Result<(), ResourceError> {
        let is_transient = |error: &ResourceError| rule!("lambda-delete-while-busy", is_busy(error));
        while_failing(progress, Schedule::STATE, is_transient, || async {
            let answer = self.stack.clients.lambda.delete_function().function_name(&self.name).send().await;
            let absent = rule!("lambda-delete-survives-absence", ABSENT);
            answer.found(absent, "failed to delete the function").map(|_| ())
        })
        .await
    }

    /// Waits until this run's change is done.
    ///
    /// # Errors
    /// Lambda could not apply it, and continues with the settings from before.
    pub(super) async fn wait_until_settled(&self, progress: &Progress) -> Result<(), ResourceError> {
        match self.wait_until_idle(progress).await? {
            None => Ok(()),
            Some(reason) => Err(ResourceError::new("Lambda failed to update the function").caused_by(reason)),
        }
    }

    /// Waits until no change is in progress, and returns why the last one failed, if it did: the next one may fix that.
    /// A function without a status is still being created.
    pub(super) async fn wait_until_idle(&self, progress: &Progress) -> Result<Option<String>, ResourceError> {
        until(progress, Schedule::STATE, "the function to finish its update", || async {
            let call = self.stack.clients.lambda.get_function_configuration().function_name(&self.name);
            let function = call.send().await.context("failed to read the function")?;
            let is_pending = rule!("lambda-pending-is-busy", function.state == Some(State::Pending));
            match function.last_update_status {
                Some(LastUpdateStatus::Failed) => {
                    Ok(Some(Some(function.last_update_status_reason.unwrap_or_default())))
                }
                Some(LastUpdateStatus::Successful) if !is_pending => Ok(Some(None)),
                Some(_) => Ok(None),
                None => Ok(rule!("lambda-without-status-is-busy", None, without: Some(None))),
            }
        })
        .await
    }

    fn sdk_environment(&self, context: &ApplyContext<'_>) -> Result<Environment, ResourceError> {
        let variables = self.environment(context.outputs).ok_or_else(|| {
            ResourceError::new("the URL of the pages is not known")
                .hint("set `domain` under [site], or deploy to an endpoint that offers CloudFront")
        })?;
        let variables: HashMap<String, String> = variables.into_iter().collect();
        Ok(Environment::builder().set_variables(Some(variables)).build())
    }
}

fn is_not_known_yet(error: &ResourceError) -> bool {
    error.is(&["InvalidParameterValueException"])
        && error.causes().iter().any(|cause| NOT_KNOWN_YET.iter().any(|text| cause.contains(text)))
}

fn is_busy(error: &ResourceError) -> bool {
    error.is(CONFLICT)
}

#[cfg(test)]
mod tests {
    use super::is_not_known_yet;
    use peersync_engine::ResourceError;

    #[test]
    fn missing_permission_or_invalid_value_is_not_transient() {
        let error = |code, cause: &str| ResourceError::new("failed").code(Some(code)).caused_by(cause.to_owned());
        let code = "InvalidParameterValueException";
        assert!(is_not_known_yet(&error(code, "The role defined for the function cannot be assumed by Lambda.")));
        assert!(!is_not_known_yet(&error(code, "The memory size is not valid.")));
        assert!(!is_not_known_yet(&error("AccessDeniedException", "not authorized, cannot be assumed by Lambda")));
    }
}
