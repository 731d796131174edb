//! The state that every handler uses.

use std::convert::Infallible;
use std::sync::Arc;

use aws_config::SdkConfig;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::OnceCell;

use crate::error::ApiResult;
use crate::limits::Limits;
use crate::mail::Mailer;
use peersync_server::clock::Clock;
use peersync_server::secrets::Secrets;
use peersync_server::settings::Settings;
use peersync_server::store::Store;

/// The source of the secrets.
#[derive(Debug)]
pub enum SecretSource {
    /// They are given.
    Given(Box<Secrets>),
    /// They are read from Parameter Store once, when they are first needed.
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
    source: SecretSource,
    secrets: OnceCell<Secrets>,
    mailer: OnceCell<Mailer>,
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
        let mailer = OnceCell::new_with(mailer);
        Self(Arc::new(Inner { settings, store, clock, limits, source, secrets: OnceCell::new(), mailer }))
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

    /// Returns the seconds since 1970.
    pub fn now(&self) -> i64 {
        self.0.clock.now()
    }

    /// Returns the secrets, which the first call reads.
    ///
    /// # Errors
    /// They cannot be read. The next call tries again.
    pub async fn secrets(&self) -> ApiResult<&Secrets> {
        let read = || async {
            match &self.0.source {
                SecretSource::Given(secrets) => Ok((**secrets).clone()),
                SecretSource::ParameterStore(config) => {
                    Secrets::load(&aws_sdk_ssm::Client::new(config), &self.0.settings).await
                }
            }
        };
        Ok(self.0.secrets.get_or_try_init(read).await?)
    }

    /// Returns the mailer, which the first call creates.
    ///
    /// # Errors
    /// The secrets cannot be read.
    pub async fn mailer(&self) -> ApiResult<&Mailer> {
        if let Some(mailer) = self.0.mailer.get() {
            return Ok(mailer);
        }
        let secrets = self.secrets().await?;
        let config = match &self.0.source {
            SecretSource::Given(_) => None,
            SecretSource::ParameterStore(config) => Some(config.as_ref()),
        };
        Ok(self.0.mailer.get_or_init(|| async { Mailer::new(&self.0.settings.mail, secrets, config) }).await)
    }
}

impl FromRequestParts<State> for State {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &State) -> Result<Self, Infallible> {
        Ok(state.clone())
    }
}
