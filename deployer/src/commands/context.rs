//! What the commands share: the global options, the configuration, the way to AWS.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;

use super::CommandError;
use crate::cli::{GlobalArgs, OutputForm};
use crate::local::endpoint::Endpoint;
use peersync_aws::{Clients, ConnectOptions, Identity};
use peersync_config::{self, Config, Expiry, LoadOptions, Loaded, StageName};
use peersync_resources::stack::Stack;

/// Names the stage where `--stage` does not.
const STAGE_VARIABLE: &str = "PEERSYNC_STAGE";
/// The longest name of a bucket.
const LONGEST_BUCKET: usize = 63;

/// The global options, and what follows from them; each is made when it is first asked for.
pub struct Context {
    /// The options as they were given.
    pub options: GlobalArgs,
    /// The endpoint of this computer that stands for AWS, where `local` found one: it checks no credentials and may not
    /// have every service.
    emulator: Option<Endpoint>,
    loaded: OnceLock<Loaded>,
}

impl Context {
    /// A context in which nothing is loaded yet. The stage comes from `PEERSYNC_STAGE` where it was not given.
    ///
    /// # Errors
    /// The variable holds no name of a stage.
    pub fn new(mut options: GlobalArgs) -> Result<Self, CommandError> {
        // An empty variable is what a pipeline makes of one that is not set.
        let variable = std::env::var(STAGE_VARIABLE).ok().filter(|stage| !stage.is_empty());
        if let (None, Some(stage)) = (&options.stage, variable) {
            let parsed = stage.parse::<StageName>();
            options.stage = Some(parsed.map_err(|error| {
                CommandError::usage(format!("the variable {STAGE_VARIABLE} holds no stage")).caused_by(error)
            })?);
        }
        Ok(Self { options, emulator: None, loaded: OnceLock::new() })
    }

    /// The same options for an endpoint of this computer that stands for AWS.
    pub fn at_emulator(&self, emulator: Endpoint) -> Self {
        let options = GlobalArgs { endpoint_url: Some(emulator.url.clone()), ..self.options.clone() };
        Self { options, emulator: Some(emulator), loaded: OnceLock::new() }
    }

    /// The endpoint that was named, on the command line or in the environment.
    pub fn named_endpoint(&self) -> Option<String> {
        let from_environment = || std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty());
        self.options.endpoint_url.clone().or_else(from_environment)
    }

    /// Whether the output is JSON.
    pub fn json(&self) -> bool {
        self.options.output == OutputForm::Json
    }

    /// Where the configuration is looked for, and of which stage.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions { file: self.options.config.clone(), stage: self.options.stage.clone() }
    }

    /// The configuration of the stage with its file.
    ///
    /// # Errors
    /// Every problem of the file, with its place.
    pub fn loaded(&self) -> Result<&Loaded, CommandError> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let loaded = config::load(&self.load_options())?;
        Ok(self.loaded.get_or_init(|| loaded))
    }

    /// The configuration of the stage. Secrets whose variable is not set are no error here.
    ///
    /// # Errors
    /// As [`Context::loaded`].
    pub fn config(&self) -> Result<&Config, CommandError> {
        self.loaded().map(|loaded| &loaded.config)
    }

    /// The configuration for a command that puts the secrets into AWS.
    ///
    /// # Errors
    /// As [`Context::loaded`]; and each secret whose variable is not set.
    pub fn config_with_secrets(&self) -> Result<&Config, CommandError> {
        let loaded = self.loaded()?;
        loaded.require_secrets()?;
        Ok(&loaded.config)
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
        Ok(ConnectOptions {
            region,
            endpoint_url: self.options.endpoint_url.clone(),
            emulated: self.emulator.is_some(),
        })
    }

    /// The clients of all services. Calls nobody.
    ///
    /// # Errors
    /// No region; problems of the configuration.
    pub async fn clients(&self) -> Result<Clients, CommandError> {
        Ok(Clients::connect(&self.connect_options()?).await?)
    }

    /// The stack in its account, filled with these artifacts. `expires` goes before `stack.expires`.
    ///
    /// # Errors
    /// Problems of the configuration; no region; credentials that are missing, wrong or expired.
    pub async fn stack(
        &self,
        expires: Option<&Expiry>,
        artifacts: &'static Artifacts,
    ) -> Result<Arc<Stack>, CommandError> {
        let config = self.config()?.clone();
        let mut clients = self.clients().await?;
        let identity = clients.identity().await?;
        if let Some(emulator) = &self.emulator {
            clients = emulator.probed(clients).await;
        }
        let expires_at =
            expires.or(config.stack.expires.as_ref()).and_then(|expires| expires.tag_from(SystemTime::now()));
        let stack = Stack::new(config, clients, identity, expires_at, artifacts);
        let length = stack.bucket().len();
        if length > LONGEST_BUCKET {
            // Only now is the region known for certain; what can be known before, the configuration's check says.
            let error = CommandError::usage("the name of the bucket would be too long");
            return Err(error
                .caused_by(format!("{} has {length} characters, and S3 takes {LONGEST_BUCKET}", stack.bucket()))
                .hint("shorten stack.name or the stage, or set site.bucket"));
        }
        Ok(Arc::new(stack))
    }

    /// The stack as far as it is known without AWS: in this account, and in the region of the options, the
    /// configuration, the environment or the profile, or in `region`. Calls nobody.
    ///
    /// # Errors
    /// Problems of the configuration.
    pub async fn offline_stack(&self, account: &str, region: &str) -> Result<Arc<Stack>, CommandError> {
        let mut options = self.connect_options()?;
        if options.region.is_none() {
            // The SDK would go on and ask the instance that it runs on, for seconds where there is none.
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new());
            options.region = Some(chain.region().await.map_or_else(|| region.to_owned(), |region| region.to_string()));
        }
        let config = self.config()?.clone();
        let clients = Clients::connect(&options).await?;
        let identity = Identity {
            account: account.to_owned(),
            arn: String::new(),
            partition: partition(&clients.region).to_owned(),
        };
        let expires_at = config.stack.expires.and_then(|expires| expires.tag_from(SystemTime::now()));
        Ok(Arc::new(Stack::new(config, clients, identity, expires_at, crate::artifacts::without_programs())))
    }
}

/// The partition of a region.
fn partition(region: &str) -> &'static str {
    match region {
        china if china.starts_with("cn-") => "aws-cn",
        government if government.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
