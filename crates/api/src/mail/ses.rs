//! Mail by Amazon SES in the stack's region, as a raw message with our own headers.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{EmailContent, RawMessage};
use futures::future::BoxFuture;
use lettre::message::Mailbox;

use super::message::{message, sender};
use super::{Carrier, Letter, MailError};
use peersync_server::settings::MailSettings;

pub(super) struct Ses {
    client: Client,
    from: Mailbox,
}

impl Ses {
    /// Returns the carrier without making a call.
    ///
    /// # Errors
    /// The sender is missing, or the process does not run in AWS.
    pub(super) fn new(settings: &MailSettings, config: Option<&SdkConfig>) -> Result<Self, MailError> {
        let config = config.ok_or_else(|| MailError::Final("SES needs an AWS configuration".to_owned()))?;
        Ok(Self { client: Client::new(config), from: sender(&settings.from)? })
    }
}

impl Carrier for Ses {
    fn name(&self) -> &'static str {
        "ses"
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let message = message(&self.from, letter)?.formatted();
            let raw = RawMessage::builder().data(Blob::new(message)).build();
            let raw = raw.map_err(|_| MailError::Final("the message could not be built".to_owned()))?;
            let content = EmailContent::builder().raw(raw).build();
            match self.client.send_email().content(content).send().await {
                Ok(_) => Ok(()),
                Err(error) => {
                    let code = peersync_server::aws::error_code(&error);
                    // The SDK has already retried transient errors.
                    Err(MailError::Final(format!("SES: {code}")))
                }
            }
        })
    }
}
