//! What the server programs are told when they run in this process, in place of their environment in AWS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use peersync_runtime::secrets::Secret;
use peersync_runtime::secrets::Secrets;
use peersync_runtime::settings::{Function, MailProvider, MailSettings, Settings, SmtpSettings, SmtpTls, Tables};

use peersync_config::{self, Config};

/// Sender of local mail. The domain is reserved and reaches nobody (RFC 6761).
const SENDER: &str = "PeerSync <peersync@localhost>";

/// The settings of all parts: mail goes to the sink, pages and WebSocket are on this computer.
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
        turn_urls: config.turn.urls.clone(),
        room_capacity: config.signaling.room_capacity,
        listen: ([127, 0, 0, 1], 0).into(),
        stack,
    }
}

/// The configuration of a stack on an endpoint of this computer: its functions send mail to the sink, and its pages are
/// at the edge.
pub fn configuration(config: &Config, settings: &Settings) -> Config {
    let mut config = config.clone();
    config.site_url = Some(settings.site_url.clone());
    config.mail.provider = config::MailProvider::Smtp;
    config.mail.from = Some(SENDER.to_owned());
    config.mail.smtp = config::Smtp {
        host: settings.mail.smtp.host.clone(),
        port: settings.mail.smtp.port,
        tls: config::SmtpTls::None,
        user: None,
        password: None,
    };
    config
}

/// Secrets for this run. Sessions are in the database, so nobody is signed out by new ones.
pub fn secrets(config: &Config) -> Secrets {
    Secrets {
        origin_key: Some(Secret::new(random_key())),
        ticket_key: Some(Secret::new(random_key())),
        turn_secret: config.turn.secret.as_ref().and_then(|secret| secret.value()).map(Secret::new),
        ..Secrets::default()
    }
}

/// 32 random bytes in base64url, the form of the stack's generated secrets.
fn random_key() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_websocket_is_as_secure_as_the_pages() {
        let config = Config { stage: "dev".to_owned(), ..Config::default() };
        assert_eq!(settings(&config, "http://localhost:8080", 25).signal_url, "ws://localhost:8080/ws");
        assert_eq!(settings(&config, "https://localhost:8080", 25).signal_url, "wss://localhost:8080/ws");
    }

    #[test]
    fn keys_are_new_each_time() {
        assert_ne!(random_key(), random_key());
        assert_eq!(random_key().len(), 43);
    }
}
