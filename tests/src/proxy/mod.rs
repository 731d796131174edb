//! A proxy between the deployer and an emulator. It writes down every request, adds latency, injects faults, and makes
//! the emulator, which is lenient and instant, behave as AWS does.

pub mod behaviour;
pub mod call;
pub mod faults;
pub mod log;
mod mends;
pub mod operation;
pub mod protocol;

use std::fs::File;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use self::behaviour::{Behaviour, Behaviours, Times};
use self::call::{Answer, Call};
use self::faults::{Fault, Faults};
use self::log::{Record, RequestLog};
use self::mends::Mend;

/// The longest body that is carried: a function's zip with room to spare.
const LONGEST_BODY: usize = 128 << 20;
/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(1500);

/// What stands in the record of a request that took longer.
pub const LATE: &str = "Late";

/// What the proxy does beside writing down.
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
    /// Requests that take so much longer, which are marked as [`LATE`].
    pub late: Option<Late>,
    /// A file into which every request is written, for `support/check_requests.py`.
    pub recording: Option<PathBuf>,
    /// Whether moto stands behind it: other things must be put right than in MiniStack.
    pub moto: bool,
}

/// Requests that take longer.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    /// Which.
    pub meant: fn(&Call) -> bool,
    /// How much.
    pub time: Duration,
}

/// A running proxy; it ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, `http://127.0.0.1:PORT`.
    pub url: String,
    /// What went through it.
    pub log: RequestLog,
    accepting: AbortHandle,
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
    mend: Box<dyn Mend>,
    recording: Option<Mutex<File>>,
    log: RequestLog,
}

impl Proxy {
    /// Starts a proxy before `upstream`, a URL without a path.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(upstream: &str, settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let behaviours = Behaviours::new(&settings.behaviours, &settings.times);
        let log = RequestLog::default();
        let client = crate::http::client();
        let mend = mends::of(settings.moto);
        let recording = settings.recording.as_ref().map(File::create).transpose()?.map(Mutex::new);
        let upstream = upstream.to_owned();
        let shared = Shared { upstream, client, settings, behaviours, mend, recording, log: log.clone() };
        let accepting = tokio::spawn(accept(listener, Arc::new(shared))).abort_handle();
        Ok(Self { url, log, accepting })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // An error here is of one connection that went away while it was accepted.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        tokio::spawn(serve(stream, shared));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // The delay before small writes would be counted as ours.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let shared = shared.clone();
        async move { shared.handle(request).await }
    });
    // A connection that ends badly is the business of the one who made it; the faults end some on purpose.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Why a connection is ended without an answer.
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
        let (answer, by) = self.answer(&call).await;
        self.log.push(Record {
            service: call.service.clone(),
            operation: call.operation.clone(),
            path: call.uri.path().to_owned(),
            mutating: call.mutating(),
            began,
            ended: Instant::now(),
            status: answer.as_ref().map(|answer| answer.status.as_u16()),
            by,
        });
        let answer = answer.ok_or(Dropped)?;
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response.headers_mut().remove("transfer-encoding");
        response.headers_mut().remove("connection");
        Ok(response)
    }

    /// The answer, and who gave it where it was not the emulator; no answer where the connection is to be dropped.
    async fn answer(&self, call: &Call) -> (Option<Answer>, Option<String>) {
        if let Some((_, status, code, message)) = self.settings.refuse.iter().find(|(name, ..)| *name == call.operation)
        {
            return (Some(Answer::error(call, *status, code, message)), Some(code.clone()));
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

    async fn behave(&self, call: &Call) -> (Answer, Option<String>) {
        if let Some((behaviour, answer)) = self.behaviours.before(call) {
            return (answer, Some(format!("{behaviour:?}")));
        }
        let mut answer = self.forward_mended(call).await;
        let shown = self.behaviours.after(call, &mut answer);
        (answer, shown.map(|behaviour| format!("{behaviour:?}")))
    }

    async fn forward_mended(&self, call: &Call) -> Answer {
        let mut answer = self.forward(&self.mend.request(call)).await;
        if let Some(following) = self.mend.following(call, &answer) {
            self.forward(&following).await;
        }
        self.mend.answer(call, &mut answer);
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

/// Locks; a test that panicked elsewhere does not spoil what is inside.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
