//! The public URLs of a stack, and the environment variables of the runtime programs, which are derived from them.

use std::collections::BTreeMap;

use crate::kinds::{cloudfront_distribution, elastic_ip};
use crate::stack::Stack;
use crate::told_way::{ToldWay, certified};
use peersync_config::{Ingress, MailProvider, SmtpTls, TurnProvider};
use peersync_engine::Outputs;

/// The origins of Cloudflare's quick tunnels. Cloudflare chooses a new name at each start.
const QUICK_TUNNELS: &str = "wss://*.trycloudflare.com";

impl Stack {
    /// Returns the way in that the functions are to tell.
    pub fn told_way(&self) -> ToldWay {
        let relays = self.config.turn_provider() == TurnProvider::Host;
        let urls = match (self.relay(), self.config.signaling.certified_domain()) {
            _ if !relays => Vec::new(),
            _ if !self.config.turn.urls.is_empty() => self.config.turn.urls.clone(),
            (Some(relay), Some(domain)) => relay.turn_urls(domain),
            // Without a certificate it does not relay by TLS, whatever its name is.
            _ => Vec::new(),
        };
        ToldWay { signal: self.signal_path(), relays, certified: certified(urls.iter().map(String::as_str)) }
    }

    /// Returns the URL of the pages, `https://…` without a trailing slash; `None` until the distribution has a domain.
    pub fn site_url(&self, outputs: &Outputs) -> Option<String> {
        if let Some(site_url) = &self.config.site_url {
            return Some(site_url.clone());
        }
        let distribution = cloudfront_distribution::address();
        let domain = self.config.site.domain.as_deref().or_else(|| outputs.get(&distribution, "domain"))?;
        Some(format!("https://{domain}"))
    }

    /// Returns the URL of the WebSocket, `wss://…/ws`. It is empty for a quick tunnel, whose name only the host knows,
    /// and `None` until the distribution has a domain.
    pub fn signal_url(&self, outputs: &Outputs) -> Option<String> {
        match (self.config.signaling.ingress, &self.config.signaling.domain) {
            (Ingress::Cloudfront, _) => Some(self.site_url(outputs)?.replacen("http", "ws", 1) + "/ws"),
            (Ingress::Direct | Ingress::Cloudflare, Some(domain)) => Some(format!("wss://{domain}/ws")),
            (Ingress::Direct | Ingress::Cloudflare, None) => Some(String::new()),
        }
    }

    /// Returns the WebSocket as written to `config.json`: only a path if it is on the pages' own origin.
    pub fn signal_path(&self) -> String {
        match self.config.signaling.ingress {
            Ingress::Cloudfront => "/ws".to_owned(),
            _ => self.config.signaling.domain.as_ref().map(|domain| format!("wss://{domain}/ws")).unwrap_or_default(),
        }
    }

    /// Returns the origins that the pages may connect to in addition to their own.
    pub fn connect_origins(&self) -> Vec<String> {
        match (self.config.signaling.ingress, &self.config.signaling.domain) {
            (Ingress::Cloudfront, _) => Vec::new(),
            (_, Some(domain)) => vec![format!("wss://{domain}")],
            (_, None) => vec![QUICK_TUNNELS.to_owned()],
        }
    }

