//! Tickets: a text that is not the issued ticket is refused without a panic, also next to the valid one.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use peersync_server::tickets::{Bearer, TicketKey, TicketKeys};

const NOW: i64 = 1_800_000_000;

static KEYS: LazyLock<TicketKeys> = LazyLock::new(|| {
    let key = TicketKey::parse(&"A".repeat(43)).expect("32 bytes of base64url");
    TicketKeys::new("fuzz", key, None)
});
static TICKET: LazyLock<String> = LazyLock::new(|| {
    let (subject, name) = ("ada@example.org".into(), "Ada".into());
    let bearer = Bearer { subject, name, address: None, guest: false, generation: None, session: None, room: None };
    KEYS.issue(bearer, NOW).expect("signing does not fail")
});

fuzz_target!(|text: &str| {
    let _ = TicketKey::parse(text);
    assert!(KEYS.verify(text, NOW).is_err(), "a forged ticket was accepted: {text}");
    // Parts of the valid ticket with others in their place; the last character of base64 may have unused bits.
    let parts: Vec<&str> = TICKET.split('.').collect();
    for index in 0..parts.len() {
        let mut forged = parts.clone();
        forged[index] = text;
        if text != parts[index] {
            assert!(KEYS.verify(&forged.join("."), NOW).is_err(), "a changed ticket was accepted: {text}");
        }
    }
});
