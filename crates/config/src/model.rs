//! The contents of `peersync.toml`. Every setting has a default: an empty file deploys.

mod turn;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, Expiry, MaxAge, Naming, Secret, Span, region};

pub use turn::{Turn, TurnProvider};

/// The configuration of one stage.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The stage, chosen by `--stage`. Not part of the file.
    #[serde(skip)]
    pub stage: String,
    /// The URL under which browsers reach the pages, if something other than the distribution serves them, as with
    /// `local`. Not part of the file.
    #[serde(skip)]
    pub site_url: Option<String>,
    /// The stack as a whole.
    pub stack: StackSettings,
    /// The web pages: bucket and distribution.
    pub site: Site,
    /// The API: Lambda functions and gateway.
    pub api: Api,
    /// The signaling host.
    pub signaling: Signaling,
    /// How mail is sent.
    pub mail: Mail,
    /// STUN and TURN: how browsers find a way to each other, and what relays calls that find none.
    pub turn: Turn,
    /// Logs in CloudWatch.
    pub logs: Logs,
    /// Alarms in CloudWatch.
    pub alarms: Alarms,
}

impl Config {
    /// Returns the name of the stack, `{name}-{stage}`; if the name has a hyphen, with more hyphens between the two.
    pub fn stack_name(&self) -> String {
        Naming::default().stack_name(&self.stack.name, &self.stage)
    }

    /// Returns the secrets that the configuration uses, each with its key.
    pub fn secrets(&self) -> Vec<(&'static str, &Secret)> {
        let smtp = self.mail.provider == MailProvider::Smtp;
        let emailjs = self.mail.provider == MailProvider::Emailjs;
        let tunnel = self.signaling.ingress == Ingress::Cloudflare;
        let turn = self.turn_provider();
        let (own, cloudflare) = (turn == TurnProvider::Own, turn == TurnProvider::Cloudflare);
        [
            ("signaling.tunnel_token", self.signaling.tunnel_token.as_ref().filter(|_| tunnel)),
            ("mail.smtp.password", self.mail.smtp.password.as_ref().filter(|_| smtp)),
            ("mail.emailjs.private_key", self.mail.emailjs.private_key.as_ref().filter(|_| emailjs)),
            ("turn.secret", self.turn.secret.as_ref().filter(|_| own)),
            ("turn.key_id", self.turn.key_id.as_ref().filter(|_| cloudflare)),
            ("turn.api_token", self.turn.api_token.as_ref().filter(|_| cloudflare)),
        ]
        .into_iter()
        .filter_map(|(key, secret)| secret.map(|secret| (key, secret)))
        .collect()
    }
}

/// The stack as a whole.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StackSettings {
    /// First part of every name: 2 to 20 lower-case letters, digits and hyphens, beginning with a letter.
    #[schemars(extend("pattern" = r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])$", "patternErrorMessage" = "write 2 to 20 lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen"))]
    pub name: String,
    /// The region. If omitted: `--region`, `AWS_REGION` or the profile's.
    #[schemars(extend("pattern" = region::PATTERN, "patternErrorMessage" = "write the name of a region, such as \"eu-central-1\""))]
    pub region: Option<String>,
    /// When `teardown --expired` may remove the stack: a duration, which starts again at each `up`, or a date. If
    /// omitted: never.
    pub expires: Option<Expiry>,
    /// Refuses `down` and `teardown` while it is true.
    pub protect: bool,
    /// ARN of the policy that is the permissions boundary of every role. If omitted, the roles get none.
    #[schemars(extend("pattern" = r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/([!-~]+/)?[A-Za-z0-9+=,.@_-]{1,128}$", "patternErrorMessage" = "write the ARN of an IAM policy, \"arn:aws:iam::123456789012:policy/boundary\""))]
    pub permissions_boundary: Option<String>,
    /// Tags for every resource, in addition to PeerSync's own.
    pub tags: BTreeMap<String, String>,
}

impl Default for StackSettings {
    fn default() -> Self {
        Self {
            name: "peersync".to_owned(),
            region: None,
            expires: None,
            protect: false,
            permissions_boundary: None,
            tags: BTreeMap::new(),
        }
    }
}

