//! A proxy between the deployer and an emulator. It writes down every request, adds latency, injects faults, and makes
//! the emulator, which is lenient and instant, behave like AWS.

pub mod behaviour;
pub mod call;
pub mod faults;
mod fixups;
pub mod log;
pub mod operation;
pub mod protocol;
mod quotas;
pub mod user_data;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat as Format};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use self::behaviour::{Behaviour, Behaviours, Times};
use self::call::{Answer, Call};
use self::faults::{Fault, Faults};
use self::fixups::Fixup;
pub use self::fixups::ministack::ARM64_IMAGE_ID;
use self::log::{Record, RequestLog};
use self::protocol::Protocol;

/// The maximum size of a body: a function's zip with room to spare.
const LONGEST_BODY: usize = 128 << 20;
/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(1500);

/// The mark in the record of a request that was denied.
pub const DENIED: &str = "Denied";
/// The mark in the record of a request that was delayed.
pub const LATE: &str = "Late";

/// What the proxy does beside recording.
#[derive(Debug, Default)]
pub struct Settings {
    /// Added to every request.
    pub latency: Duration,
    /// Faults that are injected.
    pub faults: Option<Faults>,
    /// The behaviours of AWS that are added to the emulator.
    pub behaviours: Vec<Behaviour>,
    /// How long states and refusals last.
    pub times: Times,
    /// Answers `(operation, status, code, message)` in place of AWS to every request of that operation.
    pub refuse: Vec<(String, u16, String, String)>,
    /// Operations of EC2 that find nothing, whatever the account has.
    pub nothing: Vec<&'static str>,
    /// A region that the account has not enabled.
    pub not_enabled: Option<&'static str>,
    /// Whether instances may use any share of their processors until that is changed, as AWS's default is for T3.
    pub unlimited_credits: bool,
    /// What Service Quotas says that the account has, by the codes of the quotas; none if it does not answer.
    pub quotas: Vec<(&'static str, f64)>,
    /// Requests that are delayed, and marked as [`LATE`].
    pub late: Option<Late>,
    /// Requests that are denied, as by a role without the permission.
    pub denied: Option<Denied>,
    /// Requests that wait until [`Proxy::release`].
    pub held: Option<fn(&Call) -> bool>,
    /// Requests that the log keeps as a whole.
    pub kept: Option<fn(&Call) -> bool>,
    /// A file in which every request is recorded, for `support/check_requests.py`.
    pub recording: Option<PathBuf>,
    /// Whether the emulator is moto, which needs other fixups than MiniStack.
    pub moto: bool,
}

/// Requests that are denied.
#[derive(Clone, Debug)]
pub struct Denied {
    /// Selects the requests.
    pub meant: fn(&Call) -> bool,
    /// The operations that are not denied.
    pub allowed: BTreeSet<String>,
}

impl Denied {
    fn answer(&self, call: &Call) -> Option<Answer> {
        let denied = (self.meant)(call) && !self.allowed.contains(&call.operation);
        let message = format!("User is not authorized to perform: {}", call.operation);
        let (status, code) = Protocol::of(&call.service).errors.denied();
        denied.then(|| Answer::error(call, status, code, &message))
    }
}

/// Requests that are delayed.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    /// Selects the requests.
    pub meant: fn(&Call) -> bool,
    /// The delay.
    pub time: Duration,
}

/// A running proxy, which stops when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// The URL at which it listens, `http://127.0.0.1:PORT`.
    pub url: String,
    /// The requests that went through it.
    pub log: RequestLog,
    ahead: Arc<AtomicU64>,
    released: Arc<Semaphore>,
    accepting: AbortHandle,
    fixup: Arc<dyn Fixup>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    settings: Settings,
    behaviours: Behaviours,
    fixup: Arc<dyn Fixup>,
    recording: Option<Mutex<File>>,
    log: RequestLog,
    /// How instances use CPU credits, once that was changed.
    credits: Mutex<Option<String>>,
    /// By how many seconds AWS's clock is ahead.
    ahead: Arc<AtomicU64>,
    /// Closed once nothing is held any more.
    released: Arc<Semaphore>,
}

