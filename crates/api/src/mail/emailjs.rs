//! Mail by EmailJS's REST API (<https://www.emailjs.com/docs/rest-api/send/>), called from the server with the private
//! key. The template of the EmailJS account decides how the mail looks. It gets these variables: `to_email`, `subject`,
//! `message` (text), `message_html`, `from_name`, `reply_to`.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Carrier, Letter, MailError};
use peersync_server::secrets::Secret;
use peersync_server::settings::{EmailjsSettings, MailSettings};

/// The timeout of a request.
const DEADLINE: Duration = Duration::from_secs(4);
/// The statuses of refusals that may be due to the key. EmailJS documents none of its own for a wrong one.
const OF_KEYS: [StatusCode; 3] = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];

pub(super) struct Emailjs {
    client: reqwest::Client,
    settings: EmailjsSettings,
    private_key: Secret,
    reply_to: String,
}

impl Emailjs {
    /// Returns the carrier without making a call.
    ///
    /// # Errors
    /// A setting is missing, or TLS cannot be set up.
    pub(super) fn new(settings: &MailSettings, private_key: Option<&Secret>) -> Result<Self, MailError> {
        let emailjs = &settings.emailjs;
        for (value, name) in [
            (&emailjs.service_id, "EMAILJS_SERVICE_ID"),
            (&emailjs.template_id, "EMAILJS_TEMPLATE_ID"),
            (&emailjs.public_key, "EMAILJS_PUBLIC_KEY"),
        ] {
            if value.is_empty() {
                return Err(MailError::Final(format!("{name} is not set")));
            }
        }
        let private_key =
            private_key.ok_or_else(|| MailError::Final("the EmailJS private key is missing".to_owned()))?;
        // A second installation fails and keeps the first, which is identical.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(DEADLINE).redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|_| MailError::Final("TLS cannot be set up".to_owned()))?;
        let (settings, reply_to) = (emailjs.clone(), settings.from.clone());
        Ok(Self { client, settings, private_key: private_key.clone(), reply_to })
    }

    fn body(&self, letter: &Letter) -> Value {
        json!({
            "service_id": self.settings.service_id,
            "template_id": self.settings.template_id,
            "user_id": self.settings.public_key,
            "accessToken": self.private_key.reveal(),
            "template_params": {
                "to_email": letter.to.mailbox(),
                "subject": letter.subject,
                "message": letter.text,
                "message_html": letter.html,
                "from_name": "PeerSync",
                "reply_to": self.reply_to,
            },
        })
    }
}

impl Carrier for Emailjs {
    fn name(&self) -> &'static str {
        "emailjs"
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let answer = self.client.post(&self.settings.url).json(&self.body(letter)).send().await;
            let status = answer.map_err(|_| MailError::Temporary("no response from EmailJS".to_owned()))?.status();
            judge(status)
        })
    }
}

/// Interprets a status. 429 is its limit of one request per second; other 4xx mean that settings do not match.
fn judge(status: StatusCode) -> Result<(), MailError> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("EmailJS answered {}", status.as_u16());
    Err(if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        MailError::Temporary(reason)
    } else if OF_KEYS.contains(&status) {
        MailError::Denied(reason)
    } else {
        MailError::Final(reason)
    })
}
