//! What of a stack must answer, and what counts as an answer.

use std::time::Duration;

use super::Patience;
use super::socket;
use crate::places::{distribution, gateway_url, site_page};
use peersync_aws::HttpClient;
use peersync_config::Ingress;
use peersync_engine::Outputs;
use peersync_engine::error::innermost_cause;
use peersync_resources::Relay;
use peersync_resources::kinds::elastic_ip;
use peersync_resources::stack::Stack;

/// How long the API may take: a new role and a new function are usable within seconds, at most about a minute.
const API_DEADLINE: Duration = Duration::from_secs(120);
/// How long the page may take: a new distribution reaches the edge within 3 to 10 minutes.
const EDGE_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// How long the signaling server may take: a new host has installed its programs after one to three minutes.
pub(super) const SIGNALING_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// How long an AWS emulator may take, in which everything is ready at once.
const EMULATOR_DEADLINE: Duration = Duration::from_secs(30);

/// The part that needs the host.
pub(super) const SIGNALING: &str = "signaling";
/// What to do about a signaling server that does not answer.
pub(super) const SIGNALING_HINT: &str = "check `peersync-deploy logs signal`, which has the installation of the host too; if this network lets no WebSocket through, \
     skip the check with `--no-check`";
/// What to do about one behind the certificate of its host.
const CERTIFICATE_HINT: &str = "check `peersync-deploy logs relay`, which says why the host has no certificate, and whether port \
                                443 is reached; if this network lets no WebSocket through, skip the check with `--no-check`";
/// What to do about one behind a tunnel that somebody else has created.
const OWN_TUNNEL_HINT: &str = "let the public hostname of the tunnel lead to http://127.0.0.1:8081, with nothing before it that asks for \
                               a sign-in, and check `peersync-deploy logs tunnel`; if this network lets no WebSocket through, skip the check with \
                               `--no-check`";

/// A URL that must answer.
#[derive(Debug)]
pub(crate) struct Target {
    /// `page`, `api` or `signaling`.
    pub(crate) part: &'static str,
    pub(crate) url: String,
    pub(super) deadline: Duration,
    pub(super) hint: String,
    /// For a WebSocket, the origin of the pages that open it.
    pub(super) origin: Option<String>,
}

impl Target {
    /// Returns the signaling server at this URL.
    pub(super) fn signaling(url: String, hint: &str, origin: String) -> Self {
        let (deadline, hint) = (SIGNALING_DEADLINE, hint.to_owned());
        Self { part: SIGNALING, url, deadline, hint, origin: Some(origin) }
    }

    /// Returns the same with the time that it may take.
    pub(super) fn within(self, patience: Patience) -> Self {
        Self { deadline: patience.limit(self.deadline), ..self }
    }

    /// Asks it once, and returns the answer, unless it is a WebSocket, which is opened and closed.
    ///
    /// # Errors
    /// There is no answer, or another than is expected; the text says what came instead.
    pub(crate) async fn ask(&self, client: &HttpClient) -> Result<Option<reqwest::Response>, String> {
        if let Some(origin) = &self.origin {
            return socket::open(client, &self.url, origin).await.map(|()| None);
        }
        let answer = client.get(&self.url).send().await.map_err(|error| innermost_cause(&error.without_url()))?;
        if answer.status().is_success() {
            return Ok(Some(answer));
        }
        Err(format!("the answer has HTTP status {}", answer.status()))
    }

    /// Returns a part for tests.
    #[cfg(test)]
    pub(crate) fn for_tests(part: &'static str, url: String) -> Self {
        Self { part, url, deadline: Duration::from_secs(15), hint: String::new(), origin: None }
    }
}

/// Returns what must answer, as far as the target offers it and the address is known without asking the host.
pub(crate) fn targets(stack: &Stack, outputs: &Outputs) -> Vec<Target> {
    [page(stack, outputs), api(stack, outputs), signaling(stack, outputs)].into_iter().flatten().collect()
}

fn page(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    if let Some(url) = site_page(stack, outputs) {
        let hint = "check `peersync-deploy status` and the bucket in the emulator".to_owned();
        return Some(Target { part: "page", url, deadline: EMULATOR_DEADLINE, hint, origin: None });
    }
    Some(Target {
        part: "page",
        url: format!("https://{}/", distribution(outputs)?),
        deadline: EDGE_DEADLINE,
        hint: "a new distribution can take longer: open the URL again later; `peersync-deploy status` shows the \
               distribution"
            .to_owned(),
        origin: None,
    })
}

fn api(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    let url = format!("{}/health", gateway_url(stack, outputs)?);
    let function =
        stack.artifacts.routes.iter().find(|route| route.path == "/health").map_or("signup", |route| route.function);
    let deadline = if stack.clients.endpoint_url.is_some() { EMULATOR_DEADLINE } else { API_DEADLINE };
    let hint = format!("check `peersync-deploy logs {function}` and `peersync-deploy status`");
    Some(Target { part: "api", url, deadline, hint, origin: None })
}

