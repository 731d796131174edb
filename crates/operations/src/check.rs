//! Checks that what was deployed answers: the page, the API, through the edge the signaling server, and the relay.

mod caa;
mod domain;
mod needed_domain;

use std::fmt::Display;
use std::time::Duration;

use futures::future::{try_join, try_join_all};

pub use self::needed_domain::NeededDomain;

use super::DeployError;
use super::places::{distribution, gateway_url, site_page};
use super::relay_probe::probe_relay;
use parking_lot::Mutex;
use peersync_aws::HttpClient;
use peersync_aws::retry::{Schedule, until};
use peersync_config::Ingress;
use peersync_engine::error::innermost_cause;
use peersync_engine::{Outputs, Progress, ResourceError};
use peersync_resources::Relay;
use peersync_resources::kinds::elastic_ip;
use peersync_resources::kinds::signal_instance::{CertificateTrouble, certificate_trouble};
use peersync_resources::stack::Stack;

/// How long the API may take: a new role and a new function are usable within seconds, at most about a minute.
const API_DEADLINE: Duration = Duration::from_secs(120);
/// How long the page may take: a new distribution reaches the edge within 3 to 10 minutes.
const EDGE_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// How long the signaling server may take: a new host has installed its programs after one to three minutes.
const SIGNALING_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// How long the relay may take: the host is ready, and its address has moved.
const RELAY_DEADLINE: Duration = Duration::from_secs(60);
/// How long an AWS emulator may take, in which everything is ready at once.
const EMULATOR_DEADLINE: Duration = Duration::from_secs(30);
/// How long one request may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// The delay before the second request; it grows by half each time.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay between two requests.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The part that needs the host.
const SIGNALING: &str = "signaling";
/// What to do about a signaling server that does not answer.
const SIGNALING_HINT: &str = "check `peersync-deploy logs signal`, which has the installation of the host too";
/// What to do about one behind the certificate of its host.
const CERTIFICATE_HINT: &str = "check `peersync-deploy logs relay`, which says why the host has no certificate, and whether port \
                                443 is reached";
/// What to do about a relay that does not answer.
const RELAY_HINT: &str = "check `peersync-deploy logs signal`; if this network lets out neither UDP nor TCP to port 3478, skip the \
                          check with `--no-check`";

/// A URL that must answer.
pub(super) struct Target {
    /// `page`, `api` or `signaling`.
    pub(super) part: &'static str,
    pub(super) url: String,
    deadline: Duration,
    hint: String,
    /// Whether a refusal is an answer: the signaling server refuses whoever is no page of ours, and only the edge and the
    /// gateway say that nobody is behind them.
    refusal_counts: bool,
}

impl Target {
    /// Returns whether a status is an answer; `words` is the status as people read it.
    ///
    /// # Errors
    /// It is none; the text says what came instead.
    pub(super) fn accepts(&self, status: u16, words: impl Display) -> Result<(), String> {
        if (200..300).contains(&status) || (self.refusal_counts && (400..500).contains(&status)) {
            return Ok(());
        }
        Err(format!("the answer has HTTP status {words}"))
    }

    /// Returns a part for tests.
    #[cfg(test)]
    pub(super) fn for_tests(part: &'static str, url: String) -> Self {
        Self { part, url, deadline: REQUEST_DEADLINE, hint: String::new(), refusal_counts: false }
    }
}

/// Returns what must answer, as far as the target offers it.
pub(super) fn targets(stack: &Stack, outputs: &Outputs) -> Vec<Target> {
    [page(stack, outputs), api(stack, outputs), signaling(stack, outputs)].into_iter().flatten().collect()
}

