//! What the commands share: the global options, the configuration, the way to AWS.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use super::CommandError;
use crate::aws::{Clients, ConnectOptions};
use crate::cli::{GlobalArgs, OutputForm};
use crate::config::{self, Config, Expiry, LoadOptions};
use crate::stack::Stack;

/// The global options, and what follows from them; each is made when it is first asked for.
pub struct Context {
    /// The options as they were given.
    pub options: GlobalArgs,
    config: OnceLock<Config>,
}

impl Context {
    /// A context in which nothing is loaded yet.
    pub fn new(options: GlobalArgs) -> Self {
        Self { options, config: OnceLock::new() }
    }

    /// Whether the output is JSON.
    pub fn json(&self) -> bool {
        self.options.output == OutputForm::Json
    }

    /// Where the configuration is looked for, and of which stage.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions { file: self.options.config.clone(), stage: self.options.stage.clone() }
    }

    /// The configuration of the stage. Secrets whose variable is not set are no error here.
    ///
    /// # Errors
    /// Every problem of the file, with its place.
    pub fn config(&self) -> Result<&Config, CommandError> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = config::load(&self.load_options())?;
        Ok(self.config.get_or_init(|| config))
    }

    /// The configuration for a command that puts the secrets into AWS.
    ///
    /// # Errors
    /// As [`Context::config`]; and each secret whose variable is not set.
    pub fn config_with_secrets(&self) -> Result<&Config, CommandError> {
        let config = self.config()?;
        config::require_secrets(config, &self.load_options())?;
        Ok(config)
    }

    /// How AWS is reached.
    ///
    /// # Errors
    /// As [`Context::config`], which may name the region.
    pub fn connect_options(&self) -> Result<ConnectOptions, CommandError> {
        let region = match &self.options.region {
            Some(region) => Some(region.clone()),
            None => self.config()?.stack.region.clone(),
        };
        Ok(ConnectOptions { region, endpoint_url: self.options.endpoint_url.clone(), emulated: false })
    }

    /// The clients of all services. Calls nobody.
    ///
    /// # Errors
    /// No region; problems of the configuration.
    pub async fn clients(&self) -> Result<Clients, CommandError> {
        Ok(Clients::connect(&self.connect_options()?).await?)
    }

    /// The stack in its account. `expires` goes before `stack.expires`.
    ///
    /// # Errors
    /// Problems of the configuration; no region; credentials that are missing, wrong or expired.
    pub async fn stack(&self, expires: Option<&Expiry>) -> Result<Arc<Stack>, CommandError> {
        let config = self.config()?.clone();
        let clients = self.clients().await?;
        let identity = clients.identity().await?;
        let expires_at = expires.or(config.stack.expires.as_ref()).map(|expires| expires.tag_from(SystemTime::now()));
        Ok(Arc::new(Stack { config, clients, identity, expires_at }))
    }
}
