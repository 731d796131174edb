//! Reads the configuration of one stage from the file.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::{STAGES, check};
use super::mask::mask;
use super::places::Places;
use super::{Config, ConfigError, Problem, StageName, cloudflare, rules};

/// The file that is read by default.
const FILE: &str = "peersync.toml";

/// Which file and which stage to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file. If `None`: `peersync.toml` in the working folder, or the defaults if it does not exist.
    pub file: Option<PathBuf>,
    /// The stage. If `None`: `dev`.
    pub stage: Option<StageName>,
}

/// The configuration of one stage, and its source.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file's name; `None` if there is no file and everything is default.
    pub file: Option<String>,
    /// Whether the file has a section for the stage. Without one, the stage has the values of the rest of the file.
    pub has_section: bool,
    /// The file's text, with everything hidden that may be a secret.
    shown: String,
    places: Places,
}

impl Loaded {
    /// Checks that every secret that the configuration uses has a value, Cloudflare's API token included.
    ///
    /// # Errors
    /// Returns each secret whose variable is not set, with its position.
    pub fn require_secrets(&self) -> Result<(), ConfigError> {
        let mut problems: Vec<Problem> = self
            .config
            .secrets()
            .into_iter()
            .filter(|(_, secret)| secret.value().is_none())
            .map(|(key, secret)| Problem {
                summary: "a secret is not set".to_owned(),
                key: key.to_owned(),
                label: format!("the variable {} is not set, or empty", secret.env),
                span: self.places.value(&format!("{key}.env")),
                hint: format!(
                    "set it before you run the command: `export {}=…`; `{key}` takes its value from it",
                    secret.env
                ),
            })
            .collect();
        if self.config.managed_tunnel().is_some() && cloudflare::api_token().is_none() {
            let key = "signaling.domain";
            let span = self.places.value(key);
            problems.push(Problem { key: key.to_owned(), span, ..cloudflare::no_api_token() });
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ConfigError::new(self.file.as_deref().unwrap_or(FILE), &self.shown, problems)),
        }
    }

    /// Checks that the expiry, if it is a time, has not come yet: `up` would create what the next teardown removes.
    ///
    /// # Errors
    /// Returns the expiry with its position.
    pub fn require_future_expiry(&self, now: SystemTime) -> Result<(), ConfigError> {
        let Some(expires) = self.config.stack.expires.filter(|expires| expires.is_past(now)) else { return Ok(()) };
        let key = "stack.expires";
        let problem = Problem {
            summary: "the expiry is in the past".to_owned(),
            key: key.to_owned(),
            label: format!("{expires} has passed"),
            span: self.places.value(key),
            hint: "write a later time, a duration such as \"48h\", or \"never\"".to_owned(),
        };
        Err(ConfigError::new(self.file.as_deref().unwrap_or(FILE), &self.shown, vec![problem]))
    }
}

/// Loads the configuration of a stage.
///
/// # Errors
/// Returns every problem of the file. For other stages it returns only problems of single values.
pub fn load(options: &LoadOptions) -> Result<Loaded, ConfigError> {
    let file = File::read(options)?;
    let stage = options.stage.clone().unwrap_or_default();
    file.stages(|_| vec![stage])?.pop().ok_or_else(|| file.error(Vec::new()))
}

/// Checks the whole file and returns the configurations of its stages, including the chosen one (`dev` by default).
///
/// # Errors
/// Returns every problem of the file.
pub fn load_all(options: &LoadOptions) -> Result<Vec<Loaded>, ConfigError> {
    let chosen = options.stage.clone().unwrap_or_default();
    File::read(options)?.stages(|named| {
        let mut stages = vec![chosen.clone()];
        stages.extend(named.into_iter().filter(|stage| *stage != chosen));
        stages
    })
}

/// The file as it was read.
pub(super) struct File {
    /// The file's name; `None` if there is no file.
    pub(super) name: Option<String>,
    pub(super) text: String,
}

