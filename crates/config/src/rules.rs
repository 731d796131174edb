//! Checks how the values of one stage go together. The schema checks types, forms and ranges.

use std::net::IpAddr;

use super::places::Places;
use super::{Config, Expiry, Ingress, MailProvider, Problem, SmtpTls, TurnProvider};

/// The longest bucket name that S3 allows, in characters.
const LONGEST_BUCKET: usize = 63;
/// The length of `-{account}-{region}` with the shortest region name, in characters.
const SHORTEST_PLACE: usize = "-123456789012-us-east-1".len();
/// AWS's limit of tags per resource, less PeerSync's own and those that single resources add.
const MOST_TAGS: usize = 35;
/// AWS's limits for a tag's key and value, in characters.
const LONGEST_TAG_KEY: usize = 128;
const LONGEST_TAG_VALUE: usize = 256;

/// Returns all problems of a stage.
pub(super) fn problems(config: &Config, places: &Places) -> Vec<Problem> {
    let mut rules = Rules { config, places, problems: Vec::new() };
    rules.stack();
    rules.tags();
    rules.site();
    rules.api();
    rules.signaling();
    rules.mail();
    rules.turn();
    rules.alarms();
    rules.problems
}

struct Rules<'a> {
    config: &'a Config,
    places: &'a Places,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    /// Adds a problem at the value of a key.
    fn add(&mut self, key: &str, summary: &str, label: &str, hint: impl Into<String>) {
        self.problems.push(Problem {
            summary: summary.to_owned(),
            key: key.to_owned(),
            label: label.to_owned(),
            span: self.places.value(key),
            hint: hint.into(),
        });
    }

    /// Adds a problem: `key` is set and needs `other`, which is not set.
    fn needs(&mut self, key: &str, other: &str, hint: &str) {
        self.add(key, "a setting is missing", &format!("this needs `{other}`"), hint);
    }

    fn stack(&mut self) {
        let stack = &self.config.stack;
        if stack.protect && stack.expires.is_some_and(|expires| expires != Expiry::Never) {
            self.add(
                "stack.protect",
                "a protected stack cannot expire",
                "`stack.expires` is set",
                "remove one of the two; in a protected stage, write expires = \"never\"",
            );
        }
        let name = self.config.stack_name();
        if name.starts_with("sg-") {
            let hint = "choose another name: EC2 takes what begins with `sg-` for the ID of a security group";
            self.add("stack.name", "invalid name", "no security group can have a name that begins with this", hint);
        }
        let place = stack.region.as_ref().map_or(SHORTEST_PLACE, |region| "-123456789012-".len() + region.len());
        if self.config.site.bucket.is_none() && name.len() + place > LONGEST_BUCKET {
            self.add(
                "stack.name",
                "the bucket name would be too long",
                &format!("with the stage, the account and the region it has {} characters", name.len() + place),
                format!("shorten the name or the stage, or set `site.bucket`; S3 allows {LONGEST_BUCKET} characters"),
            );
        }
    }

    fn tags(&mut self) {
        let tags = &self.config.stack.tags;
        if tags.len() > MOST_TAGS {
            let hint = format!("remove {}; at most {MOST_TAGS} fit besides PeerSync's own", tags.len() - MOST_TAGS);
            self.add("stack.tags", "too many tags", "AWS allows 50 tags per resource", hint);
        }
        for (key, value) in tags {
            let path = format!("stack.tags.{key}");
            let lower = key.to_lowercase();
            if lower.starts_with("aws:") || lower.starts_with("peersync:") {
                let hint = "choose another key: `aws:` is reserved for AWS and `peersync:` for PeerSync";
                self.add(&path, "invalid tag", "this key is reserved", hint);
            } else if key.is_empty() || key.chars().count() > LONGEST_TAG_KEY || !key.chars().all(in_tags) {
                let hint = "write 1 to 128 letters, digits, spaces or _ . : / = + - @";
                self.add(&path, "invalid tag", "AWS does not accept this key", hint);
            } else if value.chars().count() > LONGEST_TAG_VALUE || !value.chars().all(in_tags) {
                let hint = "write at most 256 letters, digits, spaces or _ . : / = + - @";
                self.add(&path, "invalid tag", "AWS does not accept this value", hint);
            }
        }
    }

    fn site(&mut self) {
        let site = &self.config.site;
        match (&site.domain, &site.certificate_arn) {
            (Some(_), None) => self.needs(
                "site.domain",
                "site.certificate_arn",
                "request a certificate for the domain in ACM in us-east-1, and set `certificate_arn` to its ARN",
            ),
            (None, Some(_)) => self.needs(
                "site.certificate_arn",
                "site.domain",
                "set `domain` to the domain of the certificate, or remove the certificate",
            ),
            _ => {}
        }
        let region = site.certificate_arn.as_deref().and_then(|arn| arn.split(':').nth(3));
        if region.is_some_and(|region| region != "us-east-1") {
            self.add(
                "site.certificate_arn",
                "the certificate is in the wrong region",
                "CloudFront accepts only certificates from us-east-1",
                "request a certificate in us-east-1, whatever the stack's region, and use its ARN",
            );
        }
    }

    fn api(&mut self) {
        let timeout = self.config.api.timeout.0;
        if !(1..=29).contains(&timeout.as_secs()) || timeout.subsec_nanos() != 0 {
            let hint = "write whole seconds from \"1s\" to \"29s\"; the gateway itself times out after 29 s";
            self.add("api.timeout", "value out of range", "this is out of range", hint);
        }
    }

    fn signaling(&mut self) {
        let signaling = &self.config.signaling;
        let (domain, token) = (signaling.domain.is_some(), signaling.tunnel_token.is_some());
        match signaling.ingress {
            Ingress::Direct if !domain => self.needs(
                "signaling.ingress",
                "signaling.domain",
                "set `domain` to a domain name for the host, and point that name to the address that \
                 `outputs` shows; or use ingress = \"cloudfront\", which needs no domain",
            ),
            Ingress::Cloudflare if token && !domain => self.needs(
                "signaling.tunnel_token",
                "signaling.domain",
                "set `domain` to the tunnel's public hostname from the Cloudflare dashboard",
            ),
            _ => {}
        }
        if domain && signaling.has_certificate() && signaling.domain == self.config.site.domain {
            self.add(
                "signaling.domain",
                "the same domain is used twice",
                "`site.domain` has the same value",
                "the distribution serves the pages, and this one leads to the host: give each its own domain",
            );
        }
    }

    fn mail(&mut self) {
        let mail = &self.config.mail;
        match mail.provider {
            MailProvider::None => {}
            MailProvider::Smtp => self.smtp(),
            MailProvider::Ses => {
                if mail.from.is_none() {
                    let hint = "set `from` to a sender whose address or domain is verified in SES";
                    self.needs("mail.provider", "mail.from", hint);
                }
            }
            MailProvider::Emailjs => {
                let account = &mail.emailjs;
                let settings = [
                    ("service_id", account.service_id.is_some(), "\"service_…\""),
                    ("template_id", account.template_id.is_some(), "\"template_…\""),
                    ("public_key", account.public_key.is_some(), "\"…\""),
                    ("private_key", account.private_key.is_some(), "{ env = \"EMAILJS_PRIVATE_KEY\" }"),
                ];
                for (key, set, value) in settings {
                    if !set {
                        let hint = format!("write `{key} = {value}` in [mail.emailjs]; the EmailJS dashboard shows it");
                        self.needs("mail.provider", &format!("mail.emailjs.{key}"), &hint);
                    }
                }
            }
        }
    }

    fn smtp(&mut self) {
        let smtp = &self.config.mail.smtp;
        if smtp.user.is_none() {
            let hint = "write `user = \"you@example.org\"` in [mail.smtp]; for Gmail, use the whole address";
            self.needs("mail.provider", "mail.smtp.user", hint);
        }
        if smtp.password.is_none() {
            let hint = "write `password = { env = \"SMTP_PASS\" }` in [mail.smtp] and set the variable; for Gmail, \
                        use an app password";
            self.needs("mail.provider", "mail.smtp.password", hint);
        }
        if self.config.mail.from.is_none() && smtp.user.as_deref().is_some_and(|user| !user.contains('@')) {
            let hint = "write `from = \"PeerSync <you@example.org>\"` in [mail]";
            self.needs("mail.smtp.user", "mail.from", &format!("the user is not a mail address: {hint}"));
        }
        if smtp.tls == SmtpTls::None && !near(&smtp.host) {
            self.add(
                "mail.smtp.tls",
                "the password would be sent unencrypted",
                "the server is not on a private network",
                "write \"starttls\" (usually port 587) or \"tls\" (usually port 465)",
            );
        }
    }

    fn turn(&mut self) {
        match self.config.turn.provider {
            Some(TurnProvider::Host) => self.turn_of_host(),
            Some(TurnProvider::Cloudflare) => self.turn_of_cloudflare(),
            Some(TurnProvider::Own) | None => self.own_turn(),
            Some(TurnProvider::None) => {}
        }
    }

    fn turn_of_host(&mut self) {
        if self.config.signaling.ingress == Ingress::Cloudflare {
            self.add(
                "turn.provider",
                "the relay on the host is not reachable",
                "`signaling.ingress` is \"cloudflare\", which opens no inbound port",
                "write provider = \"cloudflare\" and the key of Cloudflare's TURN, or \"own\" and the `urls` of your \
                 server; or choose another `ingress`",
            );
        }
    }

    fn turn_of_cloudflare(&mut self) {
        let turn = &self.config.turn;
        let settings = [("key_id", turn.key_id.is_some()), ("api_token", turn.api_token.is_some())];
        for (key, _) in settings.into_iter().filter(|(_, set)| !set) {
            let variable = format!("CLOUDFLARE_TURN_{}", key.to_uppercase());
            let hint = format!(
                "write `{key} = {{ env = \"{variable}\" }}` in [turn] and set the variable; the Cloudflare dashboard \
                 shows it under Realtime when you create a TURN key"
            );
            self.needs("turn.provider", &format!("turn.{key}"), &hint);
        }
    }

    fn own_turn(&mut self) {
        let turn = &self.config.turn;
        let is_named = turn.provider.is_some();
        match (turn.urls.is_empty(), &turn.secret) {
            (false, None) => self.needs(
                "turn.urls",
                "turn.secret",
                "write `secret = { env = \"TURN_SECRET\" }`; in coturn it is `static-auth-secret`",
            ),
            (true, secret) if is_named || secret.is_some() => {
                let key = if secret.is_some() { "turn.secret" } else { "turn.provider" };
                self.needs(key, "turn.urls", "write `urls = [\"turn:turn.example.org:3478\"]`");
            }
            _ => {}
        }
        for (key, set) in [("turn.key_id", turn.key_id.is_some()), ("turn.api_token", turn.api_token.is_some())] {
            if set && !is_named {
                self.needs(key, "turn.provider", "write `provider = \"cloudflare\"` in [turn], or remove this");
            }
        }
    }

    fn alarms(&mut self) {
        let topic = self.config.alarms.topic_arn.as_deref().and_then(|arn| arn.split(':').nth(3));
        let region = self.config.stack.region.as_deref();
        if topic.zip(region).is_some_and(|(topic, region)| topic != region) {
            self.add(
                "alarms.topic_arn",
                "the topic is in another region",
                "alarms can only notify topics in their own region",
                "use a topic in the region of `stack.region`",
            );
        }
    }
}

/// Returns whether AWS allows the character in tags.
fn in_tags(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}

/// Returns whether a server is this machine or on a private network.
fn near(host: &str) -> bool {
    if host == "localhost" || host.ends_with(".localhost") || host.ends_with(".internal") {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_recognized() {
        for host in ["localhost", "127.0.0.1", "10.0.0.5", "172.17.0.1", "::1", "mail.internal"] {
            assert!(near(host), "{host}");
        }
        for host in ["smtp.gmail.com", "8.8.8.8", "2001:db8::1", "localhost.example.org"] {
            assert!(!near(host), "{host}");
        }
    }
}
