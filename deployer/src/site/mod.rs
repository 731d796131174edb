//! The pages as they are published: the files, their content types, their caching, and their headers.

#[cfg(test)]
mod compact;
pub mod headers;

use std::path::Path;

use include_dir::{Dir, include_dir};
use serde_json::json;

/// The key of the generated file that tells the pages the addresses of the API and of signaling.
pub const CONFIG_KEY: &str = "config.json";

/// Everything below `assets/`, as compacted by the build.
static ASSETS: Dir<'static> = include_dir!("$OUT_DIR/site");

/// The caching of scripts and pictures: browsers and the edge may use them this many seconds without asking, then ask
/// with the entity tag. The time is short so that pages and scripts of two versions do not mix for long.
const SHORT_CACHE: &str = "public, max-age=60";
/// The caching of files that must always be revalidated, with the entity tag.
const NO_CACHE: &str = "no-cache";
/// The caching of files whose name changes with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A published file.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its key in the bucket, which is its path without the first slash: `js/api.js`.
    pub key: &'static str,
    /// Its content.
    pub content: &'static [u8],
}

/// Returns all embedded files, sorted by key.
pub fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    collect(&ASSETS, &mut pages);
    pages.sort_by_key(|page| page.key);
    pages
}

/// Returns the embedded file with this key.
pub fn page(key: &str) -> Option<Page> {
    let file = ASSETS.get_file(key)?;
    published(file.path()).map(|key| Page { key, content: file.contents() })
}

fn collect(folder: &'static Dir<'static>, pages: &mut Vec<Page>) {
    let files = folder.files().filter_map(|file| Some(Page { key: published(file.path())?, content: file.contents() }));
    pages.extend(files);
    folder.dirs().for_each(|folder| collect(folder, pages));
}

/// Returns the key of a file, or `None` for files among the assets that must not be published: hidden files, files of
/// editors, notes, and a developer's own `config.json`.
fn published(path: &Path) -> Option<&str> {
    const INTERNAL: &[&str] = &[".md", ".map", ".ts", "~", ".orig", ".swp"];
    let key = path.to_str()?;
    let hidden = key.split('/').any(|part| part.starts_with('.') || part.starts_with('_'));
    let internal = INTERNAL.iter().any(|ending| key.ends_with(ending)) || key == CONFIG_KEY;
    (!hidden && !internal).then_some(key)
}

/// Returns the content type of a file by its name; text is UTF-8.
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
    fn pages_are_embedded_without_hidden_files() {
        let keys: Vec<&str> = pages().iter().map(|page| page.key).collect();
        for key in ["index.html", "signup.html", "login.html", "home.html", "main.js", "style.css", "sailbeach.png"] {
            assert!(keys.contains(&key), "{key} is missing among {keys:?}");
        }
        assert!(keys.iter().all(|key| !key.starts_with('.') && !key.contains("/.") && !key.ends_with(".md")));
        assert_eq!(page("index.html").map(|page| page.key), Some("index.html"));
        assert!(page("no-such-file").is_none());
    }

    #[test]
    fn internal_files_are_not_published() {
        for path in [
            ".gitignore",
            "js/.hidden/x.js",
            "README.md",
            "js/api.ts",
            "style.css.map",
            "_drafts/a.html",
            "config.json",
        ] {
            assert_eq!(published(Path::new(path)), None, "{path}");
        }
        assert_eq!(published(Path::new("js/api.js")), Some("js/api.js"));
    }

    #[test]
    fn pages_are_revalidated_and_the_rest_is_cached() {
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