/// Requests the page, `/health` and `/ws`, and asks the relay by STUN, until all answer, and returns their URLs. What the
/// target does not offer is not requested.
///
/// # Errors
/// Fails if one of them does not answer in time, or the domain of the host does not lead to it.
pub async fn check(stack: &Stack, outputs: &Outputs, progress: &Progress) -> Result<Vec<String>, DeployError> {
    let client = stack.clients.http.client(REQUEST_DEADLINE).map_err(unprepared)?;
    // What rests on the owner's DNS comes last: everything else may need longer than an error of that.
    let named = domain::of(stack, outputs);
    let is_late = |target: &Target| named.is_some() && target.part == SIGNALING;
    let (late, parts): (Vec<_>, Vec<_>) = targets(stack, outputs).into_iter().partition(is_late);
    let pages = try_join_all(parts.into_iter().map(|target| answers(&client, target, async || None, progress)));
    let relay = async {
        match relay(stack, outputs) {
            Some((address, relay)) => relay_answers(&address, &relay, RELAY_DEADLINE, progress).await.map(Some),
            None => Ok(None),
        }
    };
    let (mut urls, relay) = try_join(pages, relay).await?;
    urls.extend(relay);
    if let Some((domain, host)) = named {
        for target in late {
            domain::leads_to(&domain, host, &target.url).await?;
            let trouble = async || Some(Trouble { of: certificate_trouble(stack).await?, domain: &domain });
            urls.push(answers(&client, target, trouble, progress).await?);
        }
    }
    Ok(urls)
}

fn unprepared(error: ResourceError) -> DeployError {
    let skip = "skip the check with `--no-check`";
    let hint = error.hint.as_ref().map_or_else(|| skip.to_owned(), |hint| format!("{hint}; or {skip}"));
    DeployError::Call(error.hint(hint))
}

fn page(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    if let Some(url) = site_page(stack, outputs) {
        let hint = "check `peersync-deploy status` and the bucket in the emulator".to_owned();
        return Some(Target { part: "page", url, deadline: EMULATOR_DEADLINE, hint, refusal_counts: false });
    }
    Some(Target {
        part: "page",
        url: format!("https://{}/", distribution(outputs)?),
        deadline: EDGE_DEADLINE,
        hint: "a new distribution can take longer: open the URL again later; `peersync-deploy status` shows the \
               distribution"
            .to_owned(),
        refusal_counts: false,
    })
}

fn api(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    let url = format!("{}/health", gateway_url(stack, outputs)?);
    let function =
        stack.artifacts.routes.iter().find(|route| route.path == "/health").map_or("signup", |route| route.function);
    let deadline = if stack.clients.endpoint_url.is_some() { EMULATOR_DEADLINE } else { API_DEADLINE };
    let hint = format!("check `peersync-deploy logs {function}` and `peersync-deploy status`");
    Some(Target { part: "api", url, deadline, hint, refusal_counts: false })
}

/// Returns the WebSocket: behind the edge, behind the tunnel whose DNS record `up` has created, or at the host's own domain. In
/// an emulator, nothing runs on a host.
fn signaling(stack: &Stack, outputs: &Outputs) -> Option<Target> {
    let signaling = &stack.config.signaling;
    let domain = match signaling.ingress {
        Ingress::Cloudfront => distribution(outputs),
        Ingress::Cloudflare => stack.config.managed_tunnel(),
        Ingress::Direct => signaling.certified_domain().filter(|_| outputs.get(&elastic_ip::address(), "ip").is_some()),
    };
    let domain = domain.filter(|_| stack.clients.endpoint_url.is_none())?;
    let hint = if signaling.has_certificate() { CERTIFICATE_HINT } else { SIGNALING_HINT };
    Some(Target {
        part: SIGNALING,
        url: format!("https://{domain}/ws"),
        deadline: SIGNALING_DEADLINE,
        hint: hint.to_owned(),
        refusal_counts: true,
    })
}

/// Returns the address of the relay, and the ways to it that need no name: with an own domain, that may lead to the host
/// only once the owner knows the host's address. Where HTTP needs a proxy, nothing else gets out.
fn relay(stack: &Stack, outputs: &Outputs) -> Option<(String, Relay)> {
    let relay = stack.relay().filter(|_| stack.clients.endpoint_url.is_none())?;
    let address = outputs.get(&elastic_ip::address(), "ip")?.to_owned();
    let is_direct = stack.clients.http.proxy_of(&format!("https://{address}/")).is_none();
    is_direct.then_some((address, Relay { tls: &[], shared: &[], ..relay }))
}