/// The web pages: bucket and distribution.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Site {
    /// Name of the bucket. If omitted: `{stack}-{account}-{region}`, with the stack's name.
    #[schemars(extend("pattern" = r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", "patternErrorMessage" = "write 3 to 63 lower-case letters, digits and hyphens, neither beginning nor ending with a hyphen"))]
    pub bucket: Option<String>,
    /// Your own domain, such as `call.example.org`. Requires `certificate_arn`.
    #[schemars(extend("pattern" = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$", "patternErrorMessage" = "write only a domain name, in lower-case letters, such as \"call.example.org\""))]
    pub domain: Option<String>,
    /// ARN of the ACM certificate for `domain`, in us-east-1.
    #[schemars(extend("pattern" = r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$", "patternErrorMessage" = "write the ARN of an ACM certificate, \"arn:aws:acm:us-east-1:123456789012:certificate/…\""))]
    pub certificate_arn: Option<String>,
    /// CloudFront's edge locations: `PriceClass_100` (North America and Europe), `PriceClass_200`, `PriceClass_All`.
    #[schemars(extend("enum" = ["PriceClass_100", "PriceClass_200", "PriceClass_All"]))]
    pub price_class: String,
    /// Days after which old versions of pages are deleted.
    #[schemars(range(min = 1, max = 3650))]
    pub old_version_days: i32,
    /// Whether browsers that have seen a page insist on HTTPS for every subdomain of its domain too, for two years.
    pub hsts_subdomains: bool,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            bucket: None,
            domain: None,
            certificate_arn: None,
            price_class: "PriceClass_100".to_owned(),
            old_version_days: 30,
            hsts_subdomains: false,
        }
    }
}

/// The API: Lambda functions and gateway.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// The processors on which the functions run: `x86_64`, or `arm64` (AWS Graviton), which costs a fifth less.
    pub architecture: Architecture,
    /// Memory of each function in MB, 128 to 10240. The share of CPU grows with it.
    #[schemars(range(min = 128, max = 10240))]
    pub memory_mb: i32,
    /// How long a function may take: 1s to 29s, the gateway's own limit.
    pub timeout: Span,
    /// Requests per second that the gateway allows, over all routes and clients. Half of it comes on top for the routes of
    /// signing in, which have their own share. It bounds what a flood costs: with 100 a second, about 65 dollars a day.
    #[schemars(range(min = 1, max = 10000))]
    pub requests_per_second: f64,
    /// Requests that the gateway allows at once beyond that rate.
    #[schemars(range(min = 1, max = 5000))]
    pub burst: i32,
    /// Origins other than our own pages that may call the API from a browser, such as `https://app.example.org`.
    #[schemars(extend("items" = {
        "type": "string",
        "pattern": r"^(https://([a-z0-9-]+\.)+[a-z0-9-]+|https?://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?$",
        "patternErrorMessage": "write only scheme and host: \"https://app.example.org\"; \
                                http only for localhost",
    }))]
    pub allowed_origins: Vec<String>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            architecture: Architecture::default(),
            memory_mb: 256,
            timeout: Span(std::time::Duration::from_secs(10)),
            requests_per_second: 100.0,
            burst: 1000,
            allowed_origins: Vec::new(),
        }
    }
}

/// How the WebSocket reaches the signaling host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ingress {
    /// Through the distribution, on the pages' own origin.
    #[default]
    Cloudfront,
    /// Through a Cloudflare Tunnel from the host, which needs no inbound port.
    Cloudflare,
    /// Directly, on its own domain, with a certificate from Let's Encrypt.
    Direct,
}

/// The signaling host.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signaling {
    /// How the WebSocket reaches the host.
    pub ingress: Ingress,
    /// Instance type. Those with Graviton processors, such as `t4g.nano`, get the programs for arm64.
    #[schemars(extend("pattern" = r"^[a-z0-9-]+\.[a-z0-9-]+$", "patternErrorMessage" = "write an instance type, such as \"t3.micro\""))]
    pub instance_type: String,
    /// ID of the subnet, which must lead to the internet. If omitted: one of the default VPC, in a zone that has the type.
    #[schemars(extend("pattern" = r"^subnet-[0-9a-f]{8,17}$", "patternErrorMessage" = "write the ID of a subnet, such as \"subnet-0123456789abcdef0\""))]
    pub subnet: Option<String>,
    /// ID of the image. If omitted: the newest Amazon Linux 2023 when the host is created.
    #[schemars(extend("pattern" = r"^ami-[0-9a-f]{8,17}$", "patternErrorMessage" = "write the ID of an image, such as \"ami-0123456789abcdef0\""))]
    pub image: Option<String>,
    /// Age of the image from which `up` replaces the host, if AWS has published a newer one. Does not apply to `image`.
    pub image_max_age: MaxAge,
    /// Domain of the host. Required for `direct`, and for a named tunnel with `cloudflare`: in a zone of Cloudflare's. With
    /// `cloudfront`: the distribution reaches the host under it, by TLS.
    #[schemars(extend("pattern" = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$", "patternErrorMessage" = "write only a domain name, in lower-case letters, such as \"signal.example.org\""))]
    pub domain: Option<String>,
    /// Mail address for Let's Encrypt's notices, if the host has a certificate: with `direct`, and with `cloudfront` and a
    /// domain.
    #[schemars(extend("pattern" = r"^[^<>@\s]+@[^<>@\s]+\.[^<>@\s]+$", "patternErrorMessage" = "write a mail address, such as \"you@example.org\""))]
    pub acme_email: Option<String>,
    /// ID of the Cloudflare account with the zone of `domain`. If omitted: the only one that the API token shows.
    #[schemars(extend("pattern" = r"^[0-9a-f]{32}$", "patternErrorMessage" = "write the ID of a Cloudflare account, 32 digits and letters from a to f"))]
    pub cloudflare_account: Option<String>,
    /// Token of a named tunnel of your own, with `cloudflare`. If omitted: `up` creates the tunnel for `domain`, and
    /// without a domain it is a quick tunnel.
    pub tunnel_token: Option<Secret>,
    /// Maximum number of people in a room, 2 to 8.
    #[schemars(range(min = 2, max = 8))]
    pub room_capacity: u32,
}

