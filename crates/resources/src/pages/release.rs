//! Releases of the pages: scripts, styles and pictures of one version lie in a folder that is named by their content.
//!
//! A browser loads some scripts only when they are needed, which may be hours after it opened the page and after an `up`.
//! Imports are relative, so that they stay within the folder of the release that the page has begun with, and those of two
//! versions never meet. The HTML files keep their names, because mails and bookmarks have them; they are always
//! revalidated, and name the folder.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::CONFIG_KEY;
use crate::artifacts::Page;

/// The folder with the folders of all releases.
const RELEASES: &str = "r/";
/// The length of a release's id, in hexadecimal digits.
const ID_LENGTH: usize = 16;
/// The attributes of HTML that name files.
const REFERENCES: [&str; 2] = [" href=\"", " src=\""];

/// The pages as they are published.
#[derive(Clone, Debug, Default)]
pub struct Site {
    release: String,
    files: BTreeMap<&'static str, SiteFile>,
}

/// A published file.
#[derive(Clone, Debug)]
pub struct SiteFile {
    /// Its key in the bucket, and its path without the first slash: `r/0123456789abcdef/js/api.js`.
    pub key: String,
    /// Its content.
    pub content: Cow<'static, [u8]>,
}

impl Site {
    /// Arranges the files of one version.
    pub fn new(pages: &[Page]) -> Self {
        let release = id(pages);
        let moved: BTreeMap<&str, String> = pages
            .iter()
            .filter(|page| !keeps_name(page.key))
            .map(|page| (page.key, key_in(&release, page.key)))
            .collect();
        let file = |page: &Page| match moved.get(page.key) {
            Some(key) => SiteFile { key: key.clone(), content: Cow::Borrowed(page.content) },
            None => SiteFile { key: page.key.to_owned(), content: with_release(page, &moved) },
        };
        let files = pages.iter().map(|page| (page.key, file(page))).collect();
        Self { release, files }
    }

    /// Returns the id of the release: 16 hexadecimal digits that depend on the content alone.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Returns the files by their names in `assets/`.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &SiteFile)> {
        self.files.iter().map(|(name, file)| (*name, file))
    }

    /// Returns the file with this key.
    pub fn file(&self, key: &str) -> Option<&SiteFile> {
        let name = match parts(key) {
            Some((release, name)) if release == self.release => name,
            Some(_) => return None,
            None => key,
        };
        self.files.get(name).filter(|file| file.key == key)
    }
}

/// Returns whether a file has the same name in every release: the HTML files, and what other programs ask for.
pub fn keeps_name(name: &str) -> bool {
    name.ends_with(".html") || name == CONFIG_KEY || name == "openapi.json"
}

/// Returns the key of a file of a release.
pub fn key_in(release: &str, name: &str) -> String {
    format!("{RELEASES}{release}/{name}")
}

/// Returns the id of the release and the name of the file; `None` for a key outside of the folders of releases.
pub fn parts(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(RELEASES)?.split_once('/').filter(|(release, _)| is_id(release))
}

/// Returns the key of the mark that says since when a release is no longer the current one.
pub(crate) fn mark_of(release: &str) -> String {
    format!("{RELEASES}{release}{MARK}")
}
/// How the keys of such marks end.
const MARK: &str = ".replaced";

/// The id under which the files of versions without releases are counted as one.
pub(crate) const WITHOUT_FOLDER: &str = "without-folder";

/// Returns the id of the release that a key belongs to: a file, its mark, or a file of a version that had no releases.
pub(crate) fn release_of(key: &str) -> Option<&str> {
    if let Some((release, _)) = parts(key) {
        return Some(release);
    }
    if let Some(name) = key.strip_prefix(RELEASES) {
        return name.strip_suffix(MARK).filter(|id| is_id(id) || *id == WITHOUT_FOLDER);
    }
    let alone = ["main.js", "style.css", "icons.svg", "favicon.svg", "sailbeach.png"];
    (alone.contains(&key) || key.starts_with("js/") || key.starts_with("css/")).then_some(WITHOUT_FOLDER)
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the id of these files.
fn id(pages: &[Page]) -> String {
    let files: BTreeMap<&str, &[u8]> = pages.iter().map(|page| (page.key, page.content)).collect();
    let mut hasher = Sha256::new();
    for (name, content) in files.into_iter().filter(|(name, _)| !keeps_name(name)) {
        // Of fixed length, so that no other files give the same bytes.
        hasher.update(Sha256::digest(name));
        hasher.update(Sha256::digest(content));
    }
    let mut id = hex::encode(hasher.finalize());
    id.truncate(ID_LENGTH);
    id
}

/// Returns the content of a page with the paths of the files that have `moved`.
fn with_release(page: &Page, moved: &BTreeMap<&str, String>) -> Cow<'static, [u8]> {
    match std::str::from_utf8(page.content) {
        Ok(html) if page.key.ends_with(".html") => Cow::Owned(rewritten(html, moved).into_bytes()),
        _ => Cow::Borrowed(page.content),
    }
}