impl Proxy {
    /// Lets time pass at AWS: from now on the answers are later by this much, as their `Date` says.
    pub fn advance(&self, time: Duration) {
        self.ahead.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    /// Lets the requests pass that are held, and all later ones.
    pub fn release(&self) {
        self.released.close();
    }

    /// Starts a proxy in front of `upstream`, a URL without a path.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(upstream: &str, settings: Settings) -> io::Result<Self> {
        let fixup = fixups::of(settings.moto);
        Self::start_with(upstream, settings, fixup).await
    }

    /// Starts another proxy in front of `upstream`, which knows what this one had to remember in place of the emulator.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn replaced(&self, upstream: &str, settings: Settings) -> io::Result<Self> {
        Self::start_with(upstream, settings, self.fixup.clone()).await
    }

    async fn start_with(upstream: &str, settings: Settings, fixup: Arc<dyn Fixup>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let behaviours = Behaviours::new(&settings.behaviours, &settings.times);
        let log = RequestLog::default();
        let client = crate::http::client();
        let recording = settings.recording.as_ref().map(File::create).transpose()?.map(Mutex::new);
        let upstream = upstream.to_owned();
        let ahead = Arc::new(AtomicU64::new(0));
        let released = Arc::new(Semaphore::new(0));
        let shared = Shared {
            upstream,
            client,
            settings,
            behaviours,
            fixup: fixup.clone(),
            recording,
            log: log.clone(),
            credits: Mutex::default(),
            ahead: ahead.clone(),
            released: released.clone(),
        };
        let accepting = tokio::spawn(accept(listener, Arc::new(shared))).abort_handle();
        Ok(Self { url, log, ahead, released, accepting, fixup })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // The error concerns one connection, which was closed while it was accepted.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        tokio::spawn(serve(stream, shared));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Nagle's delay of small writes would be measured as the deployer's time.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let shared = shared.clone();
        async move { shared.handle(request).await }
    });
    // An aborted connection is the client's problem; the faults abort some on purpose.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped")]
struct Dropped;

