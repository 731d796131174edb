//! Keeps a valid certificate: reads the one that the stack has, and orders one when that is due.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, AccountCredentials, CertificateIdentifier, Error, NewAccount};
use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE};
use peersync_server::clock::Clock;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::authority::{Authority, Http};
use crate::certificates::Certificates;
use crate::kept::{KeptCertificate, Unusable, Validity};
use crate::order::{is_rate_limited, is_unknown_account, order};
use crate::pauses::{Cost, Pauses};
use crate::reach::{self, Unreached};
use crate::renewal_info::Suggestions;
use crate::storage::{Storage, StorageError};

/// How often the stack's certificate is read again: another host may have renewed it, or somebody has replaced it.
const LOOK_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// After this many repetitions a failure that cost nothing is logged again: once an hour.
const REPETITIONS: u32 = 240;

/// What certificate to keep.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the host, in lower case.
    pub domain: String,
    /// The port at which authorities ask. They ask at 443.
    pub port: u16,
    /// Where the authority may write to, if anywhere.
    pub email: Option<String>,
    /// The authority.
    pub authority: Authority,
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// What is kept cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The name does not lead to this host.
    #[error(transparent)]
    Unreached(#[from] Unreached),
    /// The authority was not asked for a certificate yet, and cannot be.
    #[error("the authority cannot be asked: {0}")]
    Authority(#[source] Error),
    /// The authority refuses, or its checks fail.
    #[error("the authority has issued no certificate: {0}")]
    Order(#[source] Error),
    /// The authority has counted too many requests.
    #[error("the authority has counted too many requests: {problem}")]
    TooMany {
        /// What it says.
        problem: Error,
        /// For how long it asked to wait.
        asked: Option<Duration>,
    },
    /// What it has issued cannot be used.
    #[error("the authority has issued a certificate that cannot be used: {0}")]
    Issued(#[source] Unusable),
}

impl KeeperError {
    fn of(error: Error, http: &Http, wrap: fn(Error) -> Self) -> Self {
        let asked = http.asked();
        if is_rate_limited(&error) || asked.is_some() { Self::TooMany { problem: error, asked } } else { wrap(error) }
    }

    fn cost(&self) -> Cost {
        match self {
            Self::Storage(_) | Self::Unreached(_) => Cost::Free,
            // Nobody has answered, or not in the language of authorities.
            Self::Authority(error) if !matches!(error, Error::Api(_)) => Cost::Free,
            Self::Authority(_) | Self::Order(_) | Self::Issued(_) => Cost::Order,
            Self::TooMany { asked, .. } => Cost::TooMany(*asked),
        }
    }
}

/// The account as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptAccount {
    /// The authority's directory: an account is one of a single authority.
    directory: String,
    credentials: AccountCredentials,
}

/// A certificate that is valid and shown.
struct InUse {
    validity: Validity,
    identifier: Option<CertificateIdentifier<'static>>,
}

/// Keeps a valid certificate.
pub struct Keeper {
    settings: Settings,
    storage: Box<dyn Storage>,
    certificates: Arc<Certificates>,
    clock: Clock,
    /// The text of the certificate that is shown.
    shown: Option<String>,
    /// The text of the certificate that is shown to whoever asks for the name that the stack has had before.
    former: Option<String>,
    /// What was issued and could not be kept yet.
    unsaved: Option<String>,
    suggestions: Suggestions,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keeper").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Creates one that shows what it has by `certificates`.
    pub fn new(settings: Settings, storage: Box<dyn Storage>, certificates: Arc<Certificates>, clock: Clock) -> Self {
        let suggestions = Suggestions::default();
        Self { settings, storage, certificates, clock, shown: None, former: None, unsaved: None, suggestions }
    }

    /// Keeps the certificate valid, for ever.
    pub async fn keep(mut self) {
        let mut pauses = Pauses::default();
        let (mut said, mut repeated) = (String::new(), 0);
        loop {
            let pause = match self.check().await {
                Ok(pause) => {
                    (pauses, said) = (Pauses::default(), String::new());
                    pause
                }
                Err(error) => {
                    let (pause, text) = (pauses.after(error.cost()), error.to_string());
                    repeated = if text == said && error.cost() == Cost::Free { repeated + 1 } else { 0 };
                    if repeated % REPETITIONS == 0 {
                        let (valid, seconds) = (self.certificates.is_ready(), pause.as_secs());
                        warn!(target: "certificate", error = text, valid, seconds, "no certificate was obtained; tried again");
                    }
                    said = text;
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Shows the certificate that the stack has, and orders one if that is due. Returns when to check again.
    ///
    /// # Errors
    /// What is due could not be done. Whatever is shown is still shown.
    pub async fn check(&mut self) -> Result<Duration, KeeperError> {
        self.save().await?;
        let stored = self.storage.read().await?;
        let lost = if stored.certificate.is_none() { self.shown.clone() } else { None };
        if let Some(text) = &lost {
            self.storage.write(ACME_CERTIFICATE, text).await?;
        }
        let account = stored.account.as_deref();
        let in_use = stored.certificate.or(lost).and_then(|text| self.use_kept(text));
        if let Some(in_use) = &in_use
            && let Some(pause) = self.until_renewal(in_use, account).await
        {
            return Ok(pause);
        }
        reach::check(&self.settings.domain, self.settings.port, &self.certificates).await?;
        let http = self.settings.authority.client().map_err(KeeperError::Authority)?;
        let kept = self.ordered(&http, account, in_use.and_then(|in_use| in_use.identifier)).await?;
        let certified = kept.certified().map_err(KeeperError::Issued)?;
        let until = kept.validity().map_err(KeeperError::Issued)?.until;
        self.certificates.show(certified, until);
        info!(target: "certificate", days = (until - self.clock.now()) / 86_400, "a certificate was obtained");
        self.shown = Some(kept.text());
        self.unsaved = self.shown.clone();
        self.save().await?;
        Ok(LOOK_AGAIN)
    }

    /// Keeps what could not be kept before.
    async fn save(&mut self) -> Result<(), StorageError> {
        if let Some(text) = &self.unsaved {
            self.storage.write(ACME_CERTIFICATE, text).await?;
            self.unsaved = None;
        }
        Ok(())
    }

    /// Shows a certificate that was kept, if it is valid.
    fn use_kept(&mut self, text: String) -> Option<InUse> {
        let usable = KeptCertificate::parse(&text).and_then(|kept| Ok((kept.validity()?, kept.certified()?, kept)));
        let (validity, certified, kept) = match usable {
            Ok(usable) => usable,
            Err(error) => {
                warn!(target: "certificate", %error, "the certificate that the stack has cannot be used");
                return None;
            }
        };
        let now = self.clock.now();
        if kept.directory != self.settings.authority.directory || validity.until <= now {
            return None;
        }
        if kept.domain != self.settings.domain {
            // People are led by the former name until the host has a certificate for the new one.
            if self.former.as_deref() != Some(text.as_str()) {
                self.certificates.show_former(kept.domain, certified);
                info!(target: "certificate", "the certificate of the former name is shown to whoever asks for that");
                self.former = Some(text);
            }
            return None;
        }
        if self.shown.as_deref() != Some(text.as_str()) {
            self.certificates.show(certified, validity.until);
            info!(target: "certificate", days = (validity.until - now) / 86_400, "the certificate of the stack is used");
            self.shown = Some(text);
        }
        Some(InUse { validity, identifier: kept.identifier() })
    }

    /// Returns when to look again at a certificate, if it need not be renewed now.
    async fn until_renewal(&mut self, in_use: &InUse, account: Option<&str>) -> Option<Duration> {
        let now = self.clock.now();
        let account = account.and_then(|text| self.credentials(text));
        let suggested = match in_use.identifier.as_ref().zip(account) {
            Some((certificate, account)) => {
                self.suggestions.of(&self.settings.authority, account, certificate, now).await
            }
            None => None,
        };
        if suggested.is_some_and(|suggested| suggested <= now) {
            info!(target: "certificate", "the authority suggests to renew the certificate now");
        }
        let left = in_use.validity.renewal(suggested).saturating_sub(now);
        let left = u64::try_from(left).ok().filter(|seconds| *seconds > 0)?;
        Some(Duration::from_secs(left).min(LOOK_AGAIN))
    }

    async fn ordered(
        &self,
        http: &Http,
        account: Option<&str>,
        replaced: Option<CertificateIdentifier<'static>>,
    ) -> Result<KeptCertificate, KeeperError> {
        let (domain, directory) = (&self.settings.domain, &self.settings.authority.directory);
        let account = self.account(http, account).await?;
        let mut issued = order(&account, domain, replaced, &self.certificates).await;
        if issued.as_ref().is_err_and(is_unknown_account) {
            let account = self.account(http, None).await?;
            issued = order(&account, domain, None, &self.certificates).await;
        }
        let issued = issued.map_err(|error| KeeperError::of(error, http, KeeperError::Order))?;
        KeptCertificate::issued(domain, directory, &issued.chain, &issued.key).map_err(KeeperError::Issued)
    }

    /// Reads an account that is kept, if it is one at this authority.
    fn credentials(&self, kept: &str) -> Option<AccountCredentials> {
        let kept: KeptAccount = serde_json::from_str(kept).ok()?;
        (kept.directory == self.settings.authority.directory).then_some(kept.credentials)
    }

    /// Returns the account, a new one if none is kept. It is written each time: what cannot be kept must not be ordered.
    async fn account(&self, http: &Http, kept: Option<&str>) -> Result<Account, KeeperError> {
        let directory = &self.settings.authority.directory;
        let failed = |error| KeeperError::of(error, http, KeeperError::Authority);
        let builder = Account::builder_with_http(Box::new(http.clone()));
        if let Some((text, credentials)) = kept.and_then(|text| Some((text, self.credentials(text)?))) {
            self.storage.write(ACME_ACCOUNT, text).await?;
            return builder.from_credentials(credentials).await.map_err(failed);
        }
        let contact = self.settings.email.as_ref().map(|email| format!("mailto:{email}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&new, directory.clone(), None).await.map_err(failed)?;
        let text = serde_json::to_string(&KeptAccount { directory: directory.clone(), credentials });
        self.storage.write(ACME_ACCOUNT, &text.map_err(|error| KeeperError::Authority(error.into()))?).await?;
        Ok(account)
    }
}
