//! `peersync.toml`: any text is accepted or refused with problems that can be shown, each within the file.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use peersync_config::{LoadOptions, load_all};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

fn file() -> PathBuf {
    FOLDER.path().join("peersync.toml")
}

fuzz_target!(|text: &str| {
    std::fs::write(file(), text).expect("the file can be written");
    match load_all(&LoadOptions { file: Some(file()), stage: None }) {
        Ok(stages) => {
            assert!(!stages.is_empty(), "the chosen stage is among them");
            for stage in stages {
                // Without the variables of the secrets in the environment, each is a problem with a place.
                let _ = stage.require_secrets().map_err(|error| error.render(false));
            }
        }
        Err(error) => {
            assert!(!error.problems.is_empty(), "a refusal has a reason");
            assert!(!error.render(false).is_empty() && !error.render(true).is_empty());
            let lines = text.split('\n').count();
            for problem in &error.problems {
                assert!(error.place_of(problem).is_none_or(|(line, _)| line <= lines), "{problem:?} is in the file");
            }
            let _ = error.to_json();
        }
    }
});
