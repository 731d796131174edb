//! Mail by SMTP, with STARTTLS, TLS from the start, or on this machine neither.

use std::time::Duration;

use futures::future::BoxFuture;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::message::{message, sender};
use super::{Carrier, Letter, MailError};
use peersync_server::secrets::Secret;
use peersync_server::settings::{MailSettings, SmtpSettings, SmtpTls};

/// When a connection or an answer is given up.
const DEADLINE: Duration = Duration::from_secs(4);

pub(super) struct Smtp {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Smtp {
    /// Calls nobody yet.
    ///
    /// # Errors
    /// No sender, no server, or TLS cannot be set up.
    pub(super) fn new(settings: &MailSettings, password: Option<&Secret>) -> Result<Self, MailError> {
        let smtp = &settings.smtp;
        if smtp.host.is_empty() {
            return Err(MailError::Final("SMTP_HOST is not set".to_owned()));
        }
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .timeout(Some(DEADLINE))
            .tls(match smtp.tls {
                SmtpTls::Starttls => Tls::Required(parameters(smtp)?),
                SmtpTls::Tls => Tls::Wrapper(parameters(smtp)?),
                SmtpTls::None => Tls::None,
            });
        let builder = match (&smtp.user, password) {
            (Some(user), Some(password)) => {
                builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()))
            }
            (Some(_), None) => return Err(MailError::Final("there is an SMTP user, but no password".to_owned())),
            (None, _) => builder,
        };
        Ok(Self { from: sender(&settings.from)?, transport: builder.build() })
    }
}

fn parameters(smtp: &SmtpSettings) -> Result<TlsParameters, MailError> {
    let unusable = |_| MailError::Final("TLS cannot be set up".to_owned());
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(root) = &smtp.root_certificate {
        builder = builder.add_root_certificate(Certificate::from_pem(root.as_bytes()).map_err(unusable)?);
    }
    builder.build_rustls().map_err(unusable)
}

impl Carrier for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let message = message(&self.from, letter)?;
            self.transport.send(message).await.map(|_| ()).map_err(|error| judge(&error))
        })
    }
}

/// Keeps the server's code and drops its words.
fn judge(error: &lettre::transport::smtp::Error) -> MailError {
    let code = error.status().map(|code| format!("SMTP code {code}"));
    if error.is_permanent() {
        return MailError::Final(code.unwrap_or_else(|| "refused by the SMTP server".to_owned()));
    }
    if error.is_tls() {
        return MailError::Final("no trusted TLS connection to the SMTP server".to_owned());
    }
    if error.is_client() {
        return MailError::Final("the SMTP server does not offer what is needed".to_owned());
    }
    MailError::Temporary(code.unwrap_or_else(|| {
        if error.is_timeout() { "no answer from the SMTP server in time" } else { "no connection to the SMTP server" }
            .to_owned()
    }))
}
