//! The domain that has to lead to the host from a change of the way in on. A way in that works ends with the change, so the
//! owner learns before it which DNS record the next one needs.

use std::net::IpAddr;

use peersync_engine::{Live, ResourceError};
use peersync_resources::kinds::{cloudflare_record, elastic_ip, signal_instance};
use peersync_resources::stack::Stack;

use super::{caa, domain};
use crate::ObservedStack;

/// A domain that has to lead to the host after a change of the way in, and need not lead there before.
#[derive(Debug)]
pub struct NeededDomain {
    domain: String,
    /// The address that the host will have, if the stack has one already.
    host: Option<IpAddr>,
    /// Whether the stack's record at Cloudflare leads the domain to its tunnel.
    leads_to_tunnel: bool,
}

impl NeededDomain {
    /// Returns the domain; `None` if the stack is not in use, or its host has a certificate for that domain. In an emulator,
    /// nothing runs on a host.
    pub fn of(stack: &Stack, observed: &ObservedStack) -> Option<Self> {
        let domain = stack.config.signaling.certified_domain().filter(|_| stack.runs_hosts)?;
        let record = observed.ours().find(|(address, _)| **address == cloudflare_record::address());
        let outputs = observed.outputs();
        let address = outputs.get(&elastic_ip::address(), "ip");
        Self::between(domain, observed.host()?, record.map(|(_, live)| live), address)
    }

    fn between(domain: &str, host: &Live, record: Option<&Live>, address: Option<&str>) -> Option<Self> {
        signal_instance::lacks_domain(host, domain).then(|| Self {
            domain: domain.to_owned(),
            host: address.and_then(|address| address.parse().ok()),
            leads_to_tunnel: record.is_some_and(|record| cloudflare_record::is_at(record, domain)),
        })
    }

    /// Returns what to tell if the host's address is not known yet, so that no record can exist.
    pub fn note(&self) -> Option<String> {
        let Self { domain, host: None, .. } = self else { return None };
        Some(format!(
            "{domain} will need one DNS record, of type A with an address that the host does not have yet; until it exists, \
             nobody can begin a call. To change the way in without such a gap, run `peersync-deploy up` with `ingress = \
             \"cloudfront\"` and without `domain` under [signaling] first, add the record with the `signaling_address` that \
             `peersync-deploy outputs` then shows with this configuration, and run `peersync-deploy up` with it."
        ))
    }

    /// Resolves the domain, and returns why the way in must not change now: the host's address is known and the domain does not
    /// lead there, or it may have no certificate.
    pub async fn refusal(&self) -> Option<ResourceError> {
        if self.host.is_some()
            && let Some(refusal) = self.refused(domain::resolved(&self.domain).await)
        {
            return Some(refusal);
        }
        caa::refusal(&self.domain).await
    }

