//! The mailbox page at `/_mail` and its data at `/_mail/messages.json`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::Stream;

use crate::{Mailbox, Message};

/// The page's policy: our own script and style, one frame for the HTML of a message, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The policy of a message: inline styles, as mails have, and links, but no script and no requests.
const MESSAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'self'; \
     sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";

/// Returns the routes, with their full paths.
pub fn router(mailbox: Arc<Mailbox>) -> Router {
    Router::new()
        .route("/_mail", get(|| file("text/html; charset=utf-8", include_str!("page/mail.html"))))
        .route("/_mail/mail.css", get(|| file("text/css; charset=utf-8", include_str!("page/mail.css"))))
        .route("/_mail/mail.js", get(|| file("text/javascript; charset=utf-8", include_str!("page/mail.js"))))
        .route("/_mail/messages.json", get(messages).delete(clear))
        .route("/_mail/message/{id}", get(html))
        .route("/_mail/events", get(events))
        .with_state(mailbox)
}

async fn file(content_type: &'static str, content: &'static str) -> Response {
    guarded(content_type, PAGE_POLICY, content.to_owned())
}

fn guarded(content_type: &'static str, policy: &'static str, content: String) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, content).into_response()
}

async fn messages(
    State(mailbox): State<Arc<Mailbox>>,
) -> ([(axum::http::HeaderName, &'static str); 1], Json<Vec<Message>>) {
    ([(CACHE_CONTROL, "no-store")], Json(mailbox.all()))
}

async fn clear(State(mailbox): State<Arc<Mailbox>>) -> StatusCode {
    mailbox.clear();
    StatusCode::NO_CONTENT
}

/// Returns the HTML of one message, whose links open outside the frame.
async fn html(State(mailbox): State<Arc<Mailbox>>, Path(id): Path<u64>) -> Response {
    match mailbox.find(id) {
        Some(message) if !message.html.is_empty() => {
            let content = format!("<!doctype html><base target=\"_top\">{}", message.html);
            guarded("text/html; charset=utf-8", MESSAGE_POLICY, content)
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Returns a stream with one event per change; several at once become one.
async fn events(State(mailbox): State<Arc<Mailbox>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = mailbox.changes();
    let stream = futures::stream::unfold(changes, |mut changes| async move {
        changes.changed().await.ok()?;
        let number = *changes.borrow_and_update();
        Some((Ok(Event::default().data(number.to_string())), changes))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
