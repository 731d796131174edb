//! The settings of the server programs when they run in this process, in place of their environment in AWS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use peersync_server::secrets::Secret;
use peersync_server::secrets::Secrets;
use peersync_server::settings::{
    Entrance, Function, MailProvider, MailSettings, Settings, SmtpSettings, SmtpTls, Tables, TurnProvider, TurnSettings,
};

use peersync_config::Config;
use peersync_server::site::Site;

/// The sender of local mail. The domain is reserved and reaches nobody (RFC 6761).
const SENDER: &str = "PeerSync <peersync@localhost>";

/// Returns the settings of all parts: mail goes to the sink, and pages and WebSocket are on this computer.
pub fn settings(config: &Config, site_url: &str, smtp_port: u16) -> Settings {
    let stack = config.stack_name();
    let socket_url = site_url.replacen("http", "ws", 1);
    Settings {
        stage: config.stage.clone(),
        function: Function::All,
        tables: Tables::of(&stack),
        site_url: site_url.to_owned(),
        api_base_url: format!("{site_url}/api"),
        signal_url: format!("{socket_url}/ws"),
        allowed_origins: config.api.allowed_origins.clone(),
        parameter_prefix: format!("/peersync/{stack}"),
        mail: MailSettings {
            provider: MailProvider::Smtp,
            from: SENDER.to_owned(),
            smtp: SmtpSettings {
                host: "127.0.0.1".to_owned(),
                port: smtp_port,
                tls: SmtpTls::None,
                ..SmtpSettings::default()
            },
            ..MailSettings::default()
        },
        turn: turn(config),
        room_capacity: config.signaling.room_capacity,
        listen: ([127, 0, 0, 1], 0).into(),
        entrance: Entrance::Edge,
        tunnel_file: None,
        tunnel_metrics: None,
        stack,
    }
}

/// Returns the TURN servers of the configuration. Those of the relay in this process are added once it listens.
fn turn(config: &Config) -> TurnSettings {
    let provider = match config.turn_provider() {
        _ if has_relay(config) => TurnProvider::Host,
        peersync_config::TurnProvider::Own => TurnProvider::Own,
        peersync_config::TurnProvider::Cloudflare => TurnProvider::Cloudflare,
        peersync_config::TurnProvider::Host | peersync_config::TurnProvider::None => TurnProvider::None,
    };
    TurnSettings { provider, urls: config.turn.urls.clone(), stun: config.turn.stun.clone(), ..TurnSettings::default() }
}

/// Returns whether the relay runs in this process: in place of that on the host, and also if the stack has none because
/// its ingress has no inbound port.
pub fn has_relay(config: &Config) -> bool {
    config.turn_provider() == peersync_config::TurnProvider::Host || config.lacks_relay()
}

/// Returns the configuration of a stack in an AWS emulator: its functions send mail to the sink, its pages are at the edge,
/// and the relay is the one in this process.
pub fn configuration(config: &Config, settings: &Settings) -> Config {
    let mut config = config.clone();
    config.site_url = Some(settings.site_url.clone());
    if settings.turn.provider == TurnProvider::Host {
        config.turn.provider = Some(peersync_config::TurnProvider::Host);
        config.turn.urls = Site::of(settings, None).turn(settings).urls;
    }
    config.mail.provider = peersync_config::MailProvider::Smtp;
    config.mail.from = Some(SENDER.to_owned());
    config.mail.smtp = peersync_config::Smtp {
        host: settings.mail.smtp.host.clone(),
        port: settings.mail.smtp.port,
        tls: peersync_config::SmtpTls::None,
        user: None,
        password: None,
    };
    if config.turn_provider() == peersync_config::TurnProvider::Host {
        // The host in an emulator runs nothing.
        config.turn.provider = Some(peersync_config::TurnProvider::None);
    }
    config
}

/// Returns new secrets for this run. Sessions are in the database, so that nobody is signed out by that.
pub fn secrets(config: &Config) -> Secrets {
    Secrets {
        origin_key: Some(Secret::new(random_key())),
        ticket_key: Some(Secret::new(random_key())),
        turn_secret: turn_secret(config),
        turn_key_id: given(config.turn.key_id.as_ref()),
        turn_api_token: given(config.turn.api_token.as_ref()),
        ..Secrets::default()
    }
}

/// Returns the secret of the TURN servers that the configuration names, or a new one for the relay of this run.
fn turn_secret(config: &Config) -> Option<Secret> {
    if has_relay(config) { Some(Secret::new(random_key())) } else { given(config.turn.secret.as_ref()) }
}

/// Returns a secret of the configuration, if its variable is set.
fn given(secret: Option<&peersync_config::Secret>) -> Option<Secret> {
    secret.and_then(|secret| secret.value()).map(Secret::new)
}

/// Returns 32 random bytes in base64url, the format of the stack's generated secrets.
fn random_key() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn websocket_uses_tls_if_the_pages_do() {
        let config = Config { stage: "dev".to_owned(), ..Config::default() };
        assert_eq!(settings(&config, "http://localhost:8080", 25).signal_url, "ws://localhost:8080/ws");
        assert_eq!(settings(&config, "https://localhost:8080", 25).signal_url, "wss://localhost:8080/ws");
    }

    #[test]
    fn keys_are_random() {
        assert_ne!(random_key(), random_key());
        assert_eq!(random_key().len(), 43);
    }
}