impl File {
    fn read(options: &LoadOptions) -> Result<Self, ConfigError> {
        let path = options.file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let name = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self { name: Some(name), text }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && options.file.is_none() => {
                Ok(Self { name: None, text: String::new() })
            }
            Err(error) => Err(unreadable(&name, &error)),
        }
    }

    /// Returns the configurations of the stages that `choose` selects from those with a section.
    pub(super) fn stages(
        &self,
        choose: impl FnOnce(Vec<StageName>) -> Vec<StageName>,
    ) -> Result<Vec<Loaded>, ConfigError> {
        let (file, errors) = DeTable::parse_recoverable(&self.text);
        if !errors.is_empty() {
            return Err(self.error(errors.iter().map(|error| self.syntax(error)).collect()));
        }
        let file = file.into_inner();
        let checked = check(&file);
        let shown = mask(&self.text, Some(&file));
        let (mut problems, mut loaded) = (checked.problems, Vec::new());
        let with_section = named(&file);
        for stage in choose(with_section.clone()) {
            let table = of_stage(&file, &checked.bad, &stage);
            let places = Places::of(&table);
            match read_stage(table, &stage, self.text.len()) {
                Ok(config) => {
                    let unclear = unclear_sections(&checked.bad, &stage);
                    let of_rules = rules::problems(&config, &places).into_iter();
                    problems.extend(of_rules.filter(|problem| !unclear.contains(section(&problem.key))));
                    let (file, has_section) = (self.name.clone(), with_section.contains(&stage));
                    loaded.push(Loaded { config, file, has_section, shown: shown.clone(), places });
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(loaded) } else { Err(self.error(problems)) }
    }

    fn syntax(&self, error: &toml::de::Error) -> Problem {
        Problem {
            summary: "invalid TOML".to_owned(),
            key: String::new(),
            label: error.message().to_owned(),
            span: error.span().map(|span| widened(span, &self.text)),
            hint: "write `key = value` under a [section]; strings in quotes, lists in brackets".to_owned(),
        }
    }

    fn error(&self, problems: Vec<Problem>) -> ConfigError {
        let file = DeTable::parse_recoverable(&self.text).0;
        ConfigError::new(self.name.as_deref().unwrap_or(FILE), &mask(&self.text, Some(file.get_ref())), problems)
    }
}

/// Moves an empty range, or one at the end of a line, to the nearest character, so that something is underlined.
fn widened(span: Range<usize>, text: &str) -> Range<usize> {
    if text.get(span.clone()).is_some_and(|part| !part.trim().is_empty()) {
        return span;
    }
    let after = text.get(span.start..).and_then(|rest| rest.chars().next()).filter(|next| !next.is_whitespace());
    if let Some(next) = after {
        return span.start..span.start + next.len_utf8();
    }
    let before = text.get(..span.start).map(|before| before.trim_end_matches([' ', '\t', '\r', '\n']));
    match before.and_then(|before| before.char_indices().next_back()) {
        Some((start, last)) => start..start + last.len_utf8(),
        None => span,
    }
}

fn unreadable(name: &str, error: &io::Error) -> ConfigError {
    let (label, hint) = match error.kind() {
        io::ErrorKind::NotFound => ("the file does not exist", "check the path; without `-c` the default file is used"),
        io::ErrorKind::InvalidData => ("the file is not valid UTF-8", "save it as UTF-8"),
        io::ErrorKind::PermissionDenied => ("permission denied", "give yourself permission to read it"),
        io::ErrorKind::IsADirectory => ("it is a folder", "name the file in it: `-c FOLDER/peersync.toml`"),
        _ => ("reading failed", "check the path and the disk"),
    };
    let problem = Problem {
        summary: format!("{name} cannot be read: {label}"),
        key: String::new(),
        label: label.to_owned(),
        span: None,
        hint: hint.to_owned(),
    };
    ConfigError::new(name, "", vec![problem])
}

/// Returns the stages that have a section.
fn named(file: &DeTable<'_>) -> Vec<StageName> {
    let stages = file.get(STAGES).and_then(|stages| stages.get_ref().as_table());
    stages.into_iter().flat_map(|stages| stages.keys()).filter_map(|name| name.get_ref().parse().ok()).collect()
}

/// Returns the values of a stage: those of the file, overridden by those of its section. Bad values are left out.
fn of_stage<'i>(file: &DeTable<'i>, bad: &BTreeSet<Vec<String>>, stage: &StageName) -> DeTable<'i> {
    let mut table = good(file, bad, &[]);
    let stages = table.remove(STAGES).map(Spanned::into_inner);
    if let Some(DeValue::Table(mut stages)) = stages
        && let Some(DeValue::Table(overrides)) = stages.remove(stage.as_str()).map(Spanned::into_inner)
    {
        lay_over(&mut table, overrides);
    }
    table
}

/// Returns the table without the bad paths. A list with a bad item is bad as a whole.
fn good<'i>(table: &DeTable<'i>, bad: &BTreeSet<Vec<String>>, path: &[String]) -> DeTable<'i> {
    let mut kept = DeTable::new();
    for (key, value) in table {
        let mut path = path.to_vec();
        path.push(key.get_ref().to_string());
        let value = match value.get_ref() {
            _ if bad.contains(&path) => continue,
            DeValue::Array(_) if bad.iter().any(|bad| bad.starts_with(&path)) => continue,
            DeValue::Table(inner) => Spanned::new(value.span(), DeValue::Table(good(inner, bad, &path))),
            _ => value.clone(),
        };
        kept.insert(key.clone(), value);
    }
    kept
}

/// Overrides the values of `table` with those of `over`: tables are merged, lists are replaced.
fn lay_over<'i>(table: &mut DeTable<'i>, over: DeTable<'i>) {
    for (key, value) in over {
        // Removed first, so that the key has the position in the stage's section.
        let earlier = table.remove(key.get_ref().as_ref());
        let span = value.span();
        let value = match (earlier.map(Spanned::into_inner), value.into_inner()) {
            (Some(DeValue::Table(mut earlier)), DeValue::Table(over)) => {
                lay_over(&mut earlier, over);
                DeValue::Table(earlier)
            }
            (_, value) => value,
        };
        table.insert(key, Spanned::new(span, value));
    }
}

fn read_stage(table: DeTable<'_>, stage: &StageName, length: usize) -> Result<Config, Problem> {
    let read = Config::deserialize(toml::de::Deserializer::from(Spanned::new(0..length, table)));
    let mut config = read.map_err(|error| Problem {
        summary: "invalid value".to_owned(),
        key: String::new(),
        label: error.message().to_owned(),
        span: error.span(),
        hint: "see `peersync-deploy config schema`".to_owned(),
    })?;
    config.stage = stage.to_string();
    Ok(config)
}

/// Returns the sections in which a bad value was left out: how their values go together is not known.
fn unclear_sections(bad: &BTreeSet<Vec<String>>, stage: &StageName) -> BTreeSet<String> {
    let in_stage = |path: &Vec<String>| match path.split_first() {
        Some((first, rest)) if first == STAGES => {
            rest.split_first().filter(|(name, _)| *name == stage.as_str()).and_then(|(_, rest)| rest.first().cloned())
        }
        first => first.map(|(first, _)| first.clone()),
    };
    bad.iter().filter_map(in_stage).collect()
}

fn section(key: &str) -> &str {
    key.split('.').next().unwrap_or_default()
}
