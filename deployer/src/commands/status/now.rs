//! What `status` tells about a deployed stack beside its resources: whether its parts answer, what runs, how old it is, who is
//! there, and which alarms are raised. What cannot be read is said in its place.

use std::time::{Duration, SystemTime};

use futures::future::OptionFuture;
use serde_json::{Value, json};

use crate::commands::relay::RelayHealth;
use crate::report::Style;
use peersync_engine::{LiveField, ResourceError, text};
use peersync_operations::{ObservedStack, Occupancy, PartHealth, certificate_end, health, occupancy, raised_alarms};
use peersync_resources::kinds::signal_instance::HostReport;
use peersync_resources::kinds::{lambda_function, signal_instance};
use peersync_resources::stack::{FUNCTIONS, Stack};

/// What a host says of which everything works.
const READY: &str = "ready";
/// How many characters of a SHA-256 people read.
const SHORT: usize = 12;

/// How a deployed stack is at present.
#[derive(Debug, Default)]
pub(super) struct Now {
    /// The parts that were asked.
    pub(super) parts: Vec<PartHealth>,
    pub(super) relay: Option<RelayHealth>,
    /// What the host says about itself.
    pub(super) host: Option<HostReport>,
    /// The SHA-256 of each program that runs, by name.
    pub(super) programs: Vec<(&'static str, String)>,
    pub(super) image: Option<Image>,
    pub(super) certificate: Option<Certificate>,
    pub(super) occupancy: Option<Result<Occupancy, String>>,
    /// The names of the raised alarms, without the stack's; `None` if the configuration turns them off.
    pub(super) alarms: Option<Result<Vec<String>, String>>,
    now: Option<SystemTime>,
}

/// The image of the host.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) id: Option<String>,
    pub(super) age: Duration,
    /// Why the host has to be replaced because of it.
    pub(super) outdated: Option<String>,
}

/// The certificate of a host with a name of its own.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) host: String,
    /// When it ends, or why that is not known.
    pub(super) end: Result<SystemTime, String>,
}

impl Now {
    /// Asks and reads everything at once.
    pub(super) async fn read(stack: &Stack, observed: &ObservedStack) -> Self {
        let outputs = observed.outputs();
        let named = stack.config.signaling.certified_domain();
        let named = named.filter(|_| stack.runs_hosts && observed.host().is_some());
        let certificate = OptionFuture::from(named.map(|host| async {
            let end = certificate_end(host).await;
            Certificate { host: host.to_owned(), end }
        }));
        let alarms = OptionFuture::from(
            stack
                .config
                .alarms
                .enabled
                .then_some(async { raised_alarms(&stack.clients, &stack.name()).await.map_err(said) }),
        );
        let (parts, relay, certificate, occupancy, alarms) = futures::join!(
            health(stack, &outputs),
            RelayHealth::ask(stack, &outputs),
            certificate,
            occupancy(stack),
            alarms
        );
        Self {
            parts: parts.unwrap_or_default(),
            relay,
            host: observed.host().and_then(signal_instance::host_report),
            programs: programs(observed),
            image: image(stack, observed),
            certificate,
            occupancy: occupancy.map_err(said).transpose(),
            alarms,
            now: Some(stack.now),
        }
    }

    /// Returns it as lines, each with its name.
    pub(super) fn text(&self, style: Style) -> String {
        let parts = self.parts.iter().map(|part| (label(part.part), answer(part, style)));
        let relay = self.relay.iter().map(|relay| ("Relay", relay.text()));
        let host = self.host.iter().map(|host| {
            let good = host.is_ready && host.text == READY;
            ("Host", if good { style.green(READY) } else { style.red(&host.text) })
        });
        let lines = parts.chain(relay).chain(host).chain(self.running()).chain(self.around(style));
        let line = |(name, what): (&str, String)| format!("{:13}{what}", format!("{name}:"));
        lines.map(line).collect::<Vec<_>>().join("\n")
    }

