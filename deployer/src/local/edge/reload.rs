//! Reloads the browser when a file of `--assets` is saved: a watcher on the folder, an event stream, and our script in
//! every page, referenced by URL, because pages must not have inline scripts.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

use crate::local::LocalError;

/// How long to wait after a save: editors write in several steps, and the browser should reload once. Far below the 200
/// ms that feel immediate.
const QUIET: Duration = Duration::from_millis(40);

const SCRIPT_TAG: &[u8] = b"<script type=\"module\" src=\"/_live/reload.js\"></script>";

/// Watches the folder as long as it lives.
#[derive(Debug)]
pub struct Reload {
    saves: Arc<watch::Sender<u64>>,
    _watcher: RecommendedWatcher,
}

impl Reload {
    /// Starts watching the folder and everything below it.
    ///
    /// # Errors
    /// Fails if the system cannot watch the folder.
    pub fn watch(folder: &Path) -> Result<Self, LocalError> {
        let saves = Arc::new(watch::Sender::new(0));
        let told = Arc::clone(&saves);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_save(event.kind)) {
                told.send_modify(|saves| *saves += 1);
            }
        })
        .map_err(|error| LocalError::part("the file watcher", error))?;
        watcher.watch(folder, RecursiveMode::Recursive).map_err(|error| LocalError::part("the file watcher", error))?;
        Ok(Self { saves, _watcher: watcher })
    }

    /// Returns the routes of the script and its events.
    pub fn router(&self) -> Router {
        let saves = Arc::clone(&self.saves);
        Router::new()
            .route(
                "/_live/reload.js",
                get(|| async { ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("reload.js")) }),
            )
            .route("/_live/events", get(move || std::future::ready(events(saves.subscribe()))))
    }
}

fn is_save(kind: EventKind) -> bool {
    matches!(kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_))
}

fn events(saves: watch::Receiver<u64>) -> Sse<impl futures::Stream<Item = Result<Event, Infallible>>> {
    let stream = futures::stream::unfold(saves, |mut saves| async move {
        saves.changed().await.ok()?;
        // Wait until nothing has been saved for a moment.
        while let Ok(Ok(())) = tokio::time::timeout(QUIET, saves.changed()).await {}
        let number = *saves.borrow_and_update();
        Some((Ok(Event::default().data(number.to_string())), saves))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// Adds the script to a page, at the end of its head if it has one.
pub fn with_script(page: Vec<u8>) -> Vec<u8> {
    let end_of_head = b"</head>";
    let position = page.windows(end_of_head.len()).position(|window| window.eq_ignore_ascii_case(end_of_head));
    let (before, after) = page.split_at(position.unwrap_or(page.len()));
    [before, SCRIPT_TAG, after].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic here fails the test")]
    use super::*;

    #[test]
    fn script_is_added_at_the_end_of_the_head() {
        let page = with_script(b"<html><HEAD><title>x</title></HEAD><body>".to_vec());
        let text = String::from_utf8(page).unwrap();
        assert!(text.contains("</title><script type=\"module\" src=\"/_live/reload.js\"></script></HEAD>"), "{text}");
        assert!(with_script(b"fragment".to_vec()).starts_with(b"fragment<script"));
    }

    #[tokio::test]
    async fn saves_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("js")).unwrap();
        let reload = Reload::watch(folder.path()).unwrap();
        let mut saves = reload.saves.subscribe();
        std::fs::write(folder.path().join("js/main.js"), "export {};").unwrap();
        tokio::time::timeout(Duration::from_secs(10), saves.changed()).await.unwrap().unwrap();
    }
}