impl Shared {
    async fn handle(&self, request: Request<hyper::body::Incoming>) -> Result<Response<Body>, Dropped> {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), LONGEST_BODY).await.map_err(|_| Dropped)?;
        let call = Call::new(parts.method, parts.uri, parts.headers, body);
        if let Some(recording) = &self.recording {
            writeln!(lock(recording), "{}", call.recorded()).map_err(|_| Dropped)?;
        }
        tokio::time::sleep(self.settings.latency).await;
        if self.settings.held.is_some_and(|held| held(&call)) {
            // It ends with an error, since the semaphore is closed and has no permits.
            let _ = self.released.acquire().await;
        }
        let (answer, by) = self.answer(&call).await;
        let kept = self.settings.kept.is_some_and(|kept| kept(&call));
        let body = answer.as_ref().filter(|_| kept).map(Answer::text).unwrap_or_default();
        self.log.push(Record {
            service: call.service.clone(),
            operation: call.operation.clone(),
            path: call.uri.path().to_owned(),
            mutating: call.mutating(),
            of_lease: call.is_of_lease(),
            began,
            ended: Instant::now(),
            status: answer.as_ref().map(|answer| answer.status.as_u16()),
            by,
            kept: kept.then_some((call, body)),
        });
        let answer = answer.ok_or(Dropped)?;
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response.headers_mut().remove("transfer-encoding");
        response.headers_mut().remove("connection");
        let now = SystemTime::now() + Duration::from_secs(self.ahead.load(Ordering::Relaxed));
        let date = DateTime::from(now).fmt(Format::HttpDate).ok().and_then(|date| date.parse().ok());
        date.and_then(|date| response.headers_mut().insert("date", date));
        Ok(response)
    }

    /// The answer, and what gave it if not the emulator; no answer if the connection is to be dropped.
    async fn answer(&self, call: &Call) -> (Option<Answer>, Option<String>) {
        if let Some((_, status, code, message)) = self.settings.refuse.iter().find(|(name, ..)| *name == call.operation)
        {
            return (Some(Answer::error(call, *status, code, message)), Some(code.clone()));
        }
        if let Some(answer) = quotas::answer(&self.settings.quotas, call) {
            return (Some(answer), None);
        }
        if let Some(answer) = self.settings.denied.as_ref().and_then(|denied| denied.answer(call)) {
            return (Some(answer), Some(DENIED.to_owned()));
        }
        if let Some(answer) = self.not_enabled(call).or_else(|| self.of_ec2(call)) {
            return (Some(answer), Some("Settings".to_owned()));
        }
        let fault = self.settings.faults.as_ref().and_then(|faults| faults.choose(call));
        let by = fault.map(|fault| format!("{fault:?}"));
        match fault {
            Some(Fault::DroppedBefore) => return (None, by),
            Some(Fault::Slow) => tokio::time::sleep(SLOW).await,
            Some(fault) => {
                if let Some(answer) = fault.answer(call) {
                    return (Some(answer), by);
                }
            }
            None => {}
        }
        let late = self.settings.late.filter(|late| (late.meant)(call));
        if let Some(late) = late {
            tokio::time::sleep(late.time).await;
        }
        let by = by.or(late.map(|_| LATE.to_owned()));
        let (answer, refused) = self.behave(call).await;
        if fault == Some(Fault::DroppedAfter) { (None, by) } else { (Some(answer), refused.or(by)) }
    }

    /// Refuses the credentials, if the region is not enabled.
    fn not_enabled(&self, call: &Call) -> Option<Answer> {
        let region = self.settings.not_enabled.filter(|region| call.region() == *region);
        let message = "The security token included in the request is invalid.";
        region.map(|_| Answer::error(call, 403, "InvalidClientTokenId", message))
    }

    /// Answers in place of EC2: about CPU credits, and that there is nothing.
    fn of_ec2(&self, call: &Call) -> Option<Answer> {
        let answer = |content: String| {
            let mut answer = Answer::error(call, 200, "none", "");
            answer.set_body(format!("<{0}Response>{content}</{0}Response>", call.operation));
            Some(answer)
        };
        if call.service == "ec2" && self.settings.nothing.contains(&call.operation.as_str()) {
            return answer(String::new());
        }
        if !self.settings.unlimited_credits || call.service != "ec2" {
            return None;
        }
        match call.operation.as_str() {
            "ModifyInstanceCreditSpecification" => {
                *lock(&self.credits) = call.parameter("InstanceCreditSpecification.1.CpuCredits");
                answer("<successfulInstanceCreditSpecificationSet/>".to_owned())
            }
            "DescribeInstanceCreditSpecifications" => {
                let credits = lock(&self.credits).clone().unwrap_or_else(|| "unlimited".to_owned());
                let id = call.parameter("InstanceId.1").unwrap_or_default();
                answer(format!(
                    "<instanceCreditSpecificationSet><item><instanceId>{id}</instanceId><cpuCredits>{credits}</cpuCredits>\
                     </item></instanceCreditSpecificationSet>"
                ))
            }
            _ => None,
        }
    }

    async fn behave(&self, call: &Call) -> (Answer, Option<String>) {
        if let Some((behaviour, answer)) = self.behaviours.before(call) {
            return (answer, Some(format!("{behaviour:?}")));
        }
        let mut answer = self.forward_fixed(call).await;
        let shown = self.behaviours.after(call, &mut answer);
        (answer, shown.map(|behaviour| format!("{behaviour:?}")))
    }

    async fn forward_fixed(&self, call: &Call) -> Answer {
        if fixups::import::is_one(call) {
            return fixups::import::put(self, call).await;
        }
        if fixups::tag_index::is_one(call) {
            return fixups::tag_index::get(self, call).await;
        }
        let mut answer = self.forward(&self.fixup.request(call)).await;
        if let Some(following) = self.fixup.following(call, &answer) {
            self.forward(&following).await;
        }
        self.fixup.answer(call, &mut answer);
        answer
    }

    async fn forward(&self, call: &Call) -> Answer {
        match self.try_forward(call).await {
            Ok(answer) => answer,
            Err(error) => {
                let text = format!("the emulator did not answer: {error}");
                Answer {
                    status: StatusCode::BAD_GATEWAY,
                    headers: axum::http::HeaderMap::new(),
                    body: Bytes::from(text),
                }
            }
        }
    }

    async fn try_forward(&self, call: &Call) -> reqwest::Result<Answer> {
        let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = call.headers.clone();
        for name in ["connection", "content-length", "transfer-encoding", "expect"] {
            headers.remove(name);
        }
        let request = self.client.request(call.method.clone(), format!("{}{path}", self.upstream)).headers(headers);
        let response = request.body(call.body.clone()).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await? })
    }
}

/// Locks the mutex, also if a test panicked while it held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
