//! How the files of the user data are written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Returns a file as cloud-config describes it.
pub(super) fn file(path: &str, permissions: &str, content: &str) -> Value {
    json!({ "path": path, "owner": "root:root", "permissions": permissions, "content": content })
}

/// Formats variables for systemd's `EnvironmentFile`. Values are quoted, so that only backslash and quote are special.
pub(super) fn environment_file(environment: &BTreeMap<String, String>) -> String {
    let line = |(name, value): (&String, &String)| {
        let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{name}=\"{}\"\n", value.replace('\\', "\\\\").replace('"', "\\\""))
    };
    environment.iter().map(line).collect()
}
