//! `cargo xtask new-resource` and `new-route`: write the skeleton of a resource or a route into every place that needs
//! it, and print what is left to do.

mod insert;
mod resource;
mod route;

pub use resource::NewResource;
pub use route::NewRoute;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At as _, Error};
use crate::process;

/// The files to write. All of them are known before the first one is written.
struct Edit {
    root: PathBuf,
    files: Vec<(PathBuf, String)>,
}

impl Edit {
    fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: Vec::new() }
    }

    /// Adds a file that must not exist yet.
    fn create(&mut self, path: &str, text: String) -> Result<(), Error> {
        if self.root.join(path).exists() {
            return Err(Error::Missing(format!("{path} exists: choose another name")));
        }
        self.files.push((path.into(), text));
        Ok(())
    }

    /// Changes a file that exists.
    fn change(&mut self, path: &str, change: impl FnOnce(&str) -> Option<String>) -> Result<(), Error> {
        let file = self.root.join(path);
        let text = fs::read_to_string(&file).at(&file)?;
        let changed =
            change(&text).ok_or_else(|| Error::Missing(format!("{path} has no list that could take a new entry")))?;
        self.files.push((path.into(), changed));
        Ok(())
    }

    /// Writes all files, and prints them with what is left to do. Only new ones are formatted: rustfmt would follow the
    /// modules of the others.
    fn write(self, left: &[String]) -> Result<(), Error> {
        for (path, text) in &self.files {
            let file = self.root.join(path);
            let is_new = !file.exists();
            fs::write(&file, text).at(&file)?;
            if is_new {
                process::run(Command::new("rustfmt").args(["--edition", "2024"]).arg(&file))?;
            }
            println!("wrote {}", path.display());
        }
        println!("\nLeft to do:");
        for (number, step) in left.iter().enumerate() {
            println!("{}. {step}", number + 1);
        }
        Ok(())
    }
}

/// Fills a template: each `{{key}}` becomes its value.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (key, value)| text.replace(&format!("{{{{{key}}}}}"), value))
}

/// Checks that a name is in `snake_case`.
fn snake_case(name: &str) -> Result<String, String> {
    let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    if begins && name.chars().all(allowed) && !name.ends_with('_') && !name.contains("__") {
        Ok(name.to_owned())
    } else {
        Err("write it in snake_case, such as `log_group`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        assert_eq!(fill("{{a}} {b} {{{a}}}", &[("a", "x")]), "x {b} {x}");
    }

    #[test]
    fn names_are_in_snake_case() {
        assert!(snake_case("sns_topic2").is_ok());
        for name in ["SnsTopic", "sns-topic", "2sns", "sns_", "sns__topic", ""] {
            assert!(snake_case(name).is_err(), "{name}");
        }
    }
}
