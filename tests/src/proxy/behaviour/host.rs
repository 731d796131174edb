//! Hosts that run their user data: they report in a tag how far their installation is, and whether they have a certificate.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use super::{Behave, Moments};
use crate::proxy::call::{Answer, Call, elements};
use crate::proxy::{lock, user_data};

/// The tag of the report.
const TAG: &str = "<key>peersync:ready</key>";
/// What the domains of hosts begin with for which no authority issues a certificate.
pub const REFUSED: &str = "refused.";

/// The user data of each host, which MiniStack does not keep, and which outlives a proxy.
static USER_DATA: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);

/// Hosts that install themselves for a while and are ready then, though without a certificate until they have had the address
/// for a while, unless the stack has kept one for their domain. A report that is really there, of a test that runs the
/// installation, is left alone.
pub(super) struct HostReports {
    time: Duration,
    certificate: Duration,
    hosts: Mutex<Hosts>,
}

#[derive(Default)]
struct Hosts {
    launched: Moments,
    /// The domains of the certificates of those that have one.
    domains: HashMap<String, String>,
    /// When they were given the address.
    addressed: Moments,
    /// The domain of the certificate that the stack keeps.
    kept: Option<String>,
}

impl HostReports {
    pub(super) fn new(time: Duration, certificate: Duration) -> Self {
        Self { time, certificate, hosts: Mutex::default() }
    }
}

impl Hosts {
    /// Hosts that have had the address for long enough obtain their certificates.
    fn obtain(&mut self, time: Duration) {
        for (id, domain) in &self.domains {
            let in_time = self.addressed.knows(id) && !self.addressed.within(id, time);
            if in_time && !domain.starts_with(REFUSED) {
                self.kept = Some(domain.clone());
                self.addressed.forget(id);
            }
        }
    }

    fn report(&self, id: &str, time: Duration) -> String {
        let domain = self.domains.get(id);
        let trouble =
            |kind, text| format!("ready without a certificate: {kind}: again at 2026-11-29T22:10:00Z: {text}");
        match domain {
            _ if self.launched.within(id, time) => "waiting for the signaling program: attempt 1".to_owned(),
            Some(domain) if domain.starts_with(REFUSED) => trouble("caa", "CAA forbids issuance"),
            Some(_) if domain != self.kept.as_ref() => trouble("waiting", "the name leads to another host"),
            _ => "ready".to_owned(),
        }
    }
}

impl Behave for HostReports {
    fn after(&self, call: &Call, answer: &mut Answer) {
        if !answer.ok() {
            return;
        }
        let mut hosts = lock(&self.hosts);
        if call.is("ec2", "RunInstances") {
            let user_data = call.parameter("UserData").unwrap_or_default();
            let domain = user_data::certified_domain(&user_data);
            for id in elements(&answer.text(), "instanceId") {
                hosts.launched.set(id);
                lock(&USER_DATA).insert(id.to_owned(), user_data.clone());
                hosts.domains.extend(domain.clone().map(|domain| (id.to_owned(), domain)));
            }
        }
        if call.is("ec2", "DescribeInstanceAttribute") && call.parameter("Attribute").as_deref() == Some("userData") {
            let id = call.parameter("InstanceId").unwrap_or_default();
            if let Some(user_data) = lock(&USER_DATA).get(&id) {
                answer.set_body(format!(
                    "<DescribeInstanceAttributeResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                     <requestId>proxy</requestId><instanceId>{id}</instanceId><userData><value>{user_data}</value></userData>\
                     </DescribeInstanceAttributeResponse>"
                ));
            }
        }
        if call.is("ec2", "AssociateAddress") {
            hosts.addressed.set(call.parameter("InstanceId").unwrap_or_default());
        }
        if call.is("ssm", "DeleteParameters") && call.text().contains("/acme-certificate") {
            hosts.kept = None;
        }
        if call.is("ec2", "DescribeInstances") {
            hosts.obtain(self.certificate);
            let text = answer.text();
            // A reservation has one instance; emulators differ in whether its tags come before its id.
            let parts = text.split_inclusive("</instancesSet>").map(|part| {
                let id = elements(part, "instanceId").first().copied().filter(|id| hosts.launched.knows(id));
                let Some(id) = id.filter(|_| !part.contains(TAG)) else { return part.to_owned() };
                let report = hosts.report(id, self.time);
                part.replacen("<tagSet>", &format!("<tagSet><item>{TAG}<value>{report}</value></item>"), 1)
            });
            let rewritten: String = parts.collect();
            answer.set_body(rewritten);
        }
    }
}
