//! Mail by Amazon SES in the stack's region. The message is ours to the last header.

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
    /// Calls nobody yet.
    ///
    /// # Errors
    /// No sender; not in AWS.
    pub(super) fn new(settings: &MailSettings, config: Option<&SdkConfig>) -> Result<Self, MailError> {
        let config = config.ok_or_else(|| MailError::Final("SES needs AWS's settings".to_owned()))?;
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
            let raw = raw.map_err(|_| MailError::Final("the message could not be written".to_owned()))?;
            let content = EmailContent::builder().raw(raw).build();
            match self.client.send_email().content(content).send().await {
                Ok(_) => Ok(()),
                Err(error) => {
                    let code = peersync_server::aws::error_code(&error);
                    // The SDK has tried again by itself what may work.
                    Err(MailError::Final(format!("SES: {code}")))
                }
            }
        })
    }
}
