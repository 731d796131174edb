//! A new kind of resource.

use std::path::PathBuf;

use super::{Edit, fill, insert, snake_case};
use crate::error::Error;
use crate::workspace::root;

const TEMPLATE: &str = include_str!("../../templates/resource.rs.txt");
const RULE: &str = include_str!("../../templates/rule.toml.txt");
/// The list of kinds.
const KINDS: &str = "crates/resources/src/kinds.rs";

/// A new kind of resource.
#[derive(clap::Args)]
pub struct NewResource {
    /// Its name in addresses, in snake_case, such as `log_group`.
    #[arg(value_parser = snake_case)]
    name: String,
    /// The checkout to write to.
    #[arg(long, value_name = "FOLDER", hide = true)]
    root: Option<PathBuf>,
}

impl NewResource {
    /// Writes the kind, its lines in the list of kinds, and its first rule.
    ///
    /// # Errors
    /// If the kind exists, or a list to add to is not found.
    pub fn run(&self) -> Result<(), Error> {
        let name = self.name.as_str();
        let (words, kebab) = (name.replace('_', " "), name.replace('_', "-"));
        let (type_name, title) = (camel_case(name), capitalized(&words));
        let values =
            [("name", name), ("words", words.as_str()), ("kebab", &kebab), ("Type", &type_name), ("Words", &title)];
        let file = format!("crates/resources/src/kinds/{name}.rs");
        let mut edit = Edit::new(&self.root.clone().unwrap_or_else(root));
        edit.create(&file, fill(TEMPLATE, &values))?;
        edit.change(KINDS, |text| {
            let registered = insert::module(text, name)?;
            insert::line(&registered, name, &format!("    {name}::KIND,"), |line| {
                line.trim_start().strip_suffix("::KIND,")
            })
        })?;
        edit.change("tests/rules.toml", |text| Some(text.trim_end().to_owned() + "\n" + &fill(RULE, &values)))?;
        edit.write(&left(&file, &kebab))
    }
}

fn left(file: &str, kebab: &str) -> Vec<String> {
    [
        format!(
            "{file}: the first line, `instances`, `permissions`, `dependencies`, and the calls of each method; then \
             remove `enabled` and `unfinished`, and set ABSENT to the service's own code; if the kind carries tags, write \
             its `search`"
        ),
        "crates/aws/src/services.rs: the service, if no other kind uses it".to_owned(),
        "crates/resources/src/kinds/order.rs: each dependency, with its reason".to_owned(),
        format!(
            "tests/rules.toml: a test of the suites for `{kebab}-delete-survives-absence`, once one covers it, and a \
             rule for each further wait, repeated call and dependency"
        ),
        "tests/src/census.rs: the call that finds one that is left after `down`".to_owned(),
        "cargo test --release -p peersync-deploy -p peersync-resources --lib; cargo xtask tidy".to_owned(),
        format!("cargo xtask rules {kebab}"),
    ]
    .into()
}

fn camel_case(name: &str) -> String {
    name.split('_').map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

    use std::fs;

    use super::*;

    const BEFORE: &str =
        "mod alarm;\npub mod rest_api;\n\npub const KINDS: &[Kind] = &[\n    rest_api::KIND,\n    alarm::KIND,\n];\n";

    #[test]
    fn a_resource_is_written_and_registered() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
        for path in ["crates/resources/src/kinds", "tests"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join(KINDS), BEFORE).unwrap();
        fs::write(folder.path().join("tests/rules.toml"), "[[rule]]\nname = \"a\"\n").unwrap();
        let new = NewResource { name: "sns_topic".to_owned(), root: Some(folder.path().to_owned()) };
        new.run().unwrap();
        let registered = BEFORE.replace("api;\n", "api;\nmod sns_topic;\n");
        assert_eq!(read(KINDS), registered.replace("alarm::KIND,\n", "alarm::KIND,\n    sns_topic::KIND,\n"));
        assert!(read("tests/rules.toml").starts_with("[[rule]]\nname = \"a\"\n\n[[rule]]\nname = \"sns-topic-delete"));
        assert!(read("tests/rules.toml").ends_with(
            "test = \"unit:peersync-resources:kinds::sns_topic::tests::absence_does_not_fail_the_deletion\"\n"
        ));
        let file = read("crates/resources/src/kinds/sns_topic.rs");
        assert!(file.starts_with("//! Sns topic: ") && file.contains("struct SnsTopic {") && !file.contains("{{"));
        assert!(new.run().unwrap_err().to_string().contains("exists: choose"));
    }
}
