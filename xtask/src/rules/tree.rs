//! The copy of the sources out of which rules are taken: the checkout itself is never touched.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::list::Rule;
use super::{folder, log_folder};
use crate::error::{At as _, Error};
use crate::process::{line, run_into};
use crate::suites::environment;
use crate::workspace::{builder, root, target};

/// When a build is given up.
const DEADLINE: Duration = Duration::from_secs(60 * 60);

/// The copy.
pub(super) struct Tree {
    root: PathBuf,
    /// Held by whoever changes a file of it, until that is as it was.
    changing: Mutex<()>,
}

/// What the last build said.
pub(super) fn log() -> PathBuf {
    log_folder().join("build.log")
}

impl Tree {
    /// Copies every file of the checkout that git knows, or could. What is the same already is left, so that it is not
    /// built anew.
    pub(super) fn copy() -> Result<Self, Error> {
        let mut command = builder("git");
        command.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
        let output = command.output().map_err(|source| Error::Start { program: "git".to_owned(), source })?;
        if !output.status.success() {
            return Err(Error::Failed { what: line(&command) });
        }
        let tree = Self { root: folder(), changing: Mutex::default() };
        for file in String::from_utf8_lossy(&output.stdout).split('\0').filter(|file| !file.is_empty()) {
            copy(&root().join(file), &tree.root.join(file))?;
        }
        Ok(tree)
    }

    /// Builds the deployer of the tree. Only what changed is compiled anew; what it carries is the checkout's.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not compile.
    pub(super) fn build(&self) -> Result<(), Error> {
        let log = log();
        fs::write(&log, "").at(&log)?;
        let mut command = self.cargo(&["build", "--release", "--package", "peersync-deploy", "--bins"]);
        let ended = run_into(&mut command, &log, DEADLINE)?;
        if ended.well() { Ok(()) } else { Err(Error::Failed { what: line(&command) }) }
    }

    /// Builds the deployer without this rule, and keeps it under this name; `None` where it does not compile.
    pub(super) fn without(&self, rule: &Rule, name: &str) -> Result<Option<PathBuf>, Error> {
        self.with_sources_without(rule, || match self.build() {
            Ok(()) => self.keep(name).map(Some),
            Err(Error::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Keeps the deployer that was built last, so that it can be run while the next one is built.
    pub(super) fn keep(&self, name: &str) -> Result<PathBuf, Error> {
        let built = programs().join("release/peersync-deploy");
        let kept = programs().join(format!("peersync-deploy-{name}"));
        // One of an earlier run may be there.
        let _ = fs::remove_file(&kept);
        fs::hard_link(&built, &kept).at(&kept)?;
        Ok(kept)
    }

    /// Does something while the rule is out of the sources.
    pub(super) fn with_sources_without<T>(
        &self,
        rule: &Rule,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.root.join(&rule.file);
        let whole = fs::read_to_string(&file).at(&file)?;
        fs::write(&file, rule.taken_out_of(&whole)?).at(&file)?;
        let result = work();
        fs::write(&file, whole).at(&file)?;
        result
    }

    /// The run of one of the deployer's own tests.
    pub(super) fn unit(&self, name: &str) -> Command {
        self.cargo(&["test", "--release", "--package", "peersync-deploy", "--lib", "--", "--exact", name])
    }

    /// cargo in the tree: dependencies are those that the checkout has built, and the programs go elsewhere.
    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = builder("cargo");
        command.args(arguments).current_dir(&self.root);
        command.env("CARGO_BUILD_BUILD_DIR", target()).env("CARGO_TARGET_DIR", programs());
        command.env("CARGO_INCREMENTAL", "1");
        if env::var_os("PEERSYNC_RUNTIME_DIR").is_none() {
            command.env("PEERSYNC_RUNTIME_DIR", target().join("runtime/runtime"));
        }
        environment(&mut command);
        command
    }
}

/// Where the tree's programs go.
fn programs() -> PathBuf {
    folder().join("target")
}

fn copy(source: &Path, copy: &Path) -> Result<(), Error> {
    // One that git knows may be deleted here.
    let Ok(content) = fs::read(source) else { return Ok(()) };
    if fs::read(copy).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = copy.parent() {
        fs::create_dir_all(folder).at(folder)?;
    }
    fs::write(copy, content).at(copy)
}
