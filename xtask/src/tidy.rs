//! `cargo xtask tidy`: checks the rules of the sources that the compiler does not check.

mod form;
mod graph;
mod modules;
mod packages;
mod settings;
pub mod tokens;
pub mod tree;
mod words;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use self::settings::Settings;
use self::tree::Tree;
use crate::error::Error;
use crate::workspace::root;

/// What to print.
#[derive(clap::Args)]
pub struct Options {
    /// Print the lowest possible layers of each crate's modules, in the form of xtask/tidy.toml.
    #[arg(long)]
    layers: bool,
    /// The checkout to check, if not this one.
    #[arg(long, value_name = "FOLDER", hide = true)]
    root: Option<PathBuf>,
}

/// A violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path of the file from the root of the checkout.
    file: PathBuf,
    /// The line in the file.
    line: usize,
    /// What is wrong.
    problem: String,
    /// How to fix it.
    fix: String,
}

impl Finding {
    /// Returns a finding about the settings.
    fn of_settings(problem: String) -> Self {
        Self { file: settings::FILE.into(), line: 1, problem, fix: "remove the entry, or correct its name".to_owned() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}; fix: {}", self.file.display(), self.line, self.problem, self.fix)
    }
}

/// Prints the findings.
///
/// # Errors
/// If the checkout or the settings cannot be read. Findings are in the exit code.
pub fn run(options: &Options) -> Result<ExitCode, Error> {
    let tree = Tree::read(&options.root.clone().unwrap_or_else(root))?;
    if options.layers {
        for package in &tree.packages {
            print!("{}", graph::suggestion(&tree, package));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let findings = check(&tree, &settings::read()?);
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks the checkout, and returns a line for each finding.
///
/// # Errors
/// If the checkout or the settings cannot be read.
pub fn findings() -> Result<Vec<String>, Error> {
    let findings = check(&Tree::read(&root())?, &settings::read()?);
    Ok(findings.iter().map(Finding::to_string).collect())
}

fn check(tree: &Tree, settings: &Settings) -> Vec<Finding> {
    let mut findings = [
        packages::check(tree, settings),
        graph::check(tree, settings),
        graph::restricted(tree, settings),
        form::module_files(tree),
        form::places_of_tests(tree),
        form::lengths(tree),
        form::reasons(tree),
        words::check(tree, settings),
    ]
    .concat();
    findings.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    findings
}
