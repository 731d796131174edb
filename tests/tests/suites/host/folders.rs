//! The folders of a host, below a temporary one, and programs in them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Folders of the host that the script and the units name.
const FOLDERS: [&str; 5] = ["/usr/local", "/etc/peersync", "/opt/aws", "/var/log", "/var/lib/peersync"];

/// An absolute path of the host, below the root of the test.
pub(super) fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// A text with the folders of the host below the root of the test.
pub(super) fn moved(root: &Path, text: &str) -> String {
    FOLDERS
        .iter()
        .fold(text.to_owned(), |text, folder| text.replace(folder, &below(root, folder).display().to_string()))
}

/// A program of the shell.
pub(crate) fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Creates a program that records its name and arguments, and then does something.
pub(super) fn record(root: &Path, name: &str, then: &str) {
    let calls = root.join("calls");
    program(&root.join(name), &format!("echo \"$(basename \"$0\") $*\" >>'{}'\n{then}", calls.display()));
}
