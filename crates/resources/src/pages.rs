//! The pages as they are published: the files, their content types, their caching, and their headers.

use serde_json::json;

/// The key of the generated file that tells the pages the addresses of the API and of signaling.
pub const CONFIG_KEY: &str = "config.json";

/// The caching of scripts and pictures, in seconds: browsers and the edge may use them for so long without asking, and
/// revalidate with the entity tag afterwards. Short, because pages and scripts of two versions must not meet for long.
const SHORT_CACHE: &str = "public, max-age=60";
/// The caching of files that must always be revalidated, with the entity tag.
const NO_CACHE: &str = "no-cache";
/// The caching of files whose name changes with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Returns the content type of a file, by its name; text is UTF-8.
pub fn content_type(key: &str) -> String {
    let guessed = mime_guess::from_path(key).first_or_octet_stream();
    if guessed.type_() == mime_guess::mime::TEXT { format!("{guessed}; charset=utf-8") } else { guessed.to_string() }
}

/// Returns the `cache-control` header of a file.
pub fn cache_control(key: &str) -> &'static str {
    if key.ends_with(".html") || key == CONFIG_KEY {
        NO_CACHE
    } else if has_content_hash(key) {
        IMMUTABLE
    } else {
        SHORT_CACHE
    }
}

/// Returns whether the name contains a hash of the content: `app.3f9a0c1d.js`, at least 8 hexadecimal digits between
/// dots.
fn has_content_hash(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() > 2
        && parts.iter().skip(1).rev().skip(1).any(|part| {
            part.len() >= 8
                && part.chars().all(|c| c.is_ascii_hexdigit())
                && part.contains(|c: char| c.is_ascii_digit())
        })
}

/// Returns the generated `config.json`: the addresses of the API and the WebSocket, as the pages see them.
pub fn config_json(signal: &str, stage: &str) -> String {
    json!({ "api": "/api", "signal": signal, "stage": stage, "version": env!("CARGO_PKG_VERSION") }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_revalidated_and_other_files_are_cached() {
        assert_eq!(cache_control("index.html"), "no-cache");
        assert_eq!(cache_control("config.json"), "no-cache");
        assert_eq!(cache_control("js/api.js"), SHORT_CACHE);
        assert_eq!(cache_control("js/app.3f9a0c1d.js"), IMMUTABLE);
        assert_eq!(cache_control("js/facade.deadbeef.js"), SHORT_CACHE);
    }

    #[test]
    fn text_files_are_utf_8() {
        assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("js/api.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("sailbeach.png"), "image/png");
        assert_eq!(content_type("icons.svg"), "image/svg+xml");
        assert_eq!(content_type("config.json"), "application/json");
    }
}
