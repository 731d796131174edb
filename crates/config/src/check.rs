//! Checks a file against the schema: unknown keys, wrong types, values out of range. It finds all problems, in stages
//! too, each with its position.

use std::collections::BTreeSet;
use std::ops::Range;

use regex_lite::Regex;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::{among, nearest};
use super::schema::{Shape, schema, shape};
use super::{Expiry, Problem, Span, StageName};

/// The section that contains the stages.
pub(super) const STAGES: &str = "stages";

/// The result of the check.
#[derive(Default)]
pub(super) struct Checked {
    /// The problems.
    pub problems: Vec<Problem>,
    /// The paths with unusable values, which are left out when the file is read further.
    pub bad: BTreeSet<Vec<String>>,
}

/// Checks the whole file.
pub(super) fn check(file: &DeTable<'_>) -> Checked {
    let mut checker = Checker { root: schema(), path: Vec::new(), checked: Checked::default() };
    checker.table(schema(), file);
    checker.checked
}

struct Checker {
    root: &'static Value,
    /// The current path, from the root of the file.
    path: Vec<String>,
    checked: Checked,
}

/// One problem, before its position is added.
struct Mistake {
    summary: &'static str,
    label: String,
    hint: String,
}

impl Checker {
    fn table(&mut self, node: &'static Value, table: &DeTable<'_>) {
        let Some(Shape::Table { properties, others, secret }) = shape(self.root, node) else { return };
        for (key, value) in table {
            self.path.push(key.get_ref().to_string());
            let known = properties.and_then(|properties| properties.get(key.get_ref().as_ref()));
            match known.or(others) {
                Some(node) => {
                    self.stage_name(key);
                    self.value(node, value);
                }
                None => self.unknown(key, value, properties),
            }
            self.path.pop();
        }
        if secret && !table.keys().any(|key| key.get_ref() == "env") {
            self.checked.bad.insert(self.path.clone());
        }
    }

    fn value(&mut self, node: &'static Value, value: &Spanned<DeValue<'_>>) {
        let Some(shape) = shape(self.root, node) else { return };
        match (&shape, value.get_ref()) {
            (Shape::Table { secret: true, .. }, DeValue::Table(table)) if !table.contains_key("env") => {
                self.table(node, table);
                self.report(
                    value.span(),
                    Mistake {
                        summary: "the secret does not name a variable",
                        label: "`env` is missing".to_owned(),
                        hint: "write { env = \"NAME\" } and set the variable NAME".to_owned(),
                    },
                );
            }
            (Shape::Table { .. }, DeValue::Table(table)) => self.table(node, table),
            (Shape::List { items }, DeValue::Array(list)) => {
                for (index, item) in list.iter().enumerate() {
                    self.path.push(index.to_string());
                    self.value(items, item);
                    self.path.pop();
                }
            }
            (shape, value_here) => {
                if let Err(mistake) = leaf(shape, value_here) {
                    self.report(value.span(), mistake);
                }
            }
        }
    }

    /// Checks that the key is a valid stage name, if it is in the place of one.
    fn stage_name(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>) {
        if self.path.len() != 2 || self.path.first().map(String::as_str) != Some(STAGES) {
            return;
        }
        if let Err(error) = key.get_ref().parse::<StageName>() {
            let hint = match error.suggestion {
                Some(name) => format!("use `{name}`; a stage name has 1 to 20 lower-case letters, digits and hyphens"),
                None => error.to_string(),
            };
            let label = "this is not a valid stage name".to_owned();
            self.report(key.span(), Mistake { summary: "invalid stage name", label, hint });
        }
    }

    fn unknown(
        &mut self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        known: Option<&'static Map<String, Value>>,
    ) {
        let name = key.get_ref().as_ref();
        let keys: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let hint = if let Some(near) = nearest(name, keys.iter().copied()) {
            format!("did you mean `{near}`?")
        } else if let Some(section) = self.section_with(name) {
            format!("`{name}` belongs to [{section}]")
        } else if self.path.len() == 1 && value.get_ref().is_table() {
            format!("the sections are {}; for a stage, write [stages.{name}]", among(&keys))
        } else {
            format!("the valid keys are {}", among(&keys))
        };
        let label = "this key does not exist".to_owned();
        self.report(key.span(), Mistake { summary: "unknown key", label, hint });
    }

