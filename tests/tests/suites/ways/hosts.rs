//! What each host serves: by the address of the stack, and with which certificates; and how the edge asks for it.

use std::collections::{BTreeMap, BTreeSet};

use super::rights::{Need, needs};
use peersync_tests::proxy::behaviour::REFUSED;
use peersync_tests::proxy::call::between;
use peersync_tests::proxy::user_data::variable;

/// How the distribution leads to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    Plain,
    /// By TLS alone, to this domain.
    Tls(String),
}

impl Edge {
    /// Returns that of the configuration of a distribution; `None` if it does not lead to the host.
    pub fn of(text: &str) -> Option<Self> {
        let origin = between(text, "<Id>signal</Id>", "</Origin>")?;
        let domain = between(origin, "<DomainName>", "</").expect("an origin has a domain");
        match between(origin, "<OriginProtocolPolicy>", "</") {
            Some("http-only") => Some(Self::Plain),
            Some("https-only") => Some(Self::Tls(domain.to_owned())),
            other => panic!("the edge speaks {other:?} to the host"),
        }
    }
}

/// A host that is ready.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its way in.
    way: String,
    /// The domain of its certificate.
    domain: Option<String>,
    /// The domains for which it shows a certificate.
    shows: BTreeSet<String>,
    needs: Vec<Need>,
}

impl Host {
    pub fn new(text: &str) -> Self {
        let way = variable(text, "INGRESS").expect("user data names the way in");
        Self { way, domain: variable(text, "RELAY_DOMAIN"), shows: BTreeSet::new(), needs: needs(text) }
    }

    /// Whatever the edge speaks at the port for it is understood, and TLS needs the certificate.
    pub fn serves_edge(&self, edge: &Edge) -> bool {
        match edge {
            Edge::Plain => self.way != "cloudflare",
            Edge::Tls(domain) => self.shows.contains(domain),
        }
    }

    pub fn serves_directly(&self, domain: &str) -> bool {
        self.way == "direct" && self.shows.contains(domain)
    }
}

#[derive(Debug, Default)]
pub struct Hosts {
    /// Those that are ready.
    ready: BTreeMap<String, Host>,
    /// Who may have the address; nothing until it is given to the first.
    holders: Vec<Option<String>>,
    /// The domain of the certificate that the stack keeps.
    kept: Option<String>,
}

impl Hosts {
    /// A host is ready: it shows the certificate that the stack has kept, whose it may be.
    pub fn ready(&mut self, id: &str, mut host: Host) {
        host.shows.extend(host.domain.as_ref().and(self.kept.clone()));
        self.ready.insert(id.to_owned(), host);
    }

    pub fn end(&mut self, id: &str) {
        self.ready.remove(id);
    }

    /// The address is on its way to a host.
    pub fn moves(&mut self, to: Option<&str>) {
        if self.holders.iter().flatten().next().is_none() {
            // Nobody could be led there before, so that the certificate is the owner's affair.
            to.into_iter().for_each(|id| self.certify(id));
        }
        self.holders.push(to.map(str::to_owned));
    }

    pub fn moved(&mut self, to: Option<&str>) {
        self.holders = vec![to.map(str::to_owned)];
    }

    /// A host has had the address for long enough to obtain a certificate.
    pub fn obtain(&mut self, id: &str) {
        if self.holders == [Some(id.to_owned())] {
            self.certify(id);
        }
    }

    fn certify(&mut self, id: &str) {
        let Some(host) = self.ready.get_mut(id) else { return };
        if let Some(domain) = host.domain.clone().filter(|domain| !domain.starts_with(REFUSED)) {
            host.shows.insert(domain.clone());
            self.kept = Some(domain);
        }
    }

    /// A parameter is deleted.
    pub fn forget(&mut self, parameter: &str) {
        if parameter.ends_with("/acme-certificate") {
            self.kept = None;
        }
    }

    /// Returns whether whoever may have the address serves so.
    pub fn at_address(&self, serves: impl Fn(&Host) -> bool) -> bool {
        let holds = |holder: &Option<String>| holder.as_ref().and_then(|id| self.ready.get(id)).is_some_and(&serves);
        !self.holders.is_empty() && self.holders.iter().all(holds)
    }

    pub fn have_tunnel(&self) -> bool {
        self.ready.values().any(|host| host.way == "cloudflare")
    }

    /// Returns what those that are ready need of their role.
    pub fn needs(&self) -> impl Iterator<Item = &Need> {
        self.ready.values().flat_map(|host| &host.needs)
    }
}
