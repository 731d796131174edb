//! What `list` tells of a deployed stack beside its tags: how it is, and which build its functions run.

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};

use super::DeployedStack;
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_engine::ResourceError;
use peersync_resources::kinds::alarm;

/// How a stack is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has everything, and no alarm is raised.
    Ok,
    /// It has everything, but its configuration turns the alarms off.
    NotWatched,
    /// These alarms are raised; the names are without the stack's.
    Alarms(Vec<String>),
    /// It has nothing of these kinds.
    Incomplete(Vec<&'static str>),
}

/// What is read of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// How it is.
    pub health: Health,
    /// The SHA-256 of the functions' program, in hexadecimal; `None` if it has no function.
    pub build: Option<String>,
}

/// Reads how a stack is.
///
/// # Errors
/// Fails if AWS denies access.
pub async fn overview(clients: &Clients, stack: &DeployedStack) -> Result<Overview, ResourceError> {
    let (raised, build) = futures::try_join!(raised_alarms(clients, &stack.name), build(clients, &stack.name))?;
    let missing = stack.missing_kinds();
    let health = if !missing.is_empty() {
        Health::Incomplete(missing)
    } else if !raised.is_empty() {
        Health::Alarms(raised)
    } else if stack.resources.contains_key("alarm") {
        Health::Ok
    } else {
        Health::NotWatched
    };
    Ok(Overview { health, build })
}

/// Returns the names of the stack's alarms that are raised, without the stack's.
///
/// # Errors
/// The alarms cannot be read.
pub async fn raised_alarms(clients: &Clients, stack: &str) -> Result<Vec<String>, ResourceError> {
    let prefix = format!("{stack}-");
    let call = clients.cloudwatch.describe_alarms().alarm_types(AlarmType::MetricAlarm);
    let call = call.alarm_name_prefix(&prefix).state_value(StateValue::Alarm).into_paginator().send();
    let pages = match call.collect::<Result<Vec<_>, _>>().await.context("failed to read the alarms") {
        Err(error) if clients.lack(&error) => Vec::new(),
        pages => pages?,
    };
    let alarms = pages.into_iter().flat_map(|page| page.metric_alarms.unwrap_or_default());
    // Another stack's name may begin like this one's.
    let ours = alarms.filter_map(|alarm| alarm.alarm_name).filter(|name| alarm::owner(name) == Some(stack));
    Ok(ours.filter_map(|name| Some(name.strip_prefix(&prefix)?.to_owned())).collect())
}

/// Returns the build that the function `signup` runs.
async fn build(clients: &Clients, stack: &str) -> Result<Option<String>, ResourceError> {
    let answer = clients.lambda.get_function_configuration().function_name(format!("{stack}-signup")).send().await;
    let answer = match answer.found(&["ResourceNotFoundException"], "failed to read a function") {
        Err(error) if clients.lack(&error) => None,
        answer => answer?,
    };
    Ok(answer.and_then(|function| function.environment?.variables?.remove("PEERSYNC_BUILD")))
}
