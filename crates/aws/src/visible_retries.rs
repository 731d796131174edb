//! Reports the SDK's own retries, after throttling, server errors and dropped connections, as progress.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use std::time::Duration;

use peersync_engine::Progress;

/// The reason why the last attempt failed.
#[derive(Debug)]
struct LastFailure(String);

impl Storable for LastFailure {
    type Storer = StoreReplace<Self>;
}

/// An interceptor that reports every attempt after the first to the progress of the current task.
#[derive(Debug)]
pub(super) struct VisibleRetries;

impl Intercept for VisibleRetries {
    fn name(&self) -> &'static str {
        "VisibleRetries"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempts = configuration.load::<RequestAttempts>().map_or(1, RequestAttempts::attempts);
        if attempts > 1 {
            let reason = configuration.load::<LastFailure>().map_or("the call failed", |failure| &failure.0).to_owned();
            if let Some(progress) = Progress::current() {
                progress.retrying(attempts - 1, reason, Duration::ZERO);
            }
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let status = context.response().map(|response| response.status().as_u16());
        if let Some(Err(error)) = context.output_or_error() {
            let reason = match (status, error.is_connector_error()) {
                (Some(status), _) => format!("HTTP status {status}"),
                (None, true) => "the connection failed".to_owned(),
                (None, false) => "no response".to_owned(),
            };
            configuration.interceptor_state().store_put(LastFailure(reason));
        }
        Ok(())
    }
}
