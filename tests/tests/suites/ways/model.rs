//! What pages are told, and what serves them there, at every moment of the runs of a proxy's log. To serve, hosts and
//! functions need their rights, and what they read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::hosts::{Edge, Host, Hosts};
use super::rights::{RELAYED, Rights};
use peersync_tests::cloudflare::Asked;
use peersync_tests::proxy::call::{Call, between, elements};
use peersync_tests::proxy::log::Record;
use peersync_tests::proxy::user_data::unpacked;

/// Returns whether the model needs the whole request.
pub fn is_relevant(call: &Call) -> bool {
    const OPERATIONS: [&str; 16] = [
        "AssociateAddress",
        "AuthorizeSecurityGroupEgress",
        "AuthorizeSecurityGroupIngress",
        "CreateDistribution",
        "CreateFunction",
        "CreateResponseHeadersPolicy",
        "DeleteParameters",
        "PutParameter",
        "PutRolePolicy",
        "ReleaseAddress",
        "RevokeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RunInstances",
        "TerminateInstances",
        "UpdateDistribution",
        "UpdateFunctionConfiguration",
    ];
    OPERATIONS.contains(&call.operation.as_str()) || is_config(call)
}

fn is_config(call: &Call) -> bool {
    call.is("s3", "PutObject") && call.uri.path().ends_with("/config.json")
}

/// A time during which pages were told of a way in that led nowhere.
#[derive(Debug)]
pub struct Gap {
    /// What began it.
    pub because: String,
    /// What was the case then.
    pub state: String,
    /// When.
    pub time: (Instant, Instant),
}

#[derive(Debug, Default)]
struct State {
    /// The ways that are told, by whom: paths, URLs, or nothing for the address of a quick tunnel; and who relays.
    told: BTreeMap<String, BTreeSet<String>>,
    /// The configurations of the distribution that are in force: how it leads to the host, and its policy.
    edge: Vec<(Option<Edge>, String)>,
    /// The content security policies by the ids of their response-headers policies.
    policies: BTreeMap<String, String>,
    hosts: Hosts,
    /// The ports that the security group opens.
    open: BTreeSet<String>,
    rights: Rights,
    tunnel: bool,
    record: bool,
}

impl State {
    /// Returns the ways that are told and lead nowhere, and what hosts lack.
    fn unserved(&self) -> BTreeSet<String> {
        let told = self.told.values().flatten().filter(|way| !self.serves(way)).cloned();
        let lacking = self.hosts.needs().filter(|need| !self.rights.suffice("signal", **need));
        told.chain(lacking.map(|(action, what)| format!("{action} {what}"))).collect()
    }

    fn serves(&self, way: &str) -> bool {
        let tunnelled = self.hosts.have_tunnel() && self.open.contains("Egress tcp 7844");
        let allowed = |origin: &str| {
            let allows = |id: &String| self.policies.get(id).is_some_and(|policy| policy.contains(origin));
            self.edge.iter().all(|(_, policy)| allows(policy))
        };
        match way {
            "/ws" => {
                let answers = |edge: &Edge| self.hosts.at_address(|host| host.serves_edge(edge));
                let leads = self.edge.iter().all(|(edge, _)| edge.as_ref().is_some_and(answers));
                leads && self.open.contains("Ingress tcp 8080")
            }
            relay if relay.starts_with(RELAY) => {
                relay != format!("{RELAY}host") || self.rights.suffice("rooms", RELAYED)
            }
            "" => tunnelled && allowed("wss://*.trycloudflare.com"),
            url => {
                let named = tunnelled && self.tunnel && self.record;
                let domain = url.trim_start_matches("wss://").trim_end_matches("/ws");
                let direct = self.hosts.at_address(|host| host.serves_directly(domain));
                let direct = direct && self.open.contains("Ingress tcp 443");
                (named || direct) && allowed(url.trim_end_matches("/ws"))
            }
        }
    }
}

/// The beginning of what is told of relays.
const RELAY: &str = "relay by ";

type Change = Box<dyn Fn(&mut State)>;

