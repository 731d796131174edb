//! What goes wrong at Cloudflare.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::State;
use super::answers::refused;

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Every request fails with 503, without an answer in Cloudflare's form.
    Down,
    /// Every request fails like that, from the first one that begins with this on, such as `PUT /accounts/`.
    DownFrom(&'static str),
    /// Every request is one too many.
    TooMany,
    /// This many requests fail with 500.
    Passing(u32),
    /// A change is made, and its answer is lost: the first of each method and path.
    LostAnswers(Vec<String>),
}

/// Returns the answer in place of the work.
pub(super) fn before(state: &mut State, what: &str) -> Option<Response> {
    for fault in &mut state.faults {
        if matches!(fault, Fault::DownFrom(first) if what.starts_with(*first)) {
            *fault = Fault::Down;
        }
        match fault {
            Fault::Down => return Some((StatusCode::SERVICE_UNAVAILABLE, "upstream connect error").into_response()),
            Fault::TooMany => {
                return Some(refused(429, 971, "Please wait and consider throttling your request speed"));
            }
            Fault::Passing(left) if *left > 0 => {
                *left -= 1;
                return Some(refused(500, 10002, "internal error"));
            }
            _ => {}
        }
    }
    None
}

/// Returns the answer in place of that of the work.
pub(super) fn after(state: &mut State, what: &str) -> Option<Response> {
    state.faults.iter_mut().find_map(|fault| match fault {
        Fault::LostAnswers(seen) if !what.starts_with("GET ") && !seen.iter().any(|one| one == what) => {
            seen.push(what.to_owned());
            Some((StatusCode::BAD_GATEWAY, "").into_response())
        }
        _ => None,
    })
}
