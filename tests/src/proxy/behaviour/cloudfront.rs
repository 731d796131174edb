//! Distributions: in progress for a while, to be disabled before deletion, and protecting the resources they use.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use super::{Behave, Moments};
use crate::proxy::call::{Answer, Call, between, elements};
use crate::proxy::lock;

#[derive(Default)]
struct Distributions {
    changed: Moments,
    enabled: HashMap<String, bool>,
}

/// Distributions between two states.
pub(super) struct DistributionInProgress {
    time: Duration,
    distributions: Mutex<Distributions>,
}

impl DistributionInProgress {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, distributions: Mutex::default() }
    }
}

/// Returns whether a configuration enables its distribution; elements of this name also occur inside others.
fn enabled(configuration: &str) -> bool {
    let mut rest = configuration.to_owned();
    for inner in ["Logging", "OriginShield", "TrustedSigners", "TrustedKeyGroups", "ActiveTrustedSigners", "GrpcConfig"]
    {
        while let Some((before, after)) = rest.split_once(&format!("<{inner}>")) {
            let tail = after.split_once(&format!("</{inner}>")).map(|(_, tail)| tail).unwrap_or_default();
            rest = format!("{before}{tail}");
        }
    }
    between(&rest, "<Enabled>", "</Enabled>") == Some("true")
}

fn created_id(answer: &Answer) -> Option<String> {
    between(&answer.text(), "<Id>", "</Id>").map(str::to_owned)
}

impl Behave for DistributionInProgress {
    fn before(&self, call: &Call) -> Option<Answer> {
        if !call.is("cloudfront", "DeleteDistribution") {
            return None;
        }
        if !call.headers.contains_key("if-match") {
            let message = "The If-Match version is missing or not valid for the resource.";
            return Some(Answer::error(call, 400, "InvalidIfMatchVersion", message));
        }
        let id = call.segment(2)?;
        let distributions = lock(&self.distributions);
        let enabled = distributions.enabled.get(&id).copied().unwrap_or(false);
        let message = "The distribution you are trying to delete has not been disabled.";
        let refused = enabled || distributions.changed.within(&id, self.time);
        refused.then(|| Answer::error(call, 409, "DistributionNotDisabled", message))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.service != "cloudfront" || !answer.ok() {
            return;
        }
        let id = match call.operation.as_str() {
            "CreateDistribution" => created_id(answer),
            "UpdateDistribution" | "GetDistribution" => call.segment(2),
            _ => None,
        };
        let Some(id) = id else { return };
        let mut distributions = lock(&self.distributions);
        if call.mutating() {
            distributions.changed.set(id.clone());
            distributions.enabled.insert(id.clone(), enabled(&call.text()));
        }
        if distributions.changed.within(&id, self.time) {
            answer.set_body(answer.text().replacen("<Status>Deployed</Status>", "<Status>InProgress</Status>", 1));
        }
    }
}

/// What each distribution uses: access controls, headers policies and functions.
#[derive(Default)]
pub(super) struct InUse {
    uses: Mutex<HashMap<String, Vec<String>>>,
}

impl Behave for InUse {
    fn before(&self, call: &Call) -> Option<Answer> {
        let code = match call.operation.as_str() {
            "DeleteOriginAccessControl" => "OriginAccessControlInUse",
            "DeleteResponseHeadersPolicy" => "ResponseHeadersPolicyInUse",
            "DeleteFunction" if call.service == "cloudfront" => "FunctionInUse",
            _ => return None,
        };
        let id = call.segment(2)?;
        let uses = lock(&self.uses);
        let used = uses.values().flatten().any(|used| *used == id || super::last_part(used) == id);
        used.then(|| Answer::error(call, 409, code, "It is attached to one or more distributions."))
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.service != "cloudfront" || !answer.ok() {
            return;
        }
        let id = match call.operation.as_str() {
            "CreateDistribution" => created_id(answer),
            "UpdateDistribution" | "DeleteDistribution" => call.segment(2),
            _ => None,
        };
        let Some(id) = id else { return };
        let text = call.text();
        let names = ["OriginAccessControlId", "ResponseHeadersPolicyId", "FunctionARN"];
        let used = names.iter().flat_map(|name| elements(&text, name)).filter(|used| !used.is_empty());
        let used = used.map(str::to_owned).collect();
        if call.operation == "DeleteDistribution" {
            lock(&self.uses).remove(&id);
        } else {
            lock(&self.uses).insert(id, used);
        }
    }
}

/// Another client changes the resource first: the first change of each is refused because of its entity tag.
#[derive(Default)]
pub(super) struct ChangedMeanwhile {
    met: Mutex<HashSet<(String, String)>>,
}

impl Behave for ChangedMeanwhile {
    fn before(&self, call: &Call) -> Option<Answer> {
        if call.service != "cloudfront" || !call.headers.contains_key("if-match") {
            return None;
        }
        let first = lock(&self.met).insert((call.operation.clone(), call.segment(2)?));
        let message = "The request failed because it didn't meet the preconditions in one or more header fields.";
        first.then(|| Answer::error(call, 412, "PreconditionFailed", message))
    }
}