/// Asks the relay until it answers in one way: not every network lets out UDP.
async fn relay_answers(
    address: &str,
    relay: &Relay,
    deadline: Duration,
    progress: &Progress,
) -> Result<String, DeployError> {
    let url = format!("stun:{address}");
    let schedule = Schedule { first: FIRST_DELAY, longest: LONGEST_DELAY, deadline };
    let last = Mutex::new(String::new());
    let reason = format!("{url} to answer");
    let answered = until(progress, schedule, &reason, || async {
        let answers = probe_relay(address, relay).await;
        if answers.iter().any(|one| one.answered.is_ok()) {
            return Ok(Some(()));
        }
        let reasons = answers
            .into_iter()
            .filter_map(|one| Some(format!("{} {}: {}", one.transport.to_uppercase(), one.port, one.answered.err()?)));
        *last.lock() = reasons.collect::<Vec<_>>().join("; ");
        Ok(None)
    });
    match answered.await {
        Ok(()) => Ok(url),
        Err(_) => Err(DeployError::Unanswered { url, last: last.into_inner(), hint: RELAY_HINT.to_owned() }),
    }
}

/// Why the host has no certificate for this domain.
struct Trouble<'a> {
    of: CertificateTrouble,
    domain: &'a str,
}

/// Asks a part until it answers, or until the host says that it gets no certificate: `trouble` returns what it says.
async fn answers<'a>(
    client: &HttpClient,
    target: Target,
    trouble: impl AsyncFn() -> Option<Trouble<'a>>,
    progress: &Progress,
) -> Result<String, DeployError> {
    let url = &target.url;
    let schedule = Schedule { first: FIRST_DELAY, longest: LONGEST_DELAY, deadline: target.deadline };
    let last = Mutex::new((String::new(), None));
    let reason = format!("{url} to answer");
    let answered = until(progress, schedule, &reason, || async {
        let Err(reason) = ask(client, &target).await else { return Ok(Some(None)) };
        let trouble = trouble().await;
        let said = trouble.as_ref().map(|trouble| format!("; {}", trouble.of.reason()));
        let hint = trouble.as_ref().map(|trouble| trouble.of.hint(trouble.domain));
        *last.lock() = (reason + &said.unwrap_or_default(), hint);
        Ok(trouble.filter(|trouble| trouble.of.is_refusal()).map(Some))
    });
    match answered.await {
        Ok(None) => Ok(target.url),
        Ok(Some(Trouble { of, domain })) => {
            Err(DeployError::Unanswered { url: target.url, last: of.reason(), hint: of.hint(domain) })
        }
        Err(_) => {
            let (last, hint) = last.into_inner();
            Err(DeployError::Unanswered { url: target.url, last, hint: hint.unwrap_or(target.hint) })
        }
    }
}

