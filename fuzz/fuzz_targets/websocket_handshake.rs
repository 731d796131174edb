//! The headers of an upgrade: any bytes are refused or accepted without a panic, and a key gives a valid header value.
#![no_main]

use axum::extract::FromRequestParts as _;
use axum::http::{HeaderName, HeaderValue, Request};
use futures::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use peersync_websocket::{Handshake, accept_key};

const NAMES: [&str; 4] = ["connection", "upgrade", "sec-websocket-version", "sec-websocket-key"];

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(accept_key(bytes).len(), 28);
    let (mut parts, ()) = Request::new(()).into_parts();
    for line in bytes.split(|byte| *byte == b'\n') {
        let [name, value @ ..] = line else { continue };
        let name = HeaderName::from_static(NAMES[usize::from(*name) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            parts.headers.append(name, value);
        }
    }
    let handshake = Handshake::from_request_parts(&mut parts, &()).now_or_never();
    assert!(matches!(handshake, Some(Err(_))), "without a connection to upgrade it is refused");
});
