//! Mail by EmailJS's REST API (<https://www.emailjs.com/docs/rest-api/send/>), called from the server with the private
//! key. The owner's template decides how the mail looks; these variables are there for it: `to_email`, `subject`,
//! `message` (text), `message_html`, `from_name`, `reply_to`.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Carrier, Letter, MailError};
use peersync_server::secrets::Secret;
use peersync_server::settings::{EmailjsSettings, MailSettings};

/// When a request is given up.
const DEADLINE: Duration = Duration::from_secs(4);

pub(super) struct Emailjs {
    client: reqwest::Client,
    settings: EmailjsSettings,
    private_key: Secret,
    reply_to: String,
}

impl Emailjs {
    /// Calls nobody yet.
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
        let private_key = private_key.ok_or_else(|| MailError::Final("there is no EmailJS private key".to_owned()))?;
        // A second installation fails and leaves the first, which is the same.
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
                "to_email": letter.to.as_str(),
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
            let status = answer.map_err(|_| MailError::Temporary("no answer from EmailJS".to_owned()))?.status();
            judge(status)
        })
    }
}

/// 429 is its limit of one request a second; other 4xx are settings that do not fit together.
fn judge(status: StatusCode) -> Result<(), MailError> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("EmailJS answered {}", status.as_u16());
    Err(if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        MailError::Temporary(reason)
    } else {
        MailError::Final(reason)
    })
}
