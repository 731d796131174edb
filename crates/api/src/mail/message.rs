//! A letter as an Internet message (RFC 5322), for the carriers that send one.

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::{Letter, MailError};

/// The sender's name if the settings have only an address.
const SENDER: &str = "PeerSync";

/// Parses the sender from the settings.
///
/// # Errors
/// It is not an address.
pub(super) fn sender(from: &str) -> Result<Mailbox, MailError> {
    let mailbox: Mailbox = from.parse().map_err(|_| MailError::Final("MAIL_FROM is not an address".to_owned()))?;
    Ok(match mailbox.name {
        Some(_) => mailbox,
        None => Mailbox::new(Some(SENDER.to_owned()), mailbox.email),
    })
}

/// Returns the message with the current `Date`, a Message-ID in the sender's domain, text and HTML.
///
/// # Errors
/// None is known: addresses and texts were checked before.
pub(super) fn message(from: &Mailbox, letter: &Letter) -> Result<Message, MailError> {
    let unusable = |_| MailError::Final("the message could not be built".to_owned());
    let to = letter.to.mailbox().parse().map_err(|_| MailError::Final("the address is not usable".to_owned()))?;
    let mut builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(&letter.subject)
        .date_now()
        .message_id(Some(format!("<{}@{}>", letter.id, from.email.domain())))
        // RFC 3834: prevents automatic replies such as holiday notices.
        .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()));
    if letter.unsolicited {
        // RFC 2369. It goes to the owner of the stack. One-click (RFC 8058) is for mailing lists.
        builder = builder.raw_header(raw("List-Unsubscribe", format!("<mailto:{}?subject=unsubscribe>", from.email)));
    }
    builder.multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone())).map_err(unusable)
}

fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;
    use crate::mail::Language;
    use crate::mail::letter::tests::{letter, site};

    fn written(letter: &Letter) -> String {
        String::from_utf8(message(&sender("you@example.org").unwrap(), letter).unwrap().formatted()).unwrap()
    }

    #[test]
    fn message_has_all_headers() {
        let message = written(&letter());
        for header in [
            "From: PeerSync <you@example.org>\r\n",
            "To: bob@example.org\r\n",
            "\r\nDate: ",
            "@example.org>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: multipart/alternative",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(message.contains(header), "{header} in {message}");
        }
        assert!(!message.contains("List-Unsubscribe"), "a sign-in mail was asked for");
    }

    #[test]
    fn invitation_has_list_unsubscribe_and_one_subject() {
        let to = peersync_server::email_address::Email::parse("bob@example.org").unwrap();
        let message = written(&Letter::invitation(Language::German, &site(), &to, "Ädä"));
        assert!(message.contains("List-Unsubscribe: <mailto:you@example.org?subject=unsubscribe>\r\n"), "{message}");
        assert_eq!(message.matches("Subject:").count(), 1);
        assert!(message.is_ascii(), "{message}");
    }

    #[test]
    fn invalid_sender_is_refused() {
        assert!(sender("").is_err() && sender("nobody").is_err());
        assert_eq!(sender("Ada <ada@example.org>").unwrap().name.as_deref(), Some("Ada"));
    }
}