fn rewritten(html: &str, moved: &BTreeMap<&str, String>) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = REFERENCES.iter().filter_map(|one| Some(rest.find(one)? + one.len())).min() {
        let (before, value) = rest.split_at(start);
        out.push_str(before);
        let path = value.strip_prefix('/').unwrap_or(value);
        let end = path.find(['"', '#', '?']).unwrap_or(path.len());
        let (name, after) = path.split_at(end);
        match moved.get(name) {
            Some(key) => {
                out.push('/');
                out.push_str(key);
                rest = after;
            }
            None => rest = value,
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    const PAGE: &str = "<link href=\"style.css\"><a href=\"home.html\">style.css</a><img alt=\"\" src=\"/a b.png\"> \
                        <use href=\"icons.svg#mark\"/><a href=\"https://example.org/style.css\"><i data-src=\"style.css\">";

    fn pages(script: &'static [u8]) -> Vec<Page> {
        [
            ("index.html", PAGE.as_bytes()),
            ("js/api.js", script),
            ("style.css", b"b {}"),
            ("icons.svg", b"<svg/>"),
            ("a b.png", b"png"),
            ("openapi.json", b"{}"),
        ]
        .map(|(key, content)| Page { key, content })
        .to_vec()
    }

    #[test]
    fn html_keeps_its_name_and_names_the_folder_of_everything_else() {
        let site = Site::new(&pages(b"1"));
        let release = site.release();
        let keys: Vec<&str> = site.files().map(|(_, file)| file.key.as_str()).collect();
        let folder = format!("r/{release}/");
        let (kept, moved): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| !key.starts_with(&folder));
        assert_eq!((kept, moved.len()), (vec!["index.html", "openapi.json"], 4));
        let html = String::from_utf8(site.file("index.html").unwrap().content.to_vec()).unwrap();
        let expected = PAGE
            .replace("link href=\"style.css", &format!("link href=\"/{folder}style.css"))
            .replace("src=\"/a b", &format!("src=\"/{folder}a b"))
            .replace("href=\"icons", &format!("href=\"/{folder}icons"));
        assert_eq!(html, expected);
    }

    #[test]
    fn release_depends_on_content_and_names_alone() {
        let of = |pages: &[Page]| Site::new(pages).release().to_owned();
        let first = of(&pages(b"1"));
        assert!(is_id(&first), "{first}");
        assert_ne!(first, of(&pages(b"2")));
        let mut other_order = pages(b"1");
        other_order.reverse();
        assert_eq!(first, of(&other_order));
        let mut renamed = pages(b"1");
        renamed[1].key = "js/app.js";
        assert_ne!(first, of(&renamed));
        let mut other_page = pages(b"1");
        other_page[0].content = b"<html>";
        assert_eq!(first, of(&other_page), "pages name the release and are no part of it");
    }

    #[test]
    fn files_are_found_by_their_keys_alone() {
        let site = Site::new(&pages(b"1"));
        assert_eq!(&*site.file(&key_in(site.release(), "js/api.js")).unwrap().content, b"1");
        for key in ["js/api.js", &key_in("0123456789abcdef", "js/api.js"), &key_in(site.release(), "index.html"), ""] {
            assert!(site.file(key).is_none(), "{key}");
        }
    }

    #[test]
    fn keys_tell_their_release() {
        let id = "0123456789abcdef";
        assert_eq!(release_of(&key_in(id, "js/api.js")), Some(id));
        assert_eq!(release_of(&mark_of(id)), Some(id));
        assert_eq!(release_of(&mark_of(WITHOUT_FOLDER)), Some(WITHOUT_FOLDER));
        for key in ["js/api.js", "css/call.css", "main.js", "sailbeach.png"] {
            assert_eq!(release_of(key), Some(WITHOUT_FOLDER), "{key}");
        }
        for key in ["index.html", "r/theirs/x.js", "r/0123456789ABCDEF/x.js", "r/x.replaced", "theirs.js", "r/"] {
            assert_eq!(release_of(key), None, "{key}");
        }
    }
}