impl Signaling {
    /// Returns the architecture of the host, which follows from its instance type.
    pub fn architecture(&self) -> Architecture {
        Architecture::of_instance_type(&self.instance_type)
    }

    /// Returns whether the host obtains a certificate, because it ends TLS itself: that of browsers, or of CloudFront.
    pub fn has_certificate(&self) -> bool {
        match self.ingress {
            Ingress::Cloudfront => self.domain.is_some(),
            Ingress::Direct => true,
            Ingress::Cloudflare => false,
        }
    }

    /// Returns the domain of its certificate, if it obtains one.
    pub fn certified_domain(&self) -> Option<&str> {
        self.domain.as_deref().filter(|_| self.has_certificate())
    }
}

impl Default for Signaling {
    fn default() -> Self {
        Self {
            ingress: Ingress::default(),
            instance_type: "t3.micro".to_owned(),
            subnet: None,
            image: None,
            image_max_age: MaxAge::days(30),
            domain: None,
            acme_email: None,
            cloudflare_account: None,
            tunnel_token: None,
            room_capacity: 4,
        }
    }
}

/// Who sends the mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailProvider {
    /// Nobody: sign-in by mail does not work, and the pages say so.
    #[default]
    None,
    /// An SMTP server, such as Gmail's.
    Smtp,
    /// EmailJS.
    Emailjs,
    /// Amazon SES in the stack's region.
    Ses,
}

/// How mail is sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Who sends it.
    pub provider: MailProvider,
    /// Sender, such as `PeerSync <you@example.org>`. If omitted: the SMTP user.
    #[schemars(extend("pattern" = r"^([^<>@\s]+@[^<>@\s]+\.[^<>@\s]+|[^<>\r\n]*<[^<>@\s]+@[^<>@\s]+\.[^<>@\s]+>)$", "patternErrorMessage" = "write \"you@example.org\" or \"PeerSync <you@example.org>\""))]
    pub from: Option<String>,
    /// Settings for the provider `smtp`.
    pub smtp: Smtp,
    /// Settings for the provider `emailjs`.
    pub emailjs: EmailJs,
}

/// How the connection to the SMTP server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Starts unencrypted and must switch to TLS, usually on port 587.
    #[default]
    Starttls,
    /// TLS from the first byte, usually on port 465.
    Tls,
    /// Not encrypted; only for a server on the same machine or on a private network.
    None,
}

/// An SMTP server.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Smtp {
    /// Name of the server.
    #[schemars(extend("pattern" = r"^[A-Za-z0-9.:-]+$", "patternErrorMessage" = "write only the name of a server, such as \"smtp.example.org\""))]
    pub host: String,
    /// Port of the server.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// User name. For Gmail: the whole address.
    #[schemars(extend("minLength" = 1))]
    pub user: Option<String>,
    /// Password. For Gmail: an app password.
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
    /// ID of the service, `service_…`.
    #[schemars(extend("minLength" = 1))]
    pub service_id: Option<String>,
    /// ID of the template, `template_…`.
    #[schemars(extend("minLength" = 1))]
    pub template_id: Option<String>,
    /// The account's public key.
    #[schemars(extend("minLength" = 1))]
    pub public_key: Option<String>,
    /// The account's private key.
    pub private_key: Option<Secret>,
}

/// Logs in CloudWatch.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// Days that logs are kept: a number that CloudWatch accepts (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 …).
    #[schemars(extend("enum" = [
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
    ]))]
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
    /// Whether to create alarms.
    pub enabled: bool,
    /// Mail address that alarms notify. Its owner confirms that by a click.
    #[schemars(extend("pattern" = r"^[^<>@\s]+@[^<>@\s]+\.[^<>@\s]+$", "patternErrorMessage" = "write a mail address, such as \"you@example.org\""))]
    pub email: Option<String>,
    /// ARN of an SNS topic that alarms notify.
    #[schemars(extend("pattern" = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?$", "patternErrorMessage" = "write the ARN of an SNS topic, \"arn:aws:sns:eu-central-1:123456789012:alarms\""))]
    pub topic_arn: Option<String>,
}

impl Default for Alarms {
    fn default() -> Self {
        Self { enabled: true, email: None, topic_arn: None }
    }
}
