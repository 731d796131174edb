//! What the commands say about the relay: whether it answers, and what it means to have none.

use serde_json::{Value, json};

use peersync_config::Config;
use peersync_engine::Outputs;
use peersync_operations::{RelayAnswer, probe_relay};
use peersync_resources::kinds::signal_instance;
use peersync_resources::stack::Stack;

/// What a deployed relay has answered.
#[derive(Debug)]
pub(super) struct RelayHealth {
    host: String,
    answers: Vec<RelayAnswer>,
}

impl RelayHealth {
    /// Asks the relay of a stack with these outputs; `None` if it is not deployed. The host in an AWS emulator runs
    /// nothing, so it is not asked.
    pub(super) async fn ask(stack: &Stack, outputs: &Outputs) -> Option<Self> {
        let relay = stack.relay().filter(|_| stack.runs_hosts)?;
        outputs.get(&signal_instance::address(), "id")?;
        let host = stack.relay_host(outputs)?;
        let answers = probe_relay(&host, &relay).await;
        Some(Self { host, answers })
    }

    /// Returns whether it answers in every way.
    pub(super) fn is_good(&self) -> bool {
        self.answers.iter().all(|one| one.answered.is_ok())
    }

    /// Returns what it has answered: `HOST answers by UDP 3478 in 12 ms; no answer by TCP 443: connection refused`.
    pub(super) fn text(&self) -> String {
        let way = |one: &RelayAnswer| format!("{} {}", one.transport.to_uppercase(), one.port);
        let answered: Vec<String> = self
            .answers
            .iter()
            .filter_map(|one| Some(format!("{} in {} ms", way(one), one.answered.as_ref().ok()?.as_millis())))
            .collect();
        let silent = self.answers.iter().filter_map(|one| Some((way(one), one.answered.as_ref().err()?)));
        let silent = silent.map(|(way, reason)| format!("no answer by {way}: {reason}"));
        let answers = (!answered.is_empty()).then(|| format!("answers by {}", answered.join(", ")));
        format!("{} {}", self.host, answers.into_iter().chain(silent).collect::<Vec<_>>().join("; "))
    }

    /// Returns it as data.
    pub(super) fn json(&self) -> Value {
        let answer = |one: &RelayAnswer| {
            json!({
                "transport": one.transport,
                "port": one.port,
                "milliseconds": one.answered.as_ref().ok().and_then(|time| u64::try_from(time.as_millis()).ok()),
                "error": one.answered.as_ref().err(),
            })
        };
        json!({ "host": self.host, "answers": self.answers.iter().map(answer).collect::<Vec<_>>() })
    }
}

/// Returns what it means that the ingress leaves no way to a relay, and what to set, if nothing else was chosen.
pub(super) fn note(config: &Config) -> Option<String> {
    let stun =
        if config.turn.stun.is_empty() { ", and browsers ask Cloudflare's STUN server for their address" } else { "" };
    config.lacks_relay().then(|| {
        format!(
            "No relay: the ingress \"cloudflare\" has no inbound port, so calls that find no direct way fail{stun}; set \
             `turn.provider` to \"cloudflare\" or \"own\" to relay them, or to \"none\" to do without both."
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peersync_config::Ingress;

    use super::*;

    fn health(tcp: Result<Duration, String>) -> RelayHealth {
        let answers = vec![
            RelayAnswer { transport: "udp", port: 3478, answered: Ok(Duration::from_millis(12)) },
            RelayAnswer { transport: "tcp", port: 443, answered: tcp },
        ];
        RelayHealth { host: "h.example".to_owned(), answers }
    }

    #[test]
    fn health_says_which_ways_are_open() {
        let good = health(Ok(Duration::from_millis(14)));
        assert!(good.is_good());
        insta::assert_snapshot!(good.text(), @"h.example answers by UDP 3478 in 12 ms, TCP 443 in 14 ms");
        let bad = health(Err("no answer within 3 s".to_owned()));
        assert!(!bad.is_good());
        insta::assert_snapshot!(
            bad.text(),
            @"h.example answers by UDP 3478 in 12 ms; no answer by TCP 443: no answer within 3 s"
        );
        insta::assert_snapshot!(
            bad.json().to_string(),
            @r#"{"answers":[{"error":null,"milliseconds":12,"port":3478,"transport":"udp"},{"error":"no answer within 3 s","milliseconds":null,"port":443,"transport":"tcp"}],"host":"h.example"}"#
        );
    }

    #[tokio::test]
    async fn relay_that_is_not_deployed_is_not_asked() {
        let stack = crate::artifacts::stack_for_tests(Config { stage: "test".to_owned(), ..Config::default() }).await;
        assert!(RelayHealth::ask(&stack, &Outputs::default()).await.is_none());
    }

    #[test]
    fn lack_of_a_relay_is_explained_in_one_line() {
        let mut config = Config::default();
        assert_eq!(note(&config), None);
        config.signaling.ingress = Ingress::Cloudflare;
        insta::assert_snapshot!(note(&config).unwrap_or_default(), @r#"No relay: the ingress "cloudflare" has no inbound port, so calls that find no direct way fail, and browsers ask Cloudflare's STUN server for their address; set `turn.provider` to "cloudflare" or "own" to relay them, or to "none" to do without both."#);
        config.turn.stun = vec!["stun:stun.example.org".to_owned()];
        assert!(!note(&config).unwrap_or_default().contains("STUN"));
        config.turn.provider = Some(peersync_config::TurnProvider::None);
        assert_eq!(note(&config), None);
    }
}
