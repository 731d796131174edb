//! The user data of hosts, as a call has it.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use super::call::between;

/// Returns user data as text; empty if it is none.
#[must_use]
pub fn unpacked(user_data: &str) -> String {
    let mut text = String::new();
    let compressed = STANDARD.decode(user_data).unwrap_or_default();
    let read = GzDecoder::new(compressed.as_slice()).read_to_string(&mut text);
    if read.is_ok() { text } else { String::new() }
}

/// Returns the domain of the certificate of a host with this user data, if it has one.
#[must_use]
pub fn certified_domain(user_data: &str) -> Option<String> {
    variable(&unpacked(user_data), "RELAY_DOMAIN")
}

/// Returns a variable of one of the environment files in user data.
#[must_use]
pub fn variable(text: &str, name: &str) -> Option<String> {
    between(text, &format!("{name}=\\\""), "\\\"").map(str::to_owned)
}