/// The changes in the order of time.
#[derive(Default)]
struct Changes(Vec<(Instant, String, Change)>);

impl Changes {
    fn add(&mut self, at: Instant, why: &str, change: impl Fn(&mut State) + 'static) {
        self.0.push((at, why.to_owned(), Box::new(change)));
    }

    /// `by` tells a way: at first that of before too.
    fn tell(&mut self, record: &Record, by: String, way: String) {
        let (who, new) = (by.clone(), way.clone());
        self.add(record.began, &record.operation, move |state| {
            state.told.entry(who.clone()).or_default().insert(new.clone());
        });
        self.add(record.ended, &record.operation, move |state| {
            state.told.insert(by.clone(), BTreeSet::from([way.clone()]));
        });
    }

    fn of_request(&mut self, record: &Record, call: &Call, answer: &str, slow: &Slow) {
        let why = record.operation.as_str();
        match why {
            "RunInstances" => {
                let text = unpacked(&call.parameter("UserData").unwrap_or_default());
                for id in elements(answer, "instanceId").into_iter().map(str::to_owned) {
                    let host = Host::new(&text);
                    self.add(record.began + slow.host, "a host is ready", move |state| {
                        state.hosts.ready(&id, host.clone());
                    });
                }
            }
            "TerminateInstances" => {
                let id = call.parameter("InstanceId.1").unwrap_or_default();
                self.add(record.began, why, move |state| state.hosts.end(&id));
            }
            "AssociateAddress" => {
                let id = call.parameter("InstanceId").unwrap_or_default();
                let (moving, moved) = (id.clone(), id.clone());
                self.add(record.began, why, move |state| state.hosts.moves(Some(&moving)));
                self.add(record.ended, why, move |state| state.hosts.moved(Some(&moved)));
                self.add(record.ended + slow.certificate, "a certificate", move |state| state.hosts.obtain(&id));
            }
            "ReleaseAddress" => self.add(record.began, why, |state| state.hosts.moved(None)),
            "CreateResponseHeadersPolicy" => {
                let id = between(answer, "<Id>", "</Id>").unwrap_or_default().to_owned();
                let text = call.text();
                let policy = between(&text, "connect-src ", "manifest-src").unwrap_or_default().to_owned();
                self.add(record.ended, why, move |state| {
                    state.policies.insert(id.clone(), policy.clone());
                });
            }
            "CreateDistribution" | "UpdateDistribution" => {
                let text = call.text();
                let policy = between(&text, "<ResponseHeadersPolicyId>", "</").unwrap_or_default().to_owned();
                let new = (Edge::of(&text), policy);
                let also = new.clone();
                self.add(record.began, why, move |state| state.edge.push(also.clone()));
                self.add(record.ended + slow.edge, "the edge", move |state| state.edge = vec![new.clone()]);
            }
            "CreateFunction" | "UpdateFunctionConfiguration" => {
                let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
                let value = |name: &str| body["Environment"]["Variables"][name].as_str().unwrap_or_default().to_owned();
                let signal = value("SIGNAL_URL");
                let site = value("SITE_URL").replacen("http", "ws", 1);
                let way = signal.strip_prefix(&site).filter(|path| path.starts_with('/')).unwrap_or(&signal).to_owned();
                let name = body["FunctionName"].as_str().map(str::to_owned).or_else(|| call.segment(2));
                let name = name.unwrap_or_default();
                if name.ends_with("-rooms") {
                    self.tell(record, format!("{name}, of relays"), format!("{RELAY}{}", value("TURN_PROVIDER")));
                }
                self.tell(record, name, way);
            }
            "PutObject" => {
                let text = call.text();
                // Pages that are told no path go by the functions.
                match between(&text, "\"signal\":\"", "\"").filter(|told| told.starts_with('/')) {
                    Some(told) => self.tell(record, "pages".to_owned(), told.to_owned()),
                    None => self.add(record.ended, why, |state| {
                        state.told.remove("pages");
                    }),
                }
            }
            "PutRolePolicy" | "PutParameter" | "DeleteParameters" => self.of_rights(record, call),
            _ => self.of_rules(record, call),
        }
    }

