//! Concurrent changes of one API, and the role that the account needs before a stage may write a log.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use super::{Behave, Moments, Propagation};
use crate::proxy::call::{Answer, Call};
use crate::proxy::lock;

/// Concurrent changes: the first change of each kind is refused for each API.
#[derive(Default)]
pub(super) struct Concurrent {
    met: Mutex<HashSet<(String, Option<String>)>>,
}

impl Behave for Concurrent {
    fn before(&self, call: &Call) -> Option<Answer> {
        if call.service != "apigateway" || !call.mutating() || call.segment(0).as_deref() != Some("restapis") {
            return None;
        }
        let api = call.segment(1)?;
        let first = lock(&self.met).insert((call.operation.clone(), Some(api)));
        let (status, code, message) = if call.operation == "CreateDeployment" {
            (400, "BadRequestException", "There is already an update in progress for this API")
        } else {
            let message = "Unable to complete operation due to concurrent modification. Please try again later.";
            (409, "ConflictException", message)
        };
        first.then(|| Answer::error(call, status, code, message))
    }
}

/// Refuses the deployment of an incomplete API.
#[derive(Default)]
pub(super) struct EmptyDeployment {
    /// Methods by the paths of their requests, and whether they have an integration.
    methods: Mutex<HashMap<String, bool>>,
}

impl Behave for EmptyDeployment {
    fn before(&self, call: &Call) -> Option<Answer> {
        let api = format!("/restapis/{}/", call.segment(1).filter(|_| call.is("apigateway", "CreateDeployment"))?);
        let methods = lock(&self.methods);
        let ours = methods.iter().filter(|(path, _)| path.starts_with(&api));
        let ours: Vec<bool> = ours.map(|(_, answered)| *answered).collect();
        let message = match ours.as_slice() {
            [] => "The REST API doesn't contain any methods",
            ours if ours.contains(&false) => "No integration defined for method",
            _ => return None,
        };
        Some(Answer::error(call, 400, "BadRequestException", message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.service != "apigateway" || !answer.ok() {
            return;
        }
        let path = call.uri.path().trim_end_matches("/integration").to_owned();
        let mut methods = lock(&self.methods);
        match call.operation.as_str() {
            "PutMethod" => _ = methods.insert(path, false),
            "PutIntegration" => _ = methods.insert(path, true),
            // Every method of a document that we import has an integration.
            "PutRestApi" => _ = methods.insert(format!("{path}/"), true),
            "DeleteMethod" => _ = methods.remove(&path),
            _ => {}
        }
    }
}

/// The account's role for the logs of stages.
pub(super) struct LogRole {
    /// Until a new role is known to API Gateway.
    role_time: Duration,
    /// Until every part of API Gateway knows the account's role.
    account_time: Duration,
    moments: Mutex<LogRoleMoments>,
}

#[derive(Default)]
struct LogRoleMoments {
    /// Creations of roles.
    roles: Propagation,
    /// When the account got its role, by that.
    account: Moments,
    /// The number of refusals.
    refused: usize,
}

impl LogRoleMoments {
    /// Returns one of AWS's two texts for the same state, in turn.
    fn alternate(&mut self, first: &'static str, second: &'static str) -> &'static str {
        self.refused += 1;
        if self.refused % 2 == 1 { first } else { second }
    }
}

/// API Gateway tries a role by writing with it.
const CANNOT_WRITE: &str = "API Gateway could not successfully write to CloudWatch Logs using the ARN specified";

const ACCOUNT: &str = "account";

impl LogRole {
    pub(super) fn new(role_time: Duration, account_time: Duration) -> Self {
        Self { role_time, account_time, moments: Mutex::default() }
    }
}

/// The role that a change of the account sets; empty if it removes it.
fn role_of(call: &Call) -> Option<String> {
    let patches = call.json("patchOperations").filter(|_| call.is("apigateway", "UpdateAccount"))?;
    Some(patches.get(0)?.get("value")?.as_str()?.to_owned())
}

impl Behave for LogRole {
    fn before(&self, call: &Call) -> Option<Answer> {
        let mut moments = lock(&self.moments);
        if let Some(role) = role_of(call).filter(|role| !role.is_empty()) {
            let role = super::last_part(&role);
            let known = moments.roles.is_known(role, self.role_time);
            let message = moments.alternate(
                "The role ARN does not have required permissions configured. Please grant trust permission for API \
                 Gateway and add the required role policy.",
                CANNOT_WRITE,
            );
            return (!known).then(|| Answer::error(call, 400, "BadRequestException", message));
        }
        let logs = call.is("apigateway", "UpdateStage") && call.text().contains("/accessLogSettings");
        let ready = moments.account.knows(ACCOUNT) && !moments.account.within(ACCOUNT, self.account_time);
        let without = "CloudWatch Logs role ARN must be set in account settings to enable logging";
        // Which part of API Gateway answers decides how far the news has come.
        let message = if moments.account.knows(ACCOUNT) { moments.alternate(without, CANNOT_WRITE) } else { without };
        (logs && !ready).then(|| Answer::error(call, 400, "BadRequestException", message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if !answer.ok() {
            return;
        }
        let mut moments = lock(&self.moments);
        if let Some(role) = call.parameter("RoleName").filter(|_| call.is("iam", "CreateRole")) {
            moments.roles.made.set(role);
        }
        match role_of(call) {
            Some(role) if role.is_empty() => moments.account.forget(ACCOUNT),
            Some(_) => moments.account.set(ACCOUNT),
            None => {}
        }
    }
}
