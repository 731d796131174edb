//! What the commands share: the global options, the configuration, and the connection to AWS.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;

use super::CommandError;
use crate::cli::{GlobalArgs, OutputFormat, connection};
use crate::local::endpoint::Endpoint;
use crate::report::Invocation;
use peersync_aws::{Clients, ConnectOptions, Identity};
use peersync_config::{Config, Expiry, LoadOptions, Loaded, StageName, region_refusal};
use peersync_resources::Artifacts;
use peersync_resources::stack::{Lifetime, Stack};

/// The environment variable that names the stage if `--stage` does not.
const STAGE_VARIABLE: &str = "PEERSYNC_STAGE";
/// The environment variables that name the region, in the order in which the SDK reads them.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The environment variable with the endpoint at which the SDK calls all services.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";
/// The longest bucket name that S3 allows, in characters.
const LONGEST_BUCKET: usize = 63;

/// The global options and what follows from them; each value is built when it is first needed.
pub struct Context {
    /// The options as given on the command line.
    pub options: GlobalArgs,
    /// The stage that `--stage` names. That of `PEERSYNC_STAGE` is in the options only.
    pub named_stage: Option<StageName>,
    /// The AWS emulator on this computer, if `local` found one. It checks no credentials and may lack some services.
    emulator: Option<Endpoint>,
    loaded: OnceLock<Loaded>,
}

impl Context {
    /// Creates a context without loading anything. If no stage was given, it comes from `PEERSYNC_STAGE`.
    ///
    /// # Errors
    /// Fails if the variable does not hold a valid stage name.
    pub fn new(options: GlobalArgs) -> Result<Self, CommandError> {
        let named_stage = options.stage.clone();
        let options = with_stage_of_environment(options)?;
        Ok(Self { options, named_stage, emulator: None, loaded: OnceLock::new() })
    }

    /// Returns a context with the same options for an AWS emulator on this computer.
    pub fn at_emulator(&self, emulator: Endpoint) -> Self {
        let options = GlobalArgs { endpoint_url: Some(emulator.url.clone()), ..self.options.clone() };
        Self { options, named_stage: self.named_stage.clone(), emulator: Some(emulator), loaded: OnceLock::new() }
    }

    /// Returns the endpoint that was named on the command line or in the environment.
    ///
    /// # Errors
    /// Fails if the variable does not hold a URL: the SDK would ignore it, and call AWS itself.
    pub fn named_endpoint(&self) -> Result<Option<String>, CommandError> {
        match &self.options.endpoint_url {
            Some(url) => Ok(Some(url.clone())),
            None => variable(&[ENDPOINT_VARIABLE], connection::endpoint_url),
        }
    }

    /// Returns how this program was called.
    pub fn invocation(&self) -> Invocation {
        Invocation::of_this_process(self.options.repeated())
    }

    /// Returns whether the output is JSON.
    pub fn json(&self) -> bool {
        self.options.output == OutputFormat::Json
    }