    /// Returns what runs, and how old it is.
    fn running(&self) -> impl Iterator<Item = (&'static str, String)> {
        let short = |(name, sha256): &(&str, String)| format!("{name} {}", sha256.get(..SHORT).unwrap_or(sha256));
        let programs: Vec<String> = self.programs.iter().map(short).collect();
        let programs = (!programs.is_empty()).then(|| ("Programs", programs.join(", ")));
        let image = self.image.as_ref().map(|image| {
            let older = image.outdated.as_ref().map(|_| ", and a newer one exists: `up` replaces the host");
            ("Image", format!("{} old{}", signal_instance::days(image.age), older.unwrap_or_default()))
        });
        programs.into_iter().chain(image)
    }

    /// Returns until when the certificate is valid, who is there, and what is raised.
    fn around(&self, style: Style) -> impl Iterator<Item = (&'static str, String)> {
        let certificate = self.certificate.as_ref().map(|certificate| {
            let text = match &certificate.end {
                Ok(end) => format!("valid until {} ({})", moment(*end), signal_instance::days(self.until(*end))),
                Err(reason) => style.red(&format!("unknown: {reason}")),
            };
            ("Certificate", text)
        });
        let online = self.occupancy.as_ref().map(|occupancy| match occupancy {
            Ok(occupancy) => ("Online", people(occupancy)),
            Err(reason) => ("Online", style.red(&format!("unknown: {reason}"))),
        });
        let alarms = match &self.alarms {
            None => style.dim("turned off"),
            Some(Ok(raised)) if raised.is_empty() => style.green("none raised"),
            Some(Ok(raised)) => style.red(&format!("{} raised: {}", raised.len(), raised.join(", "))),
            Some(Err(reason)) => style.red(&format!("unknown: {reason}")),
        };
        certificate.into_iter().chain(online).chain([("Alarms", alarms)])
    }

    fn until(&self, end: SystemTime) -> Duration {
        self.now.and_then(|now| end.duration_since(now).ok()).unwrap_or_default()
    }

    /// Returns it as the fields of the result.
    pub(super) fn json(&self) -> Value {
        let part = |one: &PartHealth| {
            json!({
                "part": one.part,
                "url": one.url,
                "milliseconds": one.answered.as_ref().ok().and_then(|time| u64::try_from(time.as_millis()).ok()),
                "version": one.version,
                "build": one.build,
                "error": one.answered.as_ref().err(),
            })
        };
        let programs: Vec<Value> =
            self.programs.iter().map(|(name, sha256)| json!({ "program": name, "sha256": sha256 })).collect();
        let image = self
            .image
            .as_ref()
            .map(|image| json!({ "id": image.id, "age_s": image.age.as_secs(), "outdated": image.outdated }));
        let certificate = self.certificate.as_ref().map(|one| {
            let end = one.end.as_ref().ok().map(|end| moment(*end));
            json!({ "host": one.host, "valid_until": end, "error": one.end.as_ref().err() })
        });
        let online = self.occupancy.as_ref().and_then(|occupancy| occupancy.as_ref().ok()).map(|one| {
            let (at, calls) = (moment(one.at), one.calls);
            json!({ "at": at, "users": one.users, "sessions": one.sessions, "rooms": one.rooms, "calls": calls })
        });
        let host = self.host.as_ref().map(|host| json!({ "ready": host.is_ready, "report": host.text }));
        json!({
            "host": host,
            "relay": self.relay.as_ref().map(RelayHealth::json),
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "programs": programs,
            "image": image,
            "certificate": certificate,
            "online": online,
            "alarms": self.alarms.as_ref().and_then(|alarms| alarms.as_ref().ok()),
        })
    }
}

/// Returns the programs that run, as far as their resources tell.
fn programs(observed: &ObservedStack) -> Vec<(&'static str, String)> {
    let function = |name: &&str| observed.observation.get(&lambda_function::address(name));
    let build = FUNCTIONS.iter().filter_map(function).find_map(|live| {
        let LiveField::Known(variables) = live.fields.get("environment")? else { return None };
        Some(("functions", variables.get("PEERSYNC_BUILD")?.as_str()?.to_owned()))
    });
    let of_host = observed.host().map(signal_instance::programs).unwrap_or_default();
    build.into_iter().chain(of_host).collect()
}

