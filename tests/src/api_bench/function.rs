//! A function as a process, and what it costs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::surroundings::{STACK, Surroundings, address};
use crate::bench::median;
use crate::clients::REGION;
use crate::signal_bench::process::{cpu, memory};

/// The number of calls before the measured ones; connections and secrets are cached after them.
const WARM_UP: usize = 20;

/// A program that is a function.
#[derive(Clone, Debug)]
pub enum Program {
    /// Our bootstrap, by its path.
    Ours(PathBuf),
    /// The handler in `tests/bench/api_boto3.py`.
    Python,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// From the start of the process to its first answer; the median.
    pub start: Duration,
    /// The function's own processor time of a warm `POST /login`.
    pub processor: Duration,
    /// A warm `POST /login` from event to answer.
    pub wall: Duration,
    /// Resident at the end, in KiB.
    pub resident: u64,
}

/// A running function, which is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// Measures `starts` starts and `calls` warm calls.
    pub async fn measure(&self, surroundings: &mut Surroundings, starts: usize, calls: usize) -> Costs {
        let mut times = Vec::with_capacity(starts);
        for _ in 0..starts {
            let begin = Instant::now();
            let _running = self.start(surroundings);
            let answer = surroundings.invoke(event("GET", "/health", None, 0)).await;
            times.push(begin.elapsed());
            assert_eq!(answer["statusCode"], 200, "{answer}");
        }
        let running = self.start(surroundings);
        let pid = running.0.id();
        for index in 0..WARM_UP {
            login(surroundings, index).await;
        }
        let (before, begin) = (cpu(pid), Instant::now());
        for index in WARM_UP..WARM_UP + calls {
            login(surroundings, index).await;
        }
        let count = u32::try_from(calls).expect("a moderate number of calls");
        Costs {
            start: median(times),
            processor: (cpu(pid) - before) / count,
            wall: begin.elapsed() / count,
            resident: memory(pid).unwrap_or_default().resident,
        }
    }

    fn start(&self, surroundings: &Surroundings) -> Running {
        let mut command = match self {
            Self::Ours(path) => Command::new(path),
            Self::Python => {
                let mut python = Command::new(crate::emulator::python());
                python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/api_boto3.py"));
                python
            }
        };
        let here = format!("http://{}", surroundings.runtime_api);
        let emailjs = format!("{here}/emailjs");
        command.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", surroundings.runtime_api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "peersync-bench-login"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL_DYNAMODB", surroundings.database.as_str()),
            ("AWS_ENDPOINT_URL_SSM", here.as_str()),
            ("PEERSYNC_STACK", STACK),
            ("PEERSYNC_FUNCTION", "login"),
            ("PEERSYNC_BUILD", "bench"),
            ("SITE_URL", "https://call.example"),
            ("MAIL_PROVIDER", "emailjs"),
            ("MAIL_FROM", "bench@example.org"),
            ("EMAILJS_SERVICE_ID", "bench"),
            ("EMAILJS_TEMPLATE_ID", "bench"),
            ("EMAILJS_PUBLIC_KEY", "bench"),
            ("EMAILJS_URL", emailjs.as_str()),
        ]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Running(child.unwrap_or_else(|error| panic!("{self:?} cannot be started: {error}")))
    }
}

/// Each call is for another person from another place: no limit is reached.
async fn login(surroundings: &mut Surroundings, index: usize) {
    let body = json!({ "email": address(index) }).to_string();
    let answer = surroundings.invoke(event("POST", "/login", Some(&body), index)).await;
    let sent: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    assert_eq!((&answer["statusCode"], &sent["mailSent"]), (&json!(202), &json!(true)), "{answer}");
}

/// A request as API Gateway's REST API hands it on.
fn event(method: &str, path: &str, body: Option<&str>, from: usize) -> Value {
    let source = format!("198.51.{}.{}", from / 250, from % 250 + 1);
    json!({
        "resource": path, "path": path, "httpMethod": method,
        "headers": { "content-type": "application/json", "origin": "https://call.example" },
        "multiValueHeaders": { "content-type": ["application/json"], "origin": ["https://call.example"] },
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": null, "stageVariables": null,
        "requestContext": {
            "accountId": "1", "resourceId": "r", "stage": "api", "requestId": "q", "identity": { "sourceIp": source },
            "resourcePath": path, "path": format!("/api{path}"), "httpMethod": method, "apiId": "a",
            "protocol": "HTTP/1.1",
        },
        "body": body, "isBase64Encoded": false,
    })
}
