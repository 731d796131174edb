//! Messages of clients: no client can override what the server writes in front of a relayed message, and every other
//! message round-trips.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peersync_signal::protocol::ClientMessage;
use peersync_signal::relay::{self, Incoming};
use serde::Deserialize;
use serde::de::IgnoredAny;

const PEER: &str = "0123456789abcdef";

/// A relayed message. The derived code refuses repeated and unknown fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Relayed {
    seq: u64,
    from: String,
    r#type: String,
    to: String,
    #[serde(rename = "description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "candidate")]
    _candidate: Option<IgnoredAny>,
}

fuzz_target!(|text: &str| {
    match relay::read(text) {
        Ok(Incoming::Relay(message)) => {
            let json = format!(r#"{{"seq":7,"from":"{PEER}",{}"#, message.fields);
            let relayed: Relayed = serde_json::from_str(&json).expect("a relayed message is valid");
            assert_eq!((relayed.seq, relayed.from.as_str(), relayed.r#type.as_str()), (7, PEER, "signal"));
            assert_eq!(relayed.to, message.to);
        }
        Ok(Incoming::Message(message)) => {
            let json = serde_json::to_string(&message).expect("a message can be serialized");
            let again: ClientMessage = serde_json::from_str(&json).expect("a serialized message is valid");
            assert_eq!(again, message);
        }
        Err(_) => {}
    }
});