    /// Returns the environment that both runtime programs have, without secrets; `None` until the URL of the pages is
    /// known. What only the functions need is not in it, so that a change of that does not replace the host.
    pub fn runtime_environment(&self, outputs: &Outputs) -> Option<BTreeMap<String, String>> {
        let config = &self.config;
        let (site_url, signal_url) = (self.site_url(outputs)?, self.signal_url(outputs)?);
        let mut environment: BTreeMap<&'static str, String> = BTreeMap::from([
            ("PEERSYNC_STACK", self.name()),
            ("PEERSYNC_STAGE", config.stage.clone()),
            ("USERS_TABLE", self.named("Users")),
            ("USER_CONNECTIONS_TABLE", self.named("UserConnections")),
            ("EPHEMERAL_TABLE", self.named("Ephemeral")),
            ("API_BASE_URL", format!("{site_url}/api")),
            ("SITE_URL", site_url),
            ("SIGNAL_URL", signal_url),
            ("ALLOWED_ORIGINS", config.api.allowed_origins.join(",")),
            ("PARAMETER_PREFIX", self.parameter_prefix()),
            ("ROOM_CAPACITY", config.signaling.room_capacity.to_string()),
            ("RUST_LOG", "info".to_owned()),
        ]);
        environment.retain(|_, value| !value.is_empty());
        Some(owned(environment))
    }

    /// Returns the name under which browsers reach the relay on the host, if it has one; `None` until that is known. A
    /// name, and not an address, lets networks that have only IPv6 translate it.
    pub fn relay_host(&self, outputs: &Outputs) -> Option<String> {
        let named = self.config.signaling.certified_domain();
        named.or_else(|| outputs.get(&elastic_ip::address(), "dns")).map(str::to_owned)
    }

    /// Returns the environment of the functions, without secrets; `None` until the URL of the pages and, for the relay,
    /// the name of the host are known.
    pub fn function_environment(&self, outputs: &Outputs) -> Option<BTreeMap<String, String>> {
        let mut environment = self.runtime_environment(outputs)?;
        let own = self.mail_environment().into_iter().chain(self.turn_environment(outputs)?);
        environment.extend(owned(own.filter(|(_, value)| !value.is_empty())));
        Some(environment)
    }

    fn turn_environment(&self, outputs: &Outputs) -> Option<[(&'static str, String); 3]> {
        let named = self.config.stun_urls();
        let (provider, urls, stun) = match self.config.turn_provider() {
            // The relay of `local`, in place of that on the host.
            TurnProvider::Host if !self.config.turn.urls.is_empty() => ("host", self.config.turn.urls.clone(), named),
            TurnProvider::Host => {
                let (host, relay) = (self.relay_host(outputs)?, self.relay());
                let urls = relay.as_ref().map(|relay| relay.turn_urls(&host)).unwrap_or_default();
                let own = relay.map(|relay| relay.stun_urls(&host)).unwrap_or_default();
                ("host", urls, if named.is_empty() { own } else { named })
            }
            TurnProvider::Own => ("own", self.config.turn.urls.clone(), named),
            TurnProvider::Cloudflare => ("cloudflare", Vec::new(), named),
            TurnProvider::None => ("none", Vec::new(), named),
        };
        Some([("TURN_PROVIDER", provider.to_owned()), ("TURN_URLS", urls.join(",")), ("STUN_URLS", stun.join(","))])
    }

    fn mail_environment(&self) -> Vec<(&'static str, String)> {
        let mail = &self.config.mail;
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        let from = mail.from.clone().or_else(|| mail.smtp.user.clone()).unwrap_or_default();
        let provider = |name: &str| vec![("MAIL_PROVIDER", name.to_owned()), ("MAIL_FROM", from.clone())];
        match mail.provider {
            MailProvider::None => provider("none"),
            MailProvider::Ses => provider("ses"),
            MailProvider::Smtp => {
                let tls = match mail.smtp.tls {
                    SmtpTls::Starttls => "starttls",
                    SmtpTls::Tls => "tls",
                    SmtpTls::None => "none",
                };
                let server = [
                    ("SMTP_HOST", mail.smtp.host.clone()),
                    ("SMTP_PORT", mail.smtp.port.to_string()),
                    ("SMTP_TLS", tls.to_owned()),
                    ("SMTP_USER", given(&mail.smtp.user)),
                ];
                provider("smtp").into_iter().chain(server).collect()
            }
            MailProvider::Emailjs => {
                let account = [
                    ("EMAILJS_SERVICE_ID", given(&mail.emailjs.service_id)),
                    ("EMAILJS_TEMPLATE_ID", given(&mail.emailjs.template_id)),
                    ("EMAILJS_PUBLIC_KEY", given(&mail.emailjs.public_key)),
                ];
                provider("emailjs").into_iter().chain(account).collect()
            }
        }
    }
}