fn image(stack: &Stack, observed: &ObservedStack) -> Option<Image> {
    let host = observed.host()?;
    let age = signal_instance::image_age(stack, host)?;
    let id = host.outputs.get("image").map(|id| id.value().to_owned());
    Some(Image { id, age, outdated: signal_instance::outdated(stack, host) })
}

fn said(error: ResourceError) -> String {
    error.causes().first().cloned().unwrap_or_else(|| error.to_string())
}

fn label(part: &'static str) -> &'static str {
    match part {
        "page" => "Page",
        "api" => "API",
        _ => "Signaling",
    }
}

fn answer(part: &PartHealth, style: Style) -> String {
    match &part.answered {
        Ok(time) => {
            let version = part.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
            format!("{} in {} ms{version}", style.green("answers"), time.as_millis())
        }
        Err(reason) => style.red(&format!("no answer from {}: {reason}", part.url)),
    }
}

fn people(occupancy: &Occupancy) -> String {
    let count = |number: u64, noun: &str| text::count(usize::try_from(number).unwrap_or(usize::MAX), noun);
    let people = if occupancy.users == 1 { "1 person" } else { &format!("{} people", occupancy.users) };
    format!(
        "{people} signed in, {} open, {}, at {}",
        count(occupancy.sessions, "page"),
        count(occupancy.calls, "call"),
        moment(occupancy.at)
    )
}

fn moment(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(part: &'static str, answered: Result<u64, &str>) -> PartHealth {
        let is_api = part == "api" && answered.is_ok();
        let version = is_api.then(|| "0.1.0".to_owned());
        let answered = answered.map(Duration::from_millis).map_err(str::to_owned);
        PartHealth { part, url: format!("https://d1.example/{part}"), answered, version, build: None }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_996_800 + seconds)
    }

    fn now() -> Now {
        let occupancy = Occupancy { at: at(0), users: 3, sessions: 5, rooms: 2, calls: 1 };
        Now {
            parts: vec![part("page", Ok(35)), part("api", Ok(80)), part("signaling", Ok(41))],
            relay: None,
            host: Some(HostReport { text: READY.to_owned(), is_ready: true }),
            programs: vec![("functions", "3f9a0c1d52e8b746".repeat(4)), ("signal", "0c1d52e8b7463f9a".repeat(4))],
            image: Some(Image { id: Some("ami-1".to_owned()), age: Duration::from_secs(12 * 86_400), outdated: None }),
            certificate: Some(Certificate { host: "signal.example.org".to_owned(), end: Ok(at(30 * 86_400)) }),
            occupancy: Some(Ok(occupancy)),
            alarms: Some(Ok(Vec::new())),
            now: Some(at(0)),
        }
    }

    #[test]
    fn healthy_stack_is_told_in_a_few_lines() {
        insta::assert_snapshot!(now().text(Style::PLAIN));
        insta::assert_snapshot!(serde_json::to_string_pretty(&now().json()).unwrap_or_default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let one = Occupancy { at: at(0), users: 1, sessions: 1, rooms: 1, calls: 0 };
        let age = Duration::from_secs(45 * 86_400);
        let now = Now {
            parts: vec![part("page", Ok(35)), part("signaling", Err("the answer has HTTP status 502 Bad Gateway"))],
            image: Some(Image { id: None, age, outdated: Some("the image is 45 days old".to_owned()) }),
            certificate: Some(Certificate {
                host: "signal.example.org".to_owned(),
                end: Err("invalid peer certificate: Expired".to_owned()),
            }),
            host: Some(HostReport { text: "waiting for cloudflared: attempt 9".to_owned(), is_ready: false }),
            occupancy: Some(Ok(one)),
            alarms: Some(Ok(vec!["signal-down".to_owned(), "login-errors".to_owned()])),
            programs: Vec::new(),
            ..now()
        };
        insta::assert_snapshot!(now.text(Style::PLAIN));
        let denied = || "AccessDenied: no".to_owned();
        let unread = Now { alarms: Some(Err(denied())), occupancy: Some(Err(denied())), ..Now::default() };
        insta::assert_snapshot!(unread.text(Style::PLAIN));
        insta::assert_snapshot!(Now::default().text(Style::PLAIN));
    }
}