/// Returns the WebSocket: behind the edge, behind the tunnel of a domain, or at the host's own domain.
fn signaling(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    let signaling = &stack.config.signaling;
    let domain = match signaling.ingress {
        Ingress::Cloudfront => distribution(outputs),
        Ingress::Cloudflare => signaling.domain.as_deref(),
        Ingress::Direct => signaling.certified_domain().filter(|_| outputs.get(&elastic_ip::address(), "ip").is_some()),
    };
    let domain = domain.filter(|_| stack.runs_hosts)?;
    let is_own_tunnel = signaling.ingress == Ingress::Cloudflare && signaling.tunnel_token.is_some();
    let hint = if signaling.has_certificate() {
        CERTIFICATE_HINT
    } else if is_own_tunnel {
        OWN_TUNNEL_HINT
    } else {
        SIGNALING_HINT
    };
    Some(Target::signaling(format!("https://{domain}/ws"), hint, stack.site_url(outputs)?))
}

/// Returns the address of the relay, and the ways to it that need no name: with an own domain, that may lead to the host
/// only once the owner knows the host's address. Where HTTP needs a proxy, nothing else gets out.
pub(super) fn relay(stack: &Stack, outputs: &Outputs) -> Option<(String, Relay)> {
    let relay = stack.relay().filter(|_| stack.runs_hosts)?;
    let address = outputs.get(&elastic_ip::address(), "ip")?.to_owned();
    let is_direct = stack.clients.http.proxy_of(&format!("https://{address}/")).is_none();
    is_direct.then_some((address, Relay { tls: &[], shared: &[], ..relay }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_aws::{Clients, ConnectOptions, Identity};
    use peersync_config::{Architecture, Config, Secret};
    use peersync_engine::OutputMap;
    use peersync_resources::kinds::{cloudfront_distribution, rest_api};
    use peersync_resources::{Artifacts, Programs};

    /// Returns a stack at an endpoint that does not answer.
    async fn stack(config: Config) -> Stack {
        let (region, endpoint_url) = (Some("eu-central-1".to_owned()), Some("http://127.0.0.1:9".to_owned()));
        let options = ConnectOptions { region, endpoint_url, ..Default::default() };
        let clients = Clients::connect(&options).await.unwrap();
        let (account, arn) = ("123456789012".to_owned(), "arn:aws:iam::123456789012:user/test".to_owned());
        let identity = Identity { account, arn, partition: "aws".to_owned() };
        let programs = [Architecture::X86_64, Architecture::Arm64].map(Programs::none).into();
        let artifacts = Artifacts { pages: Vec::new(), programs, routes: Vec::new() };
        Stack::new(config, clients, identity, Box::leak(Box::new(artifacts)))
    }

    /// Returns the parts and the relay of a stack with this way in, each as its URL.
    async fn asked(signaling: peersync_config::Signaling, runs_hosts: bool) -> Vec<String> {
        let mut config = Config { stage: "test".to_owned(), ..Config::default() };
        config.signaling = signaling;
        let mut stack = stack(config).await;
        stack.runs_hosts = runs_hosts;
        let mut outputs = Outputs::default();
        let edge = OutputMap::new().with("domain", "d111.cloudfront.net").with("edge_domain", "d111.cloudfront.net");
        outputs.insert(cloudfront_distribution::address(), edge);
        outputs.insert(elastic_ip::address(), OutputMap::new().with("ip", "192.0.2.1"));
        outputs.insert(rest_api::address(), OutputMap::new().with("id", "a1"));
        let targets = targets(&stack, &outputs);
        let origins = targets.iter().filter_map(|target| target.origin.as_deref());
        assert!(origins.clone().all(|origin| origin == "https://d111.cloudfront.net"), "{targets:?}");
        assert_eq!(origins.count(), targets.iter().filter(|target| target.part == SIGNALING).count());
        let relay = relay(&stack, &outputs).map(|(address, _)| format!("stun:{address}"));
        let urls = targets.into_iter().filter(|target| target.part == SIGNALING).map(|target| target.url);
        urls.chain(relay).collect()
    }

    #[tokio::test]
    async fn each_way_in_is_asked_where_pages_find_it_and_the_relay_on_its_host() {
        let token = || Some(Secret::from_env("PATH"));
        let (domain, named) = (Some("signal.example.org"), "https://signal.example.org/ws");
        let (edge, relay) = ("https://d111.cloudfront.net/ws", "stun:192.0.2.1");
        for (ingress, domain, tunnel_token, expected) in [
            (Ingress::Cloudfront, None, None, &[edge, relay][..]),
            (Ingress::Cloudfront, domain, None, &[edge, relay]),
            (Ingress::Direct, domain, None, &[named, relay]),
            (Ingress::Cloudflare, domain, None, &[named]),
            (Ingress::Cloudflare, domain, token(), &[named]),
            // Only the host knows its address.
            (Ingress::Cloudflare, None, None, &[]),
        ] {
            let signaling = || peersync_config::Signaling {
                ingress,
                domain: domain.map(str::to_owned),
                tunnel_token: tunnel_token.clone(),
                ..peersync_config::Signaling::default()
            };
            assert_eq!(asked(signaling(), true).await, expected, "{ingress:?} {domain:?} {tunnel_token:?}");
            assert_eq!(asked(signaling(), false).await, Vec::<String>::new(), "nothing runs on a host of an emulator");
        }
    }
}
