//! The commands `config check`, `config schema` and `config show`.

use serde_json::{Value, json};

use super::{CommandError, Context, Exit, output};
use crate::cli::{ConfigCommand, ConfigFormat, ConfigShowArgs};
use crate::report::Style;
use peersync_config::{Config, Loaded, StageName, nearest};

/// Runs the command.
///
/// # Errors
/// Returns every problem of the configuration. `config schema` does not fail.
pub async fn run(context: &Context, command: &ConfigCommand) -> Result<Exit, CommandError> {
    match command {
        ConfigCommand::Check => check(context),
        ConfigCommand::Schema => schema(),
        ConfigCommand::Show(args) => show(context, args),
    }
}

fn check(context: &Context) -> Result<Exit, CommandError> {
    let stages = peersync_config::load_all(&context.load_options())?;
    let names: Vec<&str> = stages.iter().map(|loaded| loaded.config.stage.as_str()).collect();
    let file = stages.first().and_then(|loaded| loaded.file.as_deref());
    let warning = stages.split_first().and_then(|(chosen, others)| without_section(context, chosen, others));
    if let Some(warning) = &warning {
        warn(context, warning);
    }
    if context.json() {
        output::event(&json!({ "event": "result", "file": file, "stages": names, "problems": [] }));
    } else {
        let file = file.map_or_else(
            || "no peersync.toml in this folder: using the defaults".to_owned(),
            |file| format!("{file} is valid"),
        );
        output::data(&format!("{file} ({} {})", plural(names.len()), names.join(", ")));
    }
    Ok(Exit::Done)
}

/// Returns a warning if the stage was named, by `--stage` or the variable, but has no section: that is right for the stage
/// of a branch, and a mistake for a mistyped one.
fn without_section(context: &Context, chosen: &Loaded, others: &[Loaded]) -> Option<String> {
    let stage = context.options.stage.as_ref().filter(|stage| **stage != StageName::default())?;
    let file = chosen.file.as_deref().filter(|_| !chosen.has_section)?;
    let known: Vec<&str> = others.iter().map(|loaded| loaded.config.stage.as_str()).collect();
    let meant = match (nearest(stage.as_str(), known.iter().copied()), known.as_slice()) {
        (_, []) => "it has none for any stage".to_owned(),
        (Some(near), _) => format!("did you mean `{near}`? It has sections for {}", known.join(", ")),
        (None, _) => format!("it has sections for {}", known.join(", ")),
    };
    Some(format!(
        "{file} has no section for the stage {stage}, so that only what holds for every stage applies to it; {meant}"
    ))
}

fn warn(context: &Context, text: &str) {
    if context.json() {
        output::event(&json!({ "event": "warning", "text": text }));
    } else {
        output::note(&format!("{} {text}", Style::of_stderr().yellow("warning:")));
    }
}

fn plural(stages: usize) -> &'static str {
    if stages == 1 { "stage" } else { "stages" }
}

fn schema() -> Result<Exit, CommandError> {
    output::data(&pretty(peersync_config::schema())?);
    Ok(Exit::Done)
}

fn show(context: &Context, args: &ConfigShowArgs) -> Result<Exit, CommandError> {
    let loaded = context.loaded()?;
    if context.json() {
        let (config, stage) = (effective(&loaded.config)?, &loaded.config.stage);
        output::event(&json!({ "event": "result", "file": loaded.file, "stage": stage, "config": config }));
        return Ok(Exit::Done);
    }
    match args.format {
        ConfigFormat::Json => output::data(&pretty(&effective(&loaded.config)?)?),
        ConfigFormat::Toml => output::data(&toml_text(loaded)?),
    }
    Ok(Exit::Done)
}

fn toml_text(loaded: &Loaded) -> Result<String, CommandError> {
    let from =
        loaded.file.as_deref().map_or_else(|| "the defaults".to_owned(), |file| format!("{file} and the defaults"));
    let values = toml::to_string(&effective(&loaded.config)?).map_err(unwritable)?;
    Ok(format!("# Stage {}, from {from}.\n\n{values}", loaded.config.stage))
}

/// Returns the values of the stage, with secrets as `(secret from NAME)` and without what is not set.
fn effective(config: &Config) -> Result<Value, CommandError> {
    let mut values = serde_json::to_value(config).map_err(unwritable)?;
    tidy(&mut values);
    Ok(values)
}

fn tidy(value: &mut Value) {
    let Value::Object(table) = value else { return };
    table.retain(|_, value| !value.is_null());
    for value in table.values_mut() {
        match secret(value) {
            Some(variable) => *value = Value::from(format!("(secret from {variable})")),
            None => tidy(value),
        }
    }
}

/// Returns the variable of a secret, if the value is one.
fn secret(value: &Value) -> Option<&str> {
    let table = value.as_object().filter(|table| table.len() == 1)?;
    table.get("env")?.as_str()
}

fn pretty(value: &Value) -> Result<String, CommandError> {
    serde_json::to_string_pretty(value).map_err(unwritable)
}

fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> CommandError {
    CommandError::new("failed to print the configuration").caused_by(error).hint("this is a bug in peersync-deploy")
}
