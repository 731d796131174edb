//! Where the account and the certificate are kept.

use std::fmt;

use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use futures::future::BoxFuture;
use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE, NOTHING_KEPT};
use peersync_server::aws::error_code;

/// Why something cannot be read or kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Parameter Store refused or was unreachable; only the error's code is kept.
    #[error("Parameter Store did not answer as it should ({0}); does the role allow the call?")]
    Failed(String),
    /// A parameter does not exist.
    #[error("the parameter {0} does not exist; `peersync-deploy up` creates it")]
    Missing(&'static str),
}

/// What is kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The account at the authority.
    pub account: Option<String>,
    /// The certificate.
    pub certificate: Option<String>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |kept: &Option<String>| kept.as_ref().map(|_| "(redacted)");
        let (account, certificate) = (of(&self.account), of(&self.certificate));
        formatter.debug_struct("Stored").field("account", &account).field("certificate", &certificate).finish()
    }
}

/// A place that outlives the host.
pub trait Storage: Send + Sync {
    /// Reads both.
    fn read(&self) -> BoxFuture<'_, Result<Stored, StorageError>>;

    /// Keeps a value, [`ACME_ACCOUNT`] or [`ACME_CERTIFICATE`].
    fn write<'a>(&'a self, name: &'static str, value: &'a str) -> BoxFuture<'a, Result<(), StorageError>>;
}

/// Two parameters of the stack, encrypted. `up` creates them; the host may read and overwrite these two.
#[derive(Clone, Debug)]
pub struct Parameters {
    client: aws_sdk_ssm::Client,
    prefix: String,
}

impl Parameters {
    /// Returns the parameters with this prefix, which ends without a slash.
    pub fn new(client: aws_sdk_ssm::Client, prefix: &str) -> Self {
        Self { client, prefix: prefix.to_owned() }
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    async fn read_both(&self) -> Result<Stored, StorageError> {
        let names = [ACME_ACCOUNT, ACME_CERTIFICATE].map(|name| self.name(name)).to_vec();
        let answer = self.client.get_parameters().set_names(Some(names)).with_decryption(true).send().await;
        let found = answer.map_err(|error| StorageError::Failed(error_code(&error)))?.parameters.unwrap_or_default();
        let value = |name: &'static str| {
            let full = self.name(name);
            let parameter = found.iter().find(|parameter| parameter.name() == Some(&full));
            let value = parameter.and_then(|parameter| parameter.value()).ok_or(StorageError::Missing(name))?;
            Ok(Some(value.to_owned()).filter(|value| value != NOTHING_KEPT))
        };
        Ok(Stored { account: value(ACME_ACCOUNT)?, certificate: value(ACME_CERTIFICATE)? })
    }
}

impl Storage for Parameters {
    fn read(&self) -> BoxFuture<'_, Result<Stored, StorageError>> {
        Box::pin(self.read_both())
    }

    fn write<'a>(&'a self, name: &'static str, value: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        let call = self.client.put_parameter().name(self.name(name)).value(value).overwrite(true);
        // Of the standard tier, which costs nothing, unless a longer chain than today's needs the advanced one.
        let call = call.r#type(ParameterType::SecureString).tier(ParameterTier::IntelligentTiering);
        Box::pin(async move { call.send().await.map(|_| ()).map_err(|error| StorageError::Failed(error_code(&error))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_printed() {
        let stored = Stored { account: Some("the account's key".to_owned()), certificate: None };
        assert_eq!(format!("{stored:?}"), r#"Stored { account: Some("(redacted)"), certificate: None }"#);
    }
}