async fn ask(client: &HttpClient, target: &Target) -> Result<(), String> {
    match client.get(&target.url).send().await {
        Ok(answer) => target.accepts(answer.status().as_u16(), answer.status()),
        Err(error) => Err(innermost_cause(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use peersync_aws::Http;
    use peersync_engine::Silent;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Starts a server that answers with these statuses, one after the other, and returns its URL.
    async fn server(statuses: &'static [&'static str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ws", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for status in statuses {
                let (mut stream, _) = listener.accept().await.unwrap();
                _ = stream.read(&mut [0; 1024]).await.unwrap();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        url
    }

    async fn outcome(statuses: &'static [&'static str], refusal_counts: bool) -> Result<String, DeployError> {
        let url = server(statuses).await;
        let progress = Progress::of_nobody(Arc::new(Silent));
        let deadline = Duration::from_millis(600);
        let target = Target { deadline, refusal_counts, ..Target::for_tests("signaling", url) };
        answers(&Http::default().client(REQUEST_DEADLINE)?, target, async || None, &progress).await
    }

    #[tokio::test]
    async fn refused_certificate_of_the_host_ends_the_wait_with_what_to_do() {
        const REPORT: &str = "ready without a certificate: caa: again at 2026-11-29T22:10:00Z: CAA forbids issuance";
        let url = server(&["502 Bad Gateway", "200 OK"]).await;
        let trouble = async || Some(Trouble { of: CertificateTrouble::parse(REPORT)?, domain: "signal.example.org" });
        let target = Target { deadline: Duration::from_secs(60), ..Target::for_tests("signaling", url) };
        let progress = Progress::of_nobody(Arc::new(Silent));
        let client = Http::default().client(REQUEST_DEADLINE).unwrap();
        let error = answers(&client, target, trouble, &progress).await.unwrap_err();
        let DeployError::Unanswered { last, hint, .. } = error else { panic!("{error}") };
        assert_eq!(last, "the host has no certificate, and tries again at 2026-11-29T22:10:00Z: CAA forbids issuance");
        assert!(hint.contains("CAA records of signal.example.org"), "{hint}");
    }

    #[tokio::test]
    async fn certificate_that_is_on_its_way_is_waited_for_and_told_in_the_end() {
        const REPORT: &str = "ready without a certificate: waiting: again at 2026-11-29T22:10:00Z: it leads elsewhere";
        let trouble = || async { Some(Trouble { of: CertificateTrouble::parse(REPORT)?, domain: "a.example" }) };
        let progress = Progress::of_nobody(Arc::new(Silent));
        let client = Http::default().client(REQUEST_DEADLINE).unwrap();
        let url = server(&["502 Bad Gateway", "200 OK"]).await;
        let target = Target { deadline: Duration::from_secs(60), ..Target::for_tests("signaling", url) };
        answers(&client, target, trouble, &progress).await.unwrap();
        let url = server(&["502 Bad Gateway"; 9]).await;
        let target = Target { deadline: Duration::from_millis(600), ..Target::for_tests("signaling", url) };
        let error = answers(&client, target, trouble, &progress).await.unwrap_err();
        let DeployError::Unanswered { last, hint, .. } = error else { panic!("{error}") };
        assert!(last.ends_with("it leads elsewhere"), "{last}");
        assert!(hint.contains("the host tries again by itself at 2026-11-29T22:10:00Z"), "{hint}");
    }

    #[tokio::test]
    async fn edge_that_reaches_no_signaling_server_is_no_answer() {
        let error = outcome(&["502 Bad Gateway", "504 Gateway Timeout"], true).await.unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
    }

    #[tokio::test]
    async fn refusal_by_the_signaling_server_is_an_answer() {
        outcome(&["502 Bad Gateway", "403 Forbidden"], true).await.unwrap();
    }

    #[tokio::test]
    async fn relay_answers_by_one_way_at_least() {
        let progress = Progress::of_nobody(Arc::new(Silent));
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = listener.local_addr().unwrap().port();
        drop(listener);
        let ports = |port: u16| &*Box::leak(Box::new([port]));
        let relay =
            Relay { udp: ports(silent.local_addr().unwrap().port()), tcp: ports(closed), tls: &[], shared: &[] };
        let ask = || relay_answers("127.0.0.1", &relay, Duration::from_millis(500), &progress);
        let error = ask().await.unwrap_err();
        assert!(error.to_string().contains("stun:127.0.0.1 does not answer"), "{error}");
        let DeployError::Unanswered { last, .. } = error else { panic!("{error}") };
        assert!(last.contains("UDP") && last.contains("no answer within 3 s") && last.contains("TCP"), "{last}");
        // One that answers by TCP alone.
        let listeners = peersync_relay::bind(&[], &[(std::net::Ipv4Addr::LOCALHOST, closed).into()], &[]).unwrap();
        let settings = peersync_relay::Settings {
            realm: "test".to_owned(),
            address: std::net::Ipv4Addr::LOCALHOST,
            limits: peersync_relay::Limits::default(),
        };
        let served = peersync_relay::Relay::new(settings, Nobody, std::time::Instant::now());
        let _running = peersync_relay::serve(served, listeners, None).unwrap();
        assert_eq!(ask().await.unwrap(), "stun:127.0.0.1");
    }

    struct Nobody;

    impl peersync_relay::Authority for Nobody {
        fn grant(&self, _: &str) -> Option<peersync_relay::Grant> {
            None
        }
    }

    #[tokio::test]
    async fn refusal_of_a_page_is_no_answer() {
        outcome(&["403 Forbidden", "403 Forbidden"], false).await.unwrap_err();
    }
}
