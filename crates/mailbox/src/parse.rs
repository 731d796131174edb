//! Converts what came in over SMTP to what the mailbox shows.

use std::time::SystemTime;

use mail_parser::{Address, MessageParser};

use crate::Message;

/// Parses a message. What cannot be parsed is shown as plain text, so that nothing that was accepted is lost.
pub fn parse(recipients: &[String], raw: &[u8]) -> Message {
    let parsed = MessageParser::default().parse(raw);
    let parsed = parsed.as_ref();
    let text = parsed.and_then(|message| message.body_text(0));
    let html = parsed
        .filter(|message| message.html_bodies().any(mail_parser::MessagePart::is_text_html))
        .and_then(|message| message.body_html(0));
    Message {
        id: 0,
        to: recipients.join(", "),
        from: parsed.and_then(|message| message.from()).map(addresses).unwrap_or_default(),
        subject: parsed.and_then(|message| message.subject()).unwrap_or_default().to_owned(),
        text: text.map_or_else(|| String::from_utf8_lossy(raw).into_owned(), |text| text.replace("\r\n", "\n")),
        html: html.unwrap_or_default().into_owned(),
        received_at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
    }
}

fn addresses(address: &Address<'_>) -> String {
    let each = address.iter().map(|one| match (one.name(), one.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => address.or(name).unwrap_or_default().to_owned(),
    });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(raw: &str) -> Message {
        parse(&["ann@example.org".to_owned()], raw.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn bodies_and_encoded_words_are_decoded() {
        let message = parse_text(concat!(
            "From: PeerSync <no-reply@example.org>\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\nMIME-Version: 1.0\n",
            "Content-Type: multipart/alternative; boundary=b\n\n",
            "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n",
            "http://localhost:8080/login.html#token=3Dabc=\ndef\n",
            "--b\nContent-Type: text/html; charset=utf-8\n\n<p>Hello</p>\n--b--\n",
        ));
        assert_eq!(message.subject, "Grüße");
        assert_eq!(message.from, "PeerSync <no-reply@example.org>");
        assert!(message.text.starts_with("http://localhost:8080/login.html#token=abcdef"), "{}", message.text);
        assert!(message.html.contains("<p>Hello</p>"), "{}", message.html);
        assert!(message.received_at.ends_with('Z'));
    }

    #[test]
    fn plain_text_message_has_no_html() {
        let message = parse_text("Subject: hello\n\nOne\nTwo\n");
        assert_eq!(message.text.trim_end(), "One\nTwo");
        assert_eq!(message.html, "");
    }

    #[test]
    fn unparsable_input_is_shown_as_text() {
        let message = parse(&[], b"\xff\xfe");
        assert_eq!(message.subject, "");
    }
}
