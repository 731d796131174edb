//! Mail addresses and names: every spelling of an address has one key, which is safe in a mail's header, and it is shown
//! as it was typed; an accepted name has something visible and nothing that a mail program could link.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peersync_server::display_name::{DisplayName, MAX_NAME};
use peersync_server::email_address::{Email, MAX_EMAIL, key_of};

fuzz_target!(|text: &str| {
    for text in [text.to_owned(), format!("ada@{text}.org"), format!("{text}@example.org")] {
        address(&text);
    }
    name(text);
});

fn address(text: &str) {
    let Ok(email) = Email::parse(text) else { return };
    assert_eq!(email.spelling(), text.trim_matches(' '), "an address is shown as it was typed");
    let (key, mailbox) = (email.as_str(), email.mailbox());
    for safe in [key, &mailbox] {
        assert!(safe.len() <= MAX_EMAIL && safe.matches('@').count() == 1, "{safe:?}");
        assert!(safe.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>,;:\\()[]".contains(&byte)), "{safe:?}");
    }
    let (local, domain) = email.spelling().split_once('@').expect("an address has an @");
    let shouted = format!("{}@{domain}", local.to_ascii_uppercase());
    for spelling in [key, &mailbox, &shouted, &mailbox.to_ascii_uppercase(), &mailbox.to_ascii_lowercase()] {
        assert_eq!(key_of(spelling), key, "{spelling:?} is another person");
    }
}

fn name(text: &str) {
    let title = DisplayName::parse_title(text);
    let Ok(name) = DisplayName::parse(text) else { return };
    assert_eq!(title.as_ref(), Ok(&name), "a name of a person is one of a room");
    let shown = name.as_str();
    assert_eq!(DisplayName::parse(shown).as_ref(), Ok(&name), "a name is canonical");
    assert!((1..=MAX_NAME).contains(&shown.chars().count()));
    assert!(shown.chars().any(|character| !character.is_whitespace()), "nothing of {shown:?} is visible");
    assert!(!shown.chars().any(char::is_control) && !shown.contains("://"), "{shown:?}");
}
