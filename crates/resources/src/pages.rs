//! The pages as they are published: the files, their content types, their caching, and their headers.

pub mod release;

use serde_json::json;

pub use release::{Site, SiteFile};

/// The key of the generated file that tells the pages the addresses of the API and of signaling.
pub const CONFIG_KEY: &str = "config.json";

/// The caching of files whose names stay: they must always be revalidated, with the entity tag. CloudFront's managed policy
/// keeps them for a second nevertheless.
const NO_CACHE: &str = "no-cache";
/// The caching of files in the folder of a release, whose content never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Returns the content type of a file, by its name; text is UTF-8.
pub fn content_type(key: &str) -> String {
    let guessed = mime_guess::from_path(key).first_or_octet_stream();
    if guessed.type_() == mime_guess::mime::TEXT { format!("{guessed}; charset=utf-8") } else { guessed.to_string() }
}

/// Returns the `cache-control` header of the file with this key.
pub fn cache_control(key: &str) -> &'static str {
    if release::parts(key).is_some() { IMMUTABLE } else { NO_CACHE }
}

/// Returns the generated `config.json`: the addresses of the API and the WebSocket, as the pages see them.
pub fn config_json(signal: &str, stage: &str) -> String {
    json!({ "api": "/api", "signal": signal, "stage": stage, "version": env!("CARGO_PKG_VERSION") }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stay_are_revalidated_and_releases_are_immutable() {
        for key in ["index.html", "config.json", "openapi.json", "js/api.js", "r/theirs/js/api.js"] {
            assert_eq!(cache_control(key), NO_CACHE, "{key}");
        }
        assert_eq!(cache_control("r/0123456789abcdef/js/api.js"), IMMUTABLE);
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
