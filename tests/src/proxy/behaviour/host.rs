//! Hosts that run their user data: they report in a tag how far their installation is.

use std::sync::Mutex;
use std::time::Duration;

use super::{Behave, Moments};
use crate::proxy::call::{Answer, Call, elements};
use crate::proxy::lock;

/// The tag of the report.
const TAG: &str = "<key>peersync:ready</key>";

/// Hosts that install themselves for a while and are ready then. A report that is really there, of a test that runs the
/// installation, is left alone.
pub(super) struct HostReports {
    time: Duration,
    launched: Mutex<Moments>,
}

impl HostReports {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, launched: Mutex::default() }
    }
}

impl Behave for HostReports {
    fn after(&self, call: &Call, answer: &mut Answer) {
        if !answer.ok() {
            return;
        }
        let mut launched = lock(&self.launched);
        if call.is("ec2", "RunInstances") {
            elements(&answer.text(), "instanceId").into_iter().for_each(|id| launched.set(id));
        }
        if call.is("ec2", "DescribeInstances") {
            let text = answer.text();
            // A reservation has one instance; emulators differ in whether its tags come before its id.
            let parts = text.split_inclusive("</instancesSet>").map(|part| {
                let id = elements(part, "instanceId").first().copied().filter(|id| launched.knows(id));
                let Some(id) = id.filter(|_| !part.contains(TAG)) else { return part.to_owned() };
                let installs = launched.within(id, self.time);
                let report = if installs { "waiting for the signaling program: attempt 1" } else { "ready" };
                part.replacen("<tagSet>", &format!("<tagSet><item>{TAG}<value>{report}</value></item>"), 1)
            });
            let rewritten: String = parts.collect();
            answer.set_body(rewritten);
        }
    }
}
