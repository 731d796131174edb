//! Checks that what was deployed answers: the page, the API, the signaling server by the way in that pages take, and the relay.

mod caa;
mod domain;
mod needed_domain;
mod quick_tunnel;
mod socket;
mod target;

use std::time::Duration;

use futures::future::{join, try_join_all, try_join3};

pub use self::needed_domain::NeededDomain;
pub(super) use self::quick_tunnel::signaling_behind as quick_tunnel;
pub(super) use self::target::{Target, targets};

use super::DeployError;
use super::relay_probe::probe_relay;
use parking_lot::Mutex;
use peersync_aws::HttpClient;
use peersync_aws::retry::{Schedule, within};
use peersync_engine::{Outputs, Progress, ResourceError};
use peersync_resources::Relay;
use peersync_resources::kinds::cloudfront_distribution;
use peersync_resources::kinds::signal_instance::{CertificateTrouble, certificate_trouble};
use peersync_resources::stack::Stack;
use tokio::time::timeout;

use self::target::{SIGNALING, relay};

/// How long the relay may take: the host is ready, and its address has moved.
const RELAY_DEADLINE: Duration = Duration::from_secs(60);
/// How long what has not changed may take.
const UNCHANGED_DEADLINE: Duration = Duration::from_secs(10);
/// How long one request may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// The delay before the second request; it grows by half each time.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// The longest delay between two requests.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// What came of an attempt that was not over in time.
const SILENT: &str = "there was no answer in time";

/// What to do about a relay that does not answer.
const RELAY_HINT: &str = "check `peersync-deploy logs signal`; if this network lets out neither UDP nor TCP to port 3478, skip the \
                          check with `--no-check`";

/// How long the parts may take to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// They were changed: what is new may take minutes.
    Changed,
    /// Nothing was changed: what does not answer soon does not work.
    Unchanged,
}

impl Patience {
    fn limit(self, deadline: Duration) -> Duration {
        match self {
            Self::Changed => deadline,
            Self::Unchanged => deadline.min(UNCHANGED_DEADLINE),
        }
    }
}

/// Requests the page and `/health`, opens the WebSocket as pages do, and asks the relay by STUN, until all answer, and returns
/// their URLs. What the target does not offer is not requested.
///
/// # Errors
/// Fails if one of them does not answer in time, or the domain of the host does not lead to it.
pub async fn check(
    stack: &Stack,
    outputs: &Outputs,
    patience: Patience,
    progress: &Progress,
) -> Result<Vec<String>, DeployError> {
    let client = stack.clients.http.client(patience.limit(REQUEST_DEADLINE)).map_err(unprepared)?;
    // What rests on the owner's DNS comes last: everything else may need longer than an error of that.
    let named = domain::of(stack, outputs);
    let is_late = |target: &Target| named.is_some() && target.part == SIGNALING;
    let targets = targets(stack, outputs).into_iter().map(|target| target.within(patience));
    let (late, parts): (Vec<_>, Vec<_>) = targets.partition(is_late);
    let pages = try_join_all(parts.into_iter().map(|target| answers(&client, target, async || None, progress)));
    let relay = async {
        match relay(stack, outputs) {
            Some((address, relay)) => {
                relay_answers(&address, &relay, patience.limit(RELAY_DEADLINE), progress).await.map(Some)
            }
            None => Ok(None),
        }
    };
    let tunnel = quick_tunnel::answers(stack, outputs, &client, patience, progress);
    let (mut urls, relay, tunnel) = try_join3(pages, relay, tunnel).await?;
    urls.extend(relay.into_iter().chain(tunnel));
    if let Some((domain, host)) = named {
        for target in late {
            domain::leads_to(&domain, host, &target.url).await?;
            let trouble = async || Some(Trouble { of: certificate_trouble(stack).await?, domain: &domain });
            urls.push(answers(&client, target, trouble, progress).await?);
        }
    }
    Ok(urls)
}

/// Returns whether what does not answer at once may do so within minutes although nothing is left to do: the edge does not have
/// the last change yet, or the host is on its way to its certificate.
pub async fn is_on_its_way(stack: &Stack, outputs: &Outputs) -> bool {
    let edge = async {
        match outputs.get(&cloudfront_distribution::address(), "id").filter(|_| stack.runs_hosts) {
            Some(id) => cloudfront_distribution::is_deployed(stack, id).await.is_ok_and(|is_deployed| !is_deployed),
            None => false,
        }
    };
    let (edge, trouble) = join(edge, certificate_trouble(stack)).await;
    edge || trouble.is_some_and(|trouble| !trouble.is_refusal())
}