    /// Returns the section of the file that has this key.
    fn section_with(&self, key: &str) -> Option<String> {
        let sections = self.root.get("properties")?.as_object()?;
        let mut tables: Vec<(String, &'static Value)> =
            sections.iter().filter(|(name, _)| *name != STAGES).map(|(name, node)| (name.clone(), node)).collect();
        while let Some((path, node)) = tables.pop() {
            let Some(Shape::Table { properties: Some(properties), secret: false, .. }) = shape(self.root, node) else {
                continue;
            };
            if properties.contains_key(key) {
                return Some(path);
            }
            tables.extend(properties.iter().map(|(name, node)| (format!("{path}.{name}"), node)));
        }
        None
    }

    fn report(&mut self, span: Range<usize>, mistake: Mistake) {
        self.checked.bad.insert(self.path.clone());
        self.checked.problems.push(Problem {
            summary: mistake.summary.to_owned(),
            key: self.path.join("."),
            label: mistake.label,
            span: Some(span),
            hint: mistake.hint,
        });
    }
}

/// Checks a value that is not a table or a list, or that is in the place of one.
fn leaf(shape: &Shape<'_>, value: &DeValue<'_>) -> Result<(), Mistake> {
    match (shape, value) {
        (Shape::Span, DeValue::String(text)) => text.parse::<Span>().map(|_| ()).map_err(form),
        (Shape::Expiry, DeValue::String(text)) => text.parse::<Expiry>().map(|_| ()).map_err(form),
        (Shape::Expiry, DeValue::Datetime(date)) => date.to_string().parse::<Expiry>().map(|_| ()).map_err(form),
        (Shape::Text { pattern, message, empty }, DeValue::String(text)) => match pattern {
            Some(pattern) if !matches(pattern, text) => Err(form((*message).to_owned())),
            None if text.is_empty() && !empty => Err(form("write a value, or leave the key out".to_owned())),
            _ => Ok(()),
        },
        (Shape::Choice(choices), _) => choice(choices, value),
        (Shape::Integer { minimum, maximum }, DeValue::Integer(_))
        | (Shape::Number { minimum, maximum }, DeValue::Integer(_) | DeValue::Float(_)) => {
            range(*minimum, *maximum, value)
        }
        (Shape::Bool, DeValue::Boolean(_)) => Ok(()),
        _ => Err(wrong_type(shape, value)),
    }
}

fn form(hint: String) -> Mistake {
    Mistake { summary: "invalid value", label: "this does not have the required form".to_owned(), hint }
}

fn matches(pattern: &str, text: &str) -> bool {
    // A test finds patterns that do not compile. At run time such a pattern accepts everything, and AWS decides.
    Regex::new(pattern).map_or(true, |regex| regex.is_match(text))
}

fn choice(choices: &[Value], value: &DeValue<'_>) -> Result<(), Mistake> {
    let given = match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(_) => number(value).map_or(Value::Null, |number| Value::from(number as i64)),
        _ => Value::Null,
    };
    if choices.contains(&given) {
        return Ok(());
    }
    let texts: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
    let label = "this is not one of the possible values".to_owned();
    let near = given.as_str().and_then(|given| nearest(given, texts.iter().copied()));
    let hint = match near {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => {
            let shown: Vec<String> = choices.iter().map(Value::to_string).collect();
            format!("write {}", listed(&shown))
        }
    };
    Err(Mistake { summary: "invalid value", label, hint })
}

/// Lists items: `1, 2 or 3`.
fn listed(items: &[String]) -> String {
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as f64),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

fn range(minimum: Option<f64>, maximum: Option<f64>, value: &DeValue<'_>) -> Result<(), Mistake> {
    let inside = number(value).is_some_and(|number| {
        number.is_finite() && minimum.is_none_or(|least| number >= least) && maximum.is_none_or(|most| number <= most)
    });
    if inside {
        return Ok(());
    }
    let hint = match (minimum, maximum) {
        (Some(least), Some(most)) => format!("write a number from {least} to {most}"),
        (Some(least), None) => format!("write a number of at least {least}"),
        _ => "write a different number".to_owned(),
    };
    Err(Mistake { summary: "value out of range", label: "this is out of range".to_owned(), hint })
}

fn wrong_type(shape: &Shape<'_>, value: &DeValue<'_>) -> Mistake {
    let (wanted, hint) = match shape {
        Shape::Table { secret: true, .. } => (
            "a secret from the environment",
            "a secret must not be in the file: write { env = \"NAME\" } and set the variable NAME",
        ),
        Shape::Span => ("a duration", "write it in quotes with its unit: \"90s\", \"15m\", \"48h\", \"14days\""),
        Shape::Expiry => ("a time", "write it in quotes: \"48h\", \"2027-03-01T18:00:00Z\", \"2027-03-01\""),
        Shape::Table { .. } => ("a section", "write it as [section] with its keys below"),
        Shape::List { .. } => ("a list", "write it in brackets: [\"first\", \"second\"]"),
        Shape::Text { .. } => ("a string", "write it in quotes"),
        Shape::Integer { .. } => ("a whole number", "write it without quotes and without a decimal point"),
        Shape::Number { .. } => ("a number", "write it without quotes"),
        Shape::Bool => ("true or false", "write true or false, without quotes"),
        Shape::Choice(_) => ("a different value", "see `peersync-deploy config schema`"),
    };
    let found = match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Mistake {
        summary: "wrong type",
        label: format!("{wanted} is required, but this is {found}"),
        hint: hint.to_owned(),
    }
}
