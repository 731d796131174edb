//! Mail by SMTP with STARTTLS, with TLS from the start, or on this machine without encryption.

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

/// The timeout of the connection and of each response.
const DEADLINE: Duration = Duration::from_secs(4);

/// The codes of refusals to sign in (RFC 4954, section 6).
const OF_SIGNING_IN: [u16; 4] = [530, 534, 535, 538];

pub(super) struct Smtp {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Smtp {
    /// Returns the carrier without connecting.
    ///
    /// # Errors
    /// Sender or server is missing, or TLS cannot be set up.
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
            (Some(_), None) => return Err(MailError::Final("the SMTP user has no password".to_owned())),
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

/// Converts an error: keeps the server's code and drops its text.
fn judge(error: &lettre::transport::smtp::Error) -> MailError {
    let status = error.status().map(u16::from);
    let code = status.map(|code| format!("SMTP code {code}"));
    if let (true, Some(code)) = (status.is_some_and(|code| OF_SIGNING_IN.contains(&code)), &code) {
        return MailError::Denied(code.clone());
    }
    if error.is_permanent() {
        return MailError::Final(code.unwrap_or_else(|| "refused by the SMTP server".to_owned()));
    }
    if error.is_tls() {
        return MailError::Final("no trusted TLS connection to the SMTP server".to_owned());
    }
    if error.is_client() {
        return MailError::Final("the SMTP server lacks a required extension".to_owned());
    }
    MailError::Temporary(code.unwrap_or_else(|| {
        if error.is_timeout() { "the SMTP server timed out" } else { "no connection to the SMTP server" }.to_owned()
    }))
}
