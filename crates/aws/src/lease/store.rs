//! Where leases are kept: parameters of Systems Manager, one for each slot of time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ssm::config::Config;
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use parking_lot::Mutex;

use super::slot::{Reading, Slot};
use crate::moment::Moment;
use crate::{Context as _, code_of};
use peersync_engine::ResourceError;

/// The path of all leases. It is not that of the stacks' own parameters, so that a lease is no resource of a stack.
pub(super) const PREFIX: &str = "/peersync-lease";
/// The most parameters that one call returns or deletes.
const PAGE: usize = 10;
/// The maximum number of attempts of a call: a lease must be renewed in time even if a quarter of them fail.
const ATTEMPTS: u32 = 8;
/// The maximum delay between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_millis(800);
/// The timeout of a call, all attempts included, so that a renewal can be tried twice before the lease ends.
const CALL_DEADLINE: Duration = Duration::from_secs(10);
/// The timeout of one attempt.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(4);

/// The answer to the creation of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Creation {
    /// The slot was free.
    Created,
    /// It was taken before, or is being taken.
    Taken,
}

/// How a deletion failed.
#[derive(Clone, Debug)]
pub(super) enum Undeleted {
    /// It was refused, so it has not happened.
    Refused(ResourceError),
    /// It may have happened, or may still happen.
    Unknown(ResourceError),
}

/// A place with one entry for each slot.
#[async_trait]
pub(super) trait Store: Send + Sync {
    /// Creates the entry of a slot unless it exists, which exactly one caller can do.
    async fn create(&self, slot: Slot, text: &str) -> Result<Creation, ResourceError>;

    /// Returns the entries. The answer may be late by a moment: nothing is decided by it alone.
    async fn list(&self) -> Result<Vec<(Slot, String)>, ResourceError>;

    /// Sends one request to delete these entries, at most ten, and never repeats it.
    async fn delete(&self, slots: &[Slot]) -> Result<(), Undeleted>;

    /// Returns the last reading of the server's clock.
    fn reading(&self) -> Option<Reading>;
}

/// The lease of one stack in Systems Manager.
pub(super) struct Parameters {
    client: aws_sdk_ssm::Client,
    path: String,
    description: String,
    clock: ReadDate,
}

impl Parameters {
    /// Returns the place of this stack's lease.
    pub(super) fn new(client: aws_sdk_ssm::Client, stack: &str) -> Self {
        let description = format!("Lease on the PeerSync stack {stack}: it expires by itself within a minute");
        Self { client, path: path(stack), description, clock: ReadDate::default() }
    }

    fn name(&self, slot: Slot) -> String {
        format!("{}/{}", self.path, slot.0)
    }

    /// The settings of each call.
    fn calls() -> aws_sdk_ssm::config::Builder {
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(LONGEST_BACKOFF);
        let timeouts = TimeoutConfig::builder();
        let timeouts = timeouts.operation_timeout(CALL_DEADLINE).operation_attempt_timeout(ATTEMPT_DEADLINE);
        Config::builder().retry_config(retries).timeout_config(timeouts.build())
    }
}

/// Returns the names of the stacks whose leases have entries, whether these are over or not.
///
/// # Errors
/// The call failed.
pub(super) async fn stacks(client: &aws_sdk_ssm::Client) -> Result<BTreeSet<String>, ResourceError> {
    let pages = client.get_parameters_by_path().path(PREFIX).recursive(true).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.context("failed to list the leases on stacks")?;
    let stack = |name: &str| Some(name.strip_prefix(PREFIX)?.strip_prefix('/')?.split_once('/')?.0.to_owned());
    Ok(pages.iter().flat_map(|page| page.parameters()).filter_map(|entry| stack(entry.name()?)).collect())
}

/// Returns the path of a stack's leases.
pub(super) fn path(stack: &str) -> String {
    format!("{PREFIX}/{stack}")
}

#[async_trait]
impl Store for Parameters {
    async fn create(&self, slot: Slot, text: &str) -> Result<Creation, ResourceError> {
        let call = self.client.put_parameter().name(self.name(slot)).value(text).r#type(ParameterType::String);
        let call = call.description(&self.description).overwrite(false).customize();
        match call.config_override(Self::calls()).interceptor(self.clock.clone()).send().await {
            Ok(_) => Ok(Creation::Created),
            Err(error) if matches!(code_of(&error), Some("ParameterAlreadyExists" | "TooManyUpdates")) => {
                Ok(Creation::Taken)
            }
            Err(error) => Err(error).context("failed to take the lease on the stack"),
        }
    }

    async fn list(&self) -> Result<Vec<(Slot, String)>, ResourceError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let call = self.client.get_parameters_by_path().path(&self.path).set_next_token(token);
            let call = call.max_results(i32::try_from(PAGE).unwrap_or(1)).customize();
            let answer = call.config_override(Self::calls()).interceptor(self.clock.clone()).send().await;
            let answer = answer.context("failed to read the lease on the stack")?;
            let entries = answer.parameters.unwrap_or_default().into_iter();
            found.extend(entries.filter_map(|entry| {
                let number = entry.name?.rsplit('/').next()?.parse().ok()?;
                Some((Slot(number), entry.value.unwrap_or_default()))
            }));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn delete(&self, slots: &[Slot]) -> Result<(), Undeleted> {
        for names in slots.chunks(PAGE) {
            let names = names.iter().map(|slot| self.name(*slot)).collect();
            let once = Self::calls().retry_config(RetryConfig::disabled());
            let call = self.client.delete_parameters().set_names(Some(names)).customize();
            if let Err(error) = call.config_override(once).interceptor(self.clock.clone()).send().await {
                let refused =
                    matches!(&error, SdkError::ServiceError(answer) if answer.raw().status().is_client_error());
                let error = Err::<(), _>(error).context("failed to give the lease on the stack back");
                return error.map_err(if refused { Undeleted::Refused } else { Undeleted::Unknown });
            }
        }
        Ok(())
    }

    fn reading(&self) -> Option<Reading> {
        *self.clock.reading.lock()
    }
}

/// Reads AWS's clock from the header `Date` of each answer.
#[derive(Clone, Debug, Default)]
struct ReadDate {
    sent: Arc<Mutex<Moment>>,
    reading: Arc<Mutex<Option<Reading>>>,
}

impl Intercept for ReadDate {
    fn name(&self) -> &'static str {
        "ReadDate"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.sent.lock() = Moment::now();
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(seconds) = date.and_then(|date| u64::try_from(date.secs()).ok()) {
            let (sent, received) = (*self.sent.lock(), Moment::now());
            *self.reading.lock() = Some(Reading { date: Duration::from_secs(seconds), sent, received });
        }
        Ok(())
    }
}