fn owned(variables: impl IntoIterator<Item = (&'static str, String)>) -> BTreeMap<String, String> {
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::Config;
    use peersync_engine::OutputMap;

    async fn turn(change: impl FnOnce(&mut Config)) -> [String; 3] {
        let mut config = Config { stage: "test".to_owned(), ..Config::default() };
        change(&mut config);
        let mut outputs = Outputs::default();
        outputs.insert(cloudfront_distribution::address(), OutputMap::new().with("domain", "d111.cloudfront.net"));
        outputs.insert(elastic_ip::address(), OutputMap::new().with("ip", "192.0.2.1").with("dns", "ec2.example"));
        let environment = Stack::for_tests(config).await.function_environment(&outputs).unwrap_or_default();
        ["TURN_PROVIDER", "TURN_URLS", "STUN_URLS"].map(|name| environment.get(name).cloned().unwrap_or_default())
    }

    #[tokio::test]
    async fn functions_know_the_servers_of_each_provider() {
        let host = turn(|_| {}).await;
        let urls = "turn:ec2.example:3478?transport=udp,turn:ec2.example:3478?transport=tcp,\
                    turn:ec2.example:443?transport=tcp";
        assert_eq!(host, ["host", urls, "stun:ec2.example:3478"]);
        let direct = turn(|config| {
            config.signaling.ingress = Ingress::Direct;
            config.signaling.domain = Some("signal.example.org".to_owned());
            config.turn.stun = vec!["stun:stun.example.org".to_owned()];
        });
        let [_, urls, stun] = direct.await;
        assert!(
            urls.ends_with(",turn:signal.example.org:443?transport=tcp,turns:signal.example.org:443?transport=tcp"),
            "{urls}"
        );
        assert_eq!(stun, "stun:stun.example.org");
        let own = turn(|config| config.turn.urls = vec!["turn:turn.example.org".to_owned()]).await;
        assert_eq!(own, ["own", "turn:turn.example.org", ""]);
        let cloudflare = turn(|config| config.signaling.ingress = Ingress::Cloudflare).await;
        assert_eq!(cloudflare, ["none", "", "stun:stun.cloudflare.com:3478"]);
        let managed = turn(|config| config.turn.provider = Some(TurnProvider::Cloudflare)).await;
        assert_eq!(managed, ["cloudflare", "", ""]);
    }

    /// Otherwise functions would wait for the host whenever both change, as with every new version.
    #[tokio::test]
    async fn told_way_is_that_of_the_environment() {
        let ways = [
            (Ingress::Cloudfront, None, "/ws", true, ""),
            (Ingress::Cloudfront, Some("signal.example.org"), "/ws", true, "signal.example.org"),
            (Ingress::Cloudflare, None, "", false, ""),
            (Ingress::Cloudflare, Some("signal.example.org"), "wss://signal.example.org/ws", false, ""),
            (Ingress::Direct, Some("signal.example.org"), "wss://signal.example.org/ws", true, "signal.example.org"),
        ];
        for (ingress, domain, signal, relays, certified) in ways {
            let mut config = Config { stage: "test".to_owned(), ..Config::default() };
            (config.signaling.ingress, config.signaling.domain) = (ingress, domain.map(str::to_owned));
            let stack = Stack::for_tests(config).await;
            let mut outputs = Outputs::default();
            outputs.insert(cloudfront_distribution::address(), OutputMap::new().with("domain", "d111.cloudfront.net"));
            outputs.insert(elastic_ip::address(), OutputMap::new().with("ip", "192.0.2.1").with("dns", "ec2.example"));
            let environment = stack.function_environment(&outputs).unwrap_or_default();
            let told = ToldWay::of(|name| environment.get(name).map(String::as_str).unwrap_or_default());
            assert_eq!(told, stack.told_way(), "{ingress:?}");
            let (signal, certified) = (signal.to_owned(), certified.to_owned());
            assert_eq!(told, ToldWay { signal, relays, certified });
        }
    }

    #[tokio::test]
    async fn environment_is_unknown_until_the_host_has_a_name() {
        let stack = Stack::for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        let mut outputs = Outputs::default();
        outputs.insert(cloudfront_distribution::address(), OutputMap::new().with("domain", "d111.cloudfront.net"));
        assert_eq!(stack.function_environment(&outputs), None);
    }
}