    fn refused(&self, found: Result<Vec<IpAddr>, String>) -> Option<ResourceError> {
        let Self { domain, host, leads_to_tunnel } = self;
        let host = (*host)?;
        let cause = domain::fault(domain, host, found)?;
        let error = ResourceError::new("the new way in needs a domain that leads to the host");
        Some(if *leads_to_tunnel {
            error
                .caused_by(format!("{domain} has a record at Cloudflare that leads to the tunnel, the present way in"))
                .hint(
                    "use another `domain` under [signaling]; to keep this one, run `peersync-deploy up` with `ingress = \
                     \"cloudfront\"` and without `domain` first, which deletes that record",
                )
        } else {
            let record = domain::needed_record(domain, host);
            error.caused_by(cause).hint(format!(
                "{record}, and run the command again once that is in force; until then nothing is changed, unless by \
                 `peersync-deploy up --no-check`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use peersync_engine::{FieldName, LiveField, LiveFields};
    use serde_json::json;

    use super::*;
    use crate::DeployError;

    const DOMAIN: &str = "signal.example.org";
    const ADDRESS: Option<&str> = Some("203.0.113.7");

    fn live(name: &'static str, value: impl Into<LiveField>) -> Live {
        Live { fields: LiveFields::new().with(FieldName::new(name), value.into()), ..Live::default() }
    }

    fn host(relay_environment: &str) -> Live {
        live("user_data", json!({ "/etc/peersync/relay.env": { "content": relay_environment } }))
    }

    fn needed(record: Option<&str>, address: Option<&str>) -> NeededDomain {
        let record = record.map(|name| live("domain", name));
        NeededDomain::between(DOMAIN, &host(""), record.as_ref(), address).unwrap()
    }

    fn refused(needed: &NeededDomain, found: Result<Vec<&str>, &str>) -> Option<String> {
        let found = found.map(|all| all.into_iter().map(|one| one.parse().unwrap()).collect());
        let problem = DeployError::Call(needed.refused(found.map_err(str::to_owned))?).problem();
        Some(format!("{}\n{}\n{}", problem.summary, problem.causes.join("\n"), problem.hint.unwrap()))
    }

    #[test]
    fn host_with_a_certificate_for_the_domain_needs_no_other_record() {
        let same = host("RELAY_DOMAIN=\"signal.example.org\"\n");
        assert!(NeededDomain::between(DOMAIN, &same, None, ADDRESS).is_none());
        let other = host("RELAY_DOMAIN=\"calls.example.org\"\n");
        assert!(NeededDomain::between(DOMAIN, &other, None, ADDRESS).is_some());
        let unread = live("user_data", LiveField::Unreadable);
        assert!(NeededDomain::between(DOMAIN, &unread, None, ADDRESS).is_none());
    }

    #[test]
    fn domain_that_leads_to_the_host_already_lets_the_way_in_change() {
        assert_eq!(refused(&needed(None, ADDRESS), Ok(vec!["203.0.113.7"])), None);
    }

    #[test]
    fn way_in_that_works_is_not_left_for_a_domain_that_leads_elsewhere() {
        insta::assert_snapshot!(refused(&needed(None, ADDRESS), Ok(vec!["192.0.2.1"])).unwrap(), @r"
        the new way in needs a domain that leads to the host
        signal.example.org resolves to 192.0.2.1, and the host has the address 203.0.113.7
        let signal.example.org have one DNS record, of type A with the value 203.0.113.7 (no AAAA record, and no proxy of the DNS provider), and run the command again once that is in force; until then nothing is changed, unless by `peersync-deploy up --no-check`
        ");
        let unknown = refused(&needed(None, ADDRESS), Err("no such host")).unwrap();
        assert!(unknown.contains("signal.example.org does not resolve: no such host"), "{unknown}");
    }

    #[test]
    fn domain_of_the_tunnel_cannot_lead_to_the_host() {
        let own = needed(Some("Signal.example.org"), ADDRESS);
        insta::assert_snapshot!(refused(&own, Ok(vec!["192.0.2.1"])).unwrap(), @r#"
        the new way in needs a domain that leads to the host
        signal.example.org has a record at Cloudflare that leads to the tunnel, the present way in
        use another `domain` under [signaling]; to keep this one, run `peersync-deploy up` with `ingress = "cloudfront"` and without `domain` first, which deletes that record
        "#);
        let other = needed(Some("calls.example.org"), ADDRESS);
        assert!(refused(&other, Ok(vec!["192.0.2.1"])).unwrap().contains("of type A with the value 203.0.113.7"));
    }

    #[test]
    fn record_of_an_address_that_does_not_exist_yet_is_announced() {
        assert_eq!(needed(None, ADDRESS).note(), None);
        let unknown = needed(Some(DOMAIN), None);
        assert_eq!(refused(&unknown, Err("no such host")), None);
        insta::assert_snapshot!(unknown.note().unwrap(), @r#"signal.example.org will need one DNS record, of type A with an address that the host does not have yet; until it exists, nobody can begin a call. To change the way in without such a gap, run `peersync-deploy up` with `ingress = "cloudfront"` and without `domain` under [signaling] first, add the record with the `signaling_address` that `peersync-deploy outputs` then shows with this configuration, and run `peersync-deploy up` with it."#);
    }
}
