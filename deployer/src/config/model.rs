//! What `peersync.toml` can say. Everything has a default: an empty file deploys.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Expiry, Secret, Span};

/// The configuration of one stage.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The stage that was chosen by `--stage`; not part of the file.
    #[serde(skip)]
    pub stage: String,
    /// The stack as a whole.
    pub stack: StackSettings,
    /// The pages: bucket and distribution.
    pub site: Site,
    /// The API: functions and gateway.
    pub api: Api,
    /// The signaling host.
    pub signaling: Signaling,
    /// How mail goes out.
    pub mail: Mail,
    /// A TURN server of yours, for calls that cannot go direct.
    pub turn: Turn,
    /// Logs in CloudWatch.
    pub logs: Logs,
    /// Alarms in CloudWatch.
    pub alarms: Alarms,
}

impl Config {
    /// `{name}-{stage}`, the name of the stack.
    pub fn stack_name(&self) -> String {
        format!("{}-{}", self.stack.name, self.stage)
    }
}

/// The stack as a whole.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StackSettings {
    /// First part of every name: 2 to 20 lower-case letters, digits and hyphens, a letter first.
    pub name: String,
    /// The region; otherwise `--region`, `AWS_REGION` or the profile's.
    pub region: Option<String>,
    /// When the stack may be removed by `teardown --expired`: a length of time, which each `up` renews, or a date.
    /// Never where left out.
    pub expires: Option<Expiry>,
    /// Refuses `down` and `teardown` while it is true.
    pub protect: bool,
    /// Tags for every resource beside our own.
    pub tags: BTreeMap<String, String>,
}

impl Default for StackSettings {
    fn default() -> Self {
        Self { name: "peersync".to_owned(), region: None, expires: None, protect: false, tags: BTreeMap::new() }
    }
}

/// The pages: bucket and distribution.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// Name of the bucket; `{name}-{stage}-{account}-{region}` where left out.
    pub bucket: Option<String>,
    /// Your own domain, `call.example.org`; needs `certificate_arn`.
    pub domain: Option<String>,
    /// ARN of the ACM certificate for `domain`, in us-east-1.
    pub certificate_arn: Option<String>,
    /// Where the edge answers from: `PriceClass_100` (North America and Europe), `PriceClass_200`, `PriceClass_All`.
    pub price_class: String,
    /// Days after which old versions of pages are deleted.
    pub old_version_days: i32,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            bucket: None,
            domain: None,
            certificate_arn: None,
            price_class: "PriceClass_100".to_owned(),
            old_version_days: 30,
        }
    }
}

/// The API: functions and gateway.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Memory of each function in MB, 128 to 10240; the share of CPU grows with it.
    pub memory_mb: i32,
    /// When a function is given up: 1s to 29s, the gateway's own limit.
    pub timeout: Span,
    /// Requests a second that the gateway lets through, over all routes.
    pub requests_per_second: f64,
    /// Requests at once that the gateway lets through beyond that.
    pub burst: i32,
    /// Origins beside our own pages that may call the API from a browser, `https://app.example.org`.
    pub allowed_origins: Vec<String>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            memory_mb: 256,
            timeout: Span(std::time::Duration::from_secs(10)),
            requests_per_second: 50.0,
            burst: 100,
            allowed_origins: Vec::new(),
        }
    }
}

/// How the WebSocket comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ingress {
    /// Through the distribution, on the pages' own origin.
    #[default]
    Cloudfront,
    /// Through a Cloudflare Tunnel from the host; no inbound port.
    Cloudflare,
    /// On a domain of its own, with a certificate from Let's Encrypt.
    Direct,
}

/// The signaling host.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signaling {
    /// How the WebSocket comes in.
    pub ingress: Ingress,
    /// Type of the instance, x86_64.
    pub instance_type: String,
    /// Id of the image; the newest Amazon Linux 2023 at the first `up` where left out.
    pub image: Option<String>,
    /// Domain of the host; needed for `direct`, and for a named tunnel with `cloudflare`.
    pub domain: Option<String>,
    /// Address that Let's Encrypt writes to; for `direct`.
    pub acme_email: Option<String>,
    /// Token of a named tunnel, for `cloudflare`; a quick tunnel where left out.
    pub tunnel_token: Option<Secret>,
    /// People in one room, 2 to 8.
    pub room_capacity: u32,
}

impl Default for Signaling {
    fn default() -> Self {
        Self {
            ingress: Ingress::default(),
            instance_type: "t3.micro".to_owned(),
            image: None,
            domain: None,
            acme_email: None,
            tunnel_token: None,
            room_capacity: 4,
        }
    }
}

/// Who carries the mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailProvider {
    /// Nobody: sign-in by mail does not work, and the pages say so.
    #[default]
    None,
    /// An SMTP server, Gmail's among them.
    Smtp,
    /// EmailJS.
    Emailjs,
    /// Amazon SES in the stack's region.
    Ses,
}

/// How mail goes out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Who carries it.
    pub provider: MailProvider,
    /// Sender, `PeerSync <you@example.org>`; the SMTP user where left out.
    pub from: Option<String>,
    /// For `smtp`.
    pub smtp: Smtp,
    /// For `emailjs`.
    pub emailjs: EmailJs,
}

/// How the connection to the SMTP server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Begins in the clear and must become TLS, usually on port 587.
    #[default]
    Starttls,
    /// TLS from the first byte, usually on port 465.
    Tls,
    /// None; only for a server on the same machine.
    None,
}

/// An SMTP server.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Smtp {
    /// Name of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// User, for Gmail the whole address.
    pub user: Option<String>,
    /// Password, for Gmail an app password.
    pub password: Option<Secret>,
}

impl Default for Smtp {
    fn default() -> Self {
        Self { host: "smtp.gmail.com".to_owned(), port: 587, tls: SmtpTls::default(), user: None, password: None }
    }
}

/// An EmailJS account.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmailJs {
    /// Id of the service, `service_…`.
    pub service_id: Option<String>,
    /// Id of the template, `template_…`.
    pub template_id: Option<String>,
    /// The account's public key.
    pub public_key: Option<String>,
    /// The account's private key.
    pub private_key: Option<Secret>,
}

/// A TURN server of yours.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// Its addresses, `turn:turn.example.org:3478?transport=udp`.
    pub urls: Vec<String>,
    /// The secret it shares with us (`static-auth-secret` in coturn).
    pub secret: Option<Secret>,
}

/// Logs in CloudWatch.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// Days that logs are kept: one of the numbers CloudWatch knows (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 …).
    pub retention_days: i32,
}

impl Default for Logs {
    fn default() -> Self {
        Self { retention_days: 14 }
    }
}

/// Alarms in CloudWatch.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alarms {
    /// Whether there are any.
    pub enabled: bool,
    /// ARN of an SNS topic that alarms go to.
    pub topic_arn: Option<String>,
}

impl Default for Alarms {
    fn default() -> Self {
        Self { enabled: true, topic_arn: None }
    }
}