    fn of_rights(&mut self, record: &Record, call: &Call) {
        let why = record.operation.as_str();
        if let (Some(role), Some(policy)) = (call.parameter("RoleName"), call.parameter("PolicyDocument")) {
            let new = (role.clone(), policy.clone());
            self.add(record.began, why, move |state| state.rights.changing(&role, &policy));
            self.add(record.ended, why, move |state| state.rights.changed(&new.0, &new.1));
        }
        if let Some(name) = call.json_text("Name").filter(|_| why == "PutParameter") {
            self.add(record.ended, why, move |state| state.rights.stored(&name));
        }
        for name in call.json("Names").iter().flat_map(|names| names.as_array().into_iter().flatten()) {
            let name = name.as_str().unwrap_or_default().to_owned();
            self.add(record.began, why, move |state| {
                state.rights.deleted(&name);
                state.hosts.forget(&name);
            });
        }
    }

    fn of_rules(&mut self, record: &Record, call: &Call) {
        let (opens, direction) = match record.operation.split_once("SecurityGroup") {
            Some(("Authorize", direction)) => (true, direction.to_owned()),
            Some(("Revoke", direction)) => (false, direction.to_owned()),
            _ => return,
        };
        for number in 1..20 {
            let of = |name: &str| call.parameter(&format!("IpPermissions.{number}.{name}"));
            let (Some(protocol), Some(port)) = (of("IpProtocol"), of("FromPort")) else { continue };
            let rule = format!("{direction} {protocol} {port}");
            match opens {
                true => self.add(record.ended, &record.operation, move |state| {
                    state.open.insert(rule.clone());
                }),
                false => self.add(record.began, &record.operation, move |state| {
                    state.open.remove(&rule);
                }),
            }
        }
    }

    fn of_cloudflare(&mut self, asked: &Asked) {
        let parts: Vec<&str> = asked.what.split(['/', ' ']).filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            ["POST", "accounts", _, "cfd_tunnel"] => self.add(asked.at, &asked.what, |state| state.tunnel = true),
            ["DELETE", "accounts", _, "cfd_tunnel", _] => self.add(asked.at, &asked.what, |state| state.tunnel = false),
            ["POST", "zones", _, "dns_records"] => self.add(asked.at, &asked.what, |state| state.record = true),
            ["DELETE", "zones", _, "dns_records", _] => self.add(asked.at, &asked.what, |state| state.record = false),
            _ => {}
        }
    }
}

/// How long things take.
pub struct Slow {
    /// Until a host is ready.
    pub host: Duration,
    /// From when a host has the address until it has a certificate.
    pub certificate: Duration,
    /// Until a change of the distribution has reached the whole edge.
    pub edge: Duration,
}

/// Returns the times after `from` during which pages were told what leads nowhere.
pub fn gaps(records: &[Record], cloudflare: &[Asked], slow: &Slow, from: Instant) -> Vec<Gap> {
    let mut changes = Changes::default();
    for record in records.iter().filter(|record| record.status.is_some_and(|status| status < 300)) {
        if let Some((call, answer)) = &record.kept {
            changes.of_request(record, call, answer, slow);
        }
    }
    cloudflare.iter().for_each(|asked| changes.of_cloudflare(asked));
    changes.0.sort_by_key(|(at, _, _)| *at);
    let (mut state, mut gaps): (State, Vec<Gap>) = Default::default();
    let mut is_open = false;
    for (at, why, change) in &changes.0 {
        change(&mut state);
        let told = if *at < from { BTreeSet::new() } else { state.unserved() };
        match gaps.last_mut().filter(|_| is_open) {
            Some(gap) => gap.time.1 = *at,
            None if !told.is_empty() => {
                gaps.push(Gap { because: why.clone(), state: format!("{state:#?}"), time: (*at, *at) });
            }
            None => {}
        }
        is_open = !told.is_empty();
    }
    assert!(!is_open, "at the end, pages are told what leads nowhere: {gaps:#?}");
    gaps
}
