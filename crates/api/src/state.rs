//! The state that every handler uses.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::caller::{Caller, Client};
use crate::cloudflare_turn::CloudflareTurn;
use crate::error::ApiResult;
use crate::limits::Limits;
use crate::mail::{Letter, Mailer};
use peersync_server::client_address::EdgeProof;
use peersync_server::clock::Clock;
use peersync_server::metrics::{Metric, Tally};
use peersync_server::secrets::{LiveSecrets, ParameterStore, Secret, Secrets};
use peersync_server::settings::{MailProvider, Settings};
use peersync_server::store::Store;

/// How long a response waits for secrets that are read beside its request, if that takes longer than the request.
const REFRESH_DEADLINE: Duration = Duration::from_secs(1);

/// The source of the secrets.
#[derive(Debug)]
pub enum SecretSource {
    /// They are given.
    Given(Arc<LiveSecrets>),
    /// They are read from Parameter Store when they are first needed, and again while the function runs.
    ParameterStore(Box<SdkConfig>),
}

/// The state of the API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    store: Store,
    clock: Clock,
    limits: Limits,
    secrets: Arc<LiveSecrets>,
    /// For SES.
    config: Option<SdkConfig>,
    /// A mailer that replaces the configured one.
    given_mailer: Option<Mailer>,
    mailer: Mutex<Option<ConfiguredMailer>>,
    cloudflare_turn: CloudflareTurn,
    tally: Tally,
}

/// The configured mailer, and the secrets that it was created with.
#[derive(Debug)]
struct ConfiguredMailer {
    secrets: [Option<Secret>; 2],
    mailer: Mailer,
}

impl State {
    /// Returns a state with the default limits and the system's clock.
    pub fn new(settings: Settings, store: Store, source: SecretSource) -> Self {
        Self::with(settings, store, source, Clock::default(), Limits::default(), None)
    }

    /// Returns a state with a clock and limits; `mailer` replaces the configured one.
    pub fn with(
        settings: Settings,
        store: Store,
        source: SecretSource,
        clock: Clock,
        limits: Limits,
        mailer: Option<Mailer>,
    ) -> Self {
        let (secrets, config) = match source {
            SecretSource::Given(secrets) => (secrets, None),
            SecretSource::ParameterStore(config) => {
                let source = ParameterStore::new((*config).clone(), settings.clone());
                (Arc::new(LiveSecrets::new(source, clock.clone())), Some(*config))
            }
        };
        let (given_mailer, mailer, cloudflare_turn) = (mailer, Mutex::default(), CloudflareTurn::default());
        let tally = Tally::default();
        let inner =
            Inner { settings, store, clock, limits, secrets, config, given_mailer, mailer, cloudflare_turn, tally };
        Self(Arc::new(inner))
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns the database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns what was counted for the owner of the stack.
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Returns the credentials of Cloudflare's TURN.
    pub(crate) fn cloudflare_turn(&self) -> &CloudflareTurn {
        &self.0.cloudflare_turn
    }

    /// Returns the seconds since 1970.
    pub fn now(&self) -> i64 {
        self.0.clock.now()
    }

    /// Returns the secrets, which are never older than a minute.
    ///
    /// # Errors
    /// They cannot be read. The next call tries again.
    pub async fn secrets(&self) -> ApiResult<Arc<Secrets>> {
        Ok(self.0.secrets.current().await?)
    }

    /// Reads the secrets again if that is due. It runs beside a request, which it does not delay unless it takes longer.
    pub(crate) async fn refresh_secrets(&self) {
        // Without an answer in time, the next request tries again.
        let _ = tokio::time::timeout(REFRESH_DEADLINE, self.0.secrets.refresh_if_due()).await;
    }

    /// Returns the client as the limits per client count it.
    ///
    /// # Errors
    /// The edge's key cannot be read.
    pub async fn client(&self, caller: &Caller) -> ApiResult<Client> {
        let mut secrets = self.secrets().await?;
        if caller.edge_proof(&secrets.origin_keys(self.now())) == EdgeProof::Unknown {
            secrets = self.0.secrets.newer_than(&secrets).await;
        }
        Ok(caller.client(caller.edge_proof(&secrets.origin_keys(self.now()))))
    }

    /// Returns the mailer, which is created again when its secret has changed.
    ///
    /// # Errors
    /// The secrets cannot be read.
    pub async fn mailer(&self) -> ApiResult<Mailer> {
        let secrets = self.secrets().await?;
        Ok(self.mailer_with(&secrets))
    }

    /// Sends a letter. If the service does not accept the secret, it is read again: it may have been replaced a moment ago.
    /// Returns false if the letter was not accepted. Both are counted, unless there is no mail by choice.
    ///
    /// # Errors
    /// The secrets cannot be read.
    pub async fn send(&self, letter: &Letter) -> ApiResult<bool> {
        let secrets = self.secrets().await?;
        let newer = async {
            let newest = self.0.secrets.newest(&secrets).await;
            (of_mail(&newest) != of_mail(&secrets)).then(|| self.mailer_with(&newest))
        };
        let sent = self.mailer_with(&secrets).send_or(letter, newer).await;
        if self.0.given_mailer.is_some() || self.0.settings.mail.provider != MailProvider::None {
            self.0.tally.count(if sent { Metric::MailsSent } else { Metric::MailsFailed });
        }
        Ok(sent)
    }

    fn mailer_with(&self, secrets: &Secrets) -> Mailer {
        if let Some(mailer) = &self.0.given_mailer {
            return mailer.clone();
        }
        let used = of_mail(secrets);
        let mut kept = self.0.mailer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.secrets == used) {
            return kept.mailer.clone();
        }
        let mailer = Mailer::new(&self.0.settings.mail, secrets, self.0.config.as_ref());
        // How long the last letter took is still the best guess.
        let mailer = kept.as_ref().map_or(mailer.clone(), |kept| mailer.remembering(&kept.mailer));
        *kept = Some(ConfiguredMailer { secrets: used, mailer: mailer.clone() });
        mailer
    }
}

/// Returns the secrets with which a mailer signs in.
fn of_mail(secrets: &Secrets) -> [Option<Secret>; 2] {
    [secrets.smtp_pass.clone(), secrets.emailjs_private_key.clone()]
}

impl FromRequestParts<State> for State {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &State) -> Result<Self, Infallible> {
        Ok(state.clone())
    }
}
