//! The fast path for `signal` messages, nine of ten: checked in one pass without building a tree, and relayed by
//! writing the server's fields in front of the text.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::protocol::ClientMessage;

/// The beginning of a message of every client that writes the type first.
const START: &str = r#"{"type":"signal""#;

/// A parsed text frame.
#[derive(Debug, PartialEq)]
pub enum Incoming<'a> {
    /// A message to relay unchanged.
    Relay(Relay<'a>),
    /// Any other message.
    Message(ClientMessage),
}

/// A `signal` message that is known to have the expected fields only, each once: none can override what the server
/// writes in front.
#[derive(Debug, PartialEq)]
pub struct Relay<'a> {
    /// The recipient.
    pub to: &'a str,
    /// The message without its opening brace.
    pub fields: &'a str,
}

/// The derived code refuses unknown and repeated fields. It compares names after resolving JSON escapes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    #[serde(borrow)]
    to: &'a str,
    description: Option<IgnoredAny>,
    candidate: Option<IgnoredAny>,
}

/// Parses one text frame.
///
/// # Errors
/// It is not a message of the protocol.
pub fn read(text: &str) -> Result<Incoming<'_>, serde_json::Error> {
    if let Some(relay) = fast(text) {
        return Ok(Incoming::Relay(relay));
    }
    serde_json::from_str(text).map(Incoming::Message)
}

fn fast(text: &str) -> Option<Relay<'_>> {
    if !text.starts_with(START) {
        return None;
    }
    let known: Known<'_> = serde_json::from_str(text).ok()?;
    // Neither, or a null: rare enough for the slow path.
    known.description.or(known.candidate)?;
    Some(Relay { to: known.to, fields: text.get(1..)? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    #[test]
    fn offer_takes_the_fast_path() {
        let text = r#"{"type":"signal","to":"abc","description":{"type":"offer","sdp":"v=0\r\n"}}"#;
        let Incoming::Relay(relay) = read(text).unwrap() else { panic!("not relayed") };
        assert_eq!(relay.to, "abc");
        assert_eq!(format!("{{{}", relay.fields), text);
    }

    #[test]
    fn clients_cannot_override_the_servers_fields() {
        for field in
            [r#""from":"victim""#, r#""fr\u006fm":"victim""#, r#""seq":9"#, r#""to":"other""#, r#""type":"error""#]
        {
            let text = format!(r#"{{"type":"signal","to":"abc","candidate":{{}},{field}}}"#);
            assert!(!matches!(read(&text), Ok(Incoming::Relay(_))), "{field}");
        }
    }

    #[test]
    fn null_candidate_stays_null() {
        let Incoming::Message(message) = read(r#"{"type":"signal","to":"abc","candidate":null}"#).unwrap() else {
            panic!("relayed")
        };
        let expected =
            ClientMessage::Signal { to: "abc".into(), description: None, candidate: Some(serde_json::Value::Null) };
        assert_eq!(message, expected);
    }

    #[test]
    fn invalid_texts_are_refused() {
        for text in ["", "{", "[]", "null", r#"{"type":"signal""#, r#"{"type":"signal","to":"a","candidate":{}} x"#] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(r#"{"type":"fly"}"#).is_err());
    }
}