fn unprepared(error: ResourceError) -> DeployError {
    let skip = "skip the check with `--no-check`";
    let hint = error.hint.as_ref().map_or_else(|| skip.to_owned(), |hint| format!("{hint}; or {skip}"));
    DeployError::Call(error.hint(hint))
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
    let answered = within(progress, schedule, &reason, || async {
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
    match answered.await? {
        Some(()) => Ok(url),
        None => Err(DeployError::Unanswered { url, last: last.into_inner(), hint: RELAY_HINT.to_owned() }),
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
    let last = Mutex::new((SILENT.to_owned(), None));
    let reason = format!("{url} to answer");
    let answered = within(progress, schedule, &reason, || async {
        let Err(reason) = target.ask(client).await else { return Ok(Some(None)) };
        let trouble = trouble().await;
        let said = trouble.as_ref().map(|trouble| format!("; {}", trouble.of.reason()));
        let hint = trouble.as_ref().map(|trouble| trouble.of.hint(trouble.domain));
        *last.lock() = (reason + &said.unwrap_or_default(), hint);
        Ok(trouble.filter(|trouble| trouble.of.is_refusal()).map(Some))
    });
    // An attempt that hangs is cut short.
    match timeout(target.deadline, answered).await.unwrap_or(Ok(None))? {
        Some(None) => Ok(target.url),
        Some(Some(Trouble { of, domain })) => {
            Err(DeployError::Unanswered { url: target.url, last: of.reason(), hint: of.hint(domain) })
        }
        None => {
            let (last, hint) = last.into_inner();
            Err(DeployError::Unanswered { url: target.url, last, hint: hint.unwrap_or(target.hint) })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
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

    const SOON: Duration = Duration::from_millis(600);
    const PAGES: Option<&str> = Some("https://d111.cloudfront.net");

    /// Asks a server until it answers as is expected, or the deadline is over.
    async fn outcome(
        statuses: &'static [&'static str],
        origin: Option<&str>,
        deadline: Duration,
    ) -> Result<String, DeployError> {
        let url = server(statuses).await;
        let progress = Progress::of_nobody(Arc::new(Silent));
        let target = Target { deadline, origin: origin.map(str::to_owned), ..Target::for_tests("signaling", url) };
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
    async fn part_that_hangs_is_waited_for_until_the_deadline_and_no_longer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ws", listener.local_addr().unwrap());
        let target = Target { deadline: SOON, ..Target::for_tests("signaling", url) };
        let progress = Progress::of_nobody(Arc::new(Silent));
        // One that hangs takes the connection, and says nothing for as long as a request may take.
        let client = Http::default().client(Duration::from_secs(3600)).unwrap();
        let error = answers(&client, target, async || None, &progress).await.unwrap_err();
        let DeployError::Unanswered { last, .. } = error else { panic!("{error}") };
        assert_eq!(last, SILENT);
    }

    const ACCEPTED: &str = "101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket";

    #[tokio::test]
    async fn signaling_server_is_asked_again_until_it_lets_a_page_in() {
        let passing = &["503 Service Unavailable", "429 Too Many Requests", ACCEPTED];
        outcome(passing, PAGES, Duration::from_secs(60)).await.unwrap();
    }

    /// A wrong key of the edge, the bucket behind the edge, a tunnel without the rule, a wall before it.
    #[tokio::test]
    async fn refusal_of_a_page_by_whoever_answers_is_no_answer() {
        let refusals: [&'static [&'static str]; 5] = [
            &["403 Forbidden"; 9],
            &["404 Not Found"; 9],
            &["426 Upgrade Required"; 9],
            &["302 Found"; 9],
            &["200 OK"; 9],
        ];
        let outcomes = join_all(refusals.map(|refusal| outcome(refusal, PAGES, SOON))).await;
        for (refusal, outcome) in refusals.into_iter().zip(outcomes) {
            let error = outcome.unwrap_err();
            assert!(error.to_string().contains("does not answer"), "{error}");
            assert!(error.causes().join("").ends_with(refusal[0]), "{error:?}");
        }
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
    async fn page_that_is_refused_is_no_answer() {
        outcome(&["403 Forbidden"; 9], None, SOON).await.unwrap_err();
    }
}
