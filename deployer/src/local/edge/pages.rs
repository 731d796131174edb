//! Serves the pages as the distribution would: default root, headers, entity tags, only GET and HEAD.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::reload;
use peersync_resources::{pages, security_headers as headers};

use crate::artifacts;

/// The prefix of keys in the bucket that are not pages.
const PROGRAMS_FOLDER: &str = "programs/";

/// The source of the pages.
#[derive(Clone, Debug)]
pub enum Source {
    /// The pages embedded in the program.
    Embedded,
    /// A folder that is read again for every request; the script that reloads the browser on save is added.
    Folder(PathBuf),
    /// The bucket in an AWS emulator on this computer.
    Bucket {
        /// The client for S3.
        client: aws_sdk_s3::Client,
        /// The name of the bucket.
        bucket: String,
    },
}

/// The pages and what is served with them.
#[derive(Clone, Debug)]
pub struct Pages {
    /// The source of the pages.
    pub source: Source,
    /// The content of `/config.json`.
    pub config_json: Bytes,
}

/// A file to answer with.
struct File {
    content: Bytes,
    content_type: String,
    cache_control: String,
}

/// Answers every path that belongs to no other part.
pub async fn serve(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let mut response = match *request.method() {
        Method::GET | Method::HEAD => pages.answer(request.uri().path(), request.headers()).await,
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response(),
    };
    for (name, value) in headers::all(&[]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    if request.method() == Method::HEAD {
        let length = HeaderValue::from(axum::body::HttpBody::size_hint(response.body()).lower());
        response.headers_mut().insert(CONTENT_LENGTH, length);
        *response.body_mut() = Body::empty();
    }
    response
}

impl Pages {
    async fn answer(&self, path: &str, headers: &HeaderMap) -> Response {
        match self.find(path).await {
            Some(file) => respond(file, headers),
            None => {
                let mut response = match self.find("/404.html").await {
                    Some(file) => respond(file, &HeaderMap::new()),
                    None => "Page not found.\n".into_response(),
                };
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }

    async fn find(&self, path: &str) -> Option<File> {
        let key = key(path)?;
        if key == "config.json" {
            return Some(File {
                content: self.config_json.clone(),
                content_type: "application/json".to_owned(),
                cache_control: "no-cache".to_owned(),
            });
        }
        match &self.source {
            Source::Embedded => embedded(&key),
            Source::Folder(folder) => from_folder(folder, &key).await,
            Source::Bucket { client, bucket } => from_bucket(client, bucket, &key).await,
        }
    }
}

/// Returns the key in the bucket for the path of a request, or `None` if the path cannot be one of our keys.
fn key(path: &str) -> Option<String> {
    let path = path.strip_prefix('/')?;
    let decoded = percent_decoded(path)?;
    if decoded.is_empty() {
        return Some("index.html".to_owned());
    }
    let proper = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0', ':']);
    decoded.split('/').all(proper).then_some(decoded)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Returns an embedded file as it is published, or under its name in `assets/`, under which nothing refers to it.
fn embedded(key: &str) -> Option<File> {
    let content: &'static [u8] = match artifacts::site().file(key) {
        Some(file) => &file.content,
        None => artifacts::page(key)?.content,
    };
    Some(File {
        content: Bytes::from_static(content),
        content_type: pages::content_type(key),
        cache_control: pages::cache_control(key).to_owned(),
    })
}

/// Reads a key as the distribution may: everything but the programs.
async fn from_bucket(client: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Option<File> {
    if key.starts_with(PROGRAMS_FOLDER) {
        return None;
    }
    let object = client.get_object().bucket(bucket).key(key).send().await.ok()?;
    let content_type = object.content_type().unwrap_or("application/octet-stream").to_owned();
    let cache_control = object.cache_control().unwrap_or("no-cache").to_owned();
    let content = object.body.collect().await.ok()?.into_bytes();
    Some(File { content, content_type, cache_control })
}

async fn from_folder(folder: &Path, key: &str) -> Option<File> {
    let content = tokio::fs::read(folder.join(key)).await.ok()?;
    let content_type = pages::content_type(key);
    let is_page = content_type.starts_with("text/html");
    let content = if is_page { reload::with_script(content) } else { content };
    Some(File { content: content.into(), content_type, cache_control: "no-cache".to_owned() })
}

fn respond(file: File, headers: &HeaderMap) -> Response {
    let digest = hex::encode(Sha256::digest(&file.content));
    let etag = format!("\"{}\"", digest.get(..32).unwrap_or(&digest));
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fresh = known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag);
    let kept = [(ETAG, etag), (CACHE_CONTROL, file.cache_control)];
    if fresh {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(CONTENT_TYPE, file.content_type)], file.content).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[tokio::test]
    async fn embedded_pages_name_their_release_and_what_is_in_it_never_changes() {
        let pages = Pages { source: Source::Embedded, config_json: Bytes::new() };
        let script = format!("/{}", pages::release::key_in(artifacts::site().release(), "main.js"));
        let page = pages.find("/room.html").await.unwrap();
        assert!(String::from_utf8_lossy(&page.content).contains(&format!("src=\"{script}\"")));
        assert_eq!(page.cache_control, "no-cache");
        let of_release = pages.find(&script).await.unwrap();
        assert_eq!(of_release.cache_control, "public, max-age=31536000, immutable");
        let plain = pages.find("/main.js").await.unwrap();
        assert_eq!((plain.content, plain.cache_control.as_str()), (of_release.content, "no-cache"));
        assert!(pages.find("/r/0123456789abcdef/main.js").await.is_none());
    }

    #[test]
    fn only_paths_below_the_folder_are_keys() {
        assert_eq!(key("/").as_deref(), Some("index.html"));
        assert_eq!(key("/js/call/peer.js").as_deref(), Some("js/call/peer.js"));
        assert_eq!(key("/a%20b.html").as_deref(), Some("a b.html"));
        for path in
            ["/../Cargo.toml", "/%2e%2e/x", "/js//x", "/.git/config", "/a%00", "/a%5c..", "/%ff", "/%4", "/C:/x", "x"]
        {
            assert_eq!(key(path), None, "{path}");
        }
    }
}