    /// Returns which configuration file and stage to load.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions { file: self.options.config.clone(), stage: self.options.stage.clone() }
    }

    /// Returns the configuration of the stage together with its file.
    ///
    /// # Errors
    /// Returns every problem of the file, each with its position.
    pub fn loaded(&self) -> Result<&Loaded, CommandError> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let loaded = peersync_config::load(&self.load_options())?;
        Ok(self.loaded.get_or_init(|| loaded))
    }

    /// Returns the configuration of the stage. A secret whose variable is not set is not an error.
    ///
    /// # Errors
    /// Fails like [`Context::loaded`].
    pub fn config(&self) -> Result<&Config, CommandError> {
        self.loaded().map(|loaded| &loaded.config)
    }

    /// Returns the configuration for a command that writes the secrets to AWS.
    ///
    /// # Errors
    /// Fails like [`Context::loaded`], and for each secret whose variable is not set.
    pub fn config_with_secrets(&self) -> Result<&Config, CommandError> {
        let loaded = self.loaded()?;
        loaded.require_secrets()?;
        Ok(&loaded.config)
    }

    /// Returns where the region comes from, as people read it: `--region`, `stack.region in peersync.toml`.
    ///
    /// # Errors
    /// Fails like [`Context::loaded`].
    pub fn region_source(&self) -> Result<String, CommandError> {
        if self.options.region.is_some() {
            return Ok("--region".to_owned());
        }
        let loaded = self.loaded()?;
        if let (Some(file), Some(_)) = (&loaded.file, &loaded.config.stack.region) {
            return Ok(format!("stack.region in {file}"));
        }
        let variable = REGION_VARIABLES.into_iter().find(|name| std::env::var_os(name).is_some());
        Ok(variable.unwrap_or("the AWS profile").to_owned())
    }

    /// Returns how to connect to AWS.
    ///
    /// # Errors
    /// Fails like [`Context::config`], since the configuration may name the region, and if a variable that counts does not
    /// hold a region or a URL.
    pub fn connect_options(&self) -> Result<ConnectOptions, CommandError> {
        let region = match &self.options.region {
            Some(region) => Some(region.clone()),
            None => self.config()?.stack.region.clone(),
        };
        // Both are only checked: the SDK reads them itself.
        self.named_endpoint()?;
        if region.is_none() {
            variable(&REGION_VARIABLES, connection::region)?;
        }
        Ok(ConnectOptions {
            region,
            endpoint_url: self.options.endpoint_url.clone(),
            emulated: self.emulator.is_some(),
        })
    }

    /// Returns the clients of all services, without calling AWS.
    ///
    /// # Errors
    /// Fails if no region is set or none in which a stack can be, the configuration has problems, or a setting of the
    /// connection is malformed.
    pub async fn clients(&self) -> Result<Clients, CommandError> {
        let clients = Clients::connect(&self.connect_options()?).await?;
        // All other sources have been checked.
        check_profile(&clients.region)?;
        if self.emulator.is_none() {
            check_partition(&clients.region)?;
        }
        Ok(clients)
    }

    /// Returns the stack in its account. `expires` takes precedence over `stack.expires`.
    ///
    /// # Errors
    /// Fails if the configuration has problems, no region is set, or the credentials are missing, wrong or expired.
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
        let lifetime = Lifetime::of(expires, config.stack.expires.as_ref(), SystemTime::now());
        let mut stack = Stack::new(config, clients, identity, artifacts);
        stack.naming = peersync_operations::naming(&stack).await?;
        stack.lifetime = lifetime;
        stack.has_file = self.loaded()?.file.is_some();
        let length = stack.bucket().len();
        if length > LONGEST_BUCKET {
            // The region is certain only now; the configuration check reports what can be known earlier.
            let error = CommandError::usage("the bucket name would be too long");
            return Err(error
                .caused_by(format!("{} has {length} characters, but S3 allows only {LONGEST_BUCKET}", stack.bucket()))
                .hint("shorten stack.name or the stage, or set site.bucket"));
        }
        Ok(Arc::new(stack))
    }

    /// Returns the stack as far as it is known without calling AWS: in this account, and in the region of the options,
    /// the configuration, the environment or the profile, or else in `region`.
    ///
    /// # Errors
    /// Fails if the configuration has problems, or no stack can be in the region.
    pub async fn offline_stack(&self, account: &str, region: &str) -> Result<Arc<Stack>, CommandError> {
        let mut options = self.connect_options()?;
        if options.region.is_none() {
            // The SDK's default chain would also ask the instance metadata service, which takes seconds to fail
            // elsewhere.
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new());
            let found = chain.region().await.map(|region| region.to_string());
            found.as_deref().map_or(Ok(()), check_profile)?;
            options.region = Some(found.unwrap_or_else(|| region.to_owned()));
        }
        let config = self.config()?.clone();
        let clients = Clients::connect(&options).await?;
        check_partition(&clients.region)?;
        let identity = Identity { account: account.to_owned(), arn: String::new(), partition: "aws".to_owned() };
        Ok(Arc::new(Stack::new(config, clients, identity, crate::artifacts::without_programs())))
    }
}

/// Returns the options with the stage of `PEERSYNC_STAGE`, unless they name one.
///
/// # Errors
/// Fails if the variable does not hold a valid stage name.
pub(super) fn with_stage_of_environment(options: GlobalArgs) -> Result<GlobalArgs, CommandError> {
    // A pipeline passes a variable that is not set as an empty one.
    let variable = std::env::var(STAGE_VARIABLE).ok().filter(|stage| !stage.is_empty());
    let (None, Some(stage)) = (&options.stage, variable) else { return Ok(options) };
    let stage = stage.parse::<StageName>().map_err(|error| {
        CommandError::usage(format!("the variable {STAGE_VARIABLE} does not hold a valid stage name")).caused_by(error)
    })?;
    Ok(GlobalArgs { stage: Some(stage), ..options })
}

/// Returns the value of the first of these variables that is set.
///
/// # Errors
/// Fails if the value does not have the form that `check` requires.
fn variable(names: &[&str], check: fn(&str) -> Result<String, String>) -> Result<Option<String>, CommandError> {
    let Some((name, value)) = names.iter().find_map(|name| Some((*name, std::env::var_os(name)?))) else {
        return Ok(None);
    };
    let value = value.to_string_lossy();
    check(&value).map(Some).map_err(|expected| {
        let found = if value.is_empty() { "it is set, but empty".to_owned() } else { format!("it is \"{value}\"") };
        let error = CommandError::usage(format!("the variable {name} does not have a valid value"));
        error.caused_by(found).hint(format!("{expected}, or unset it"))
    })
}

/// Checks the region that the profile of the AWS settings names.
fn check_profile(region: &str) -> Result<(), CommandError> {
    connection::region(region).map(|_| ()).map_err(|expected| {
        let error = CommandError::usage("the profile of the AWS settings does not name a region");
        let hint = format!("{expected}, with `aws configure set region`");
        error.caused_by(format!("its region is \"{region}\"")).hint(hint)
    })
}

/// Checks that a stack can be in the region.
fn check_partition(region: &str) -> Result<(), CommandError> {
    let Some(reason) = region_refusal(region) else { return Ok(()) };
    Err(CommandError::usage("no stack can be deployed in this region")
        .caused_by(format!("{region}: {reason}"))
        .hint("choose another region, such as eu-central-1, with `--region`, stack.region or AWS_REGION"))
}
