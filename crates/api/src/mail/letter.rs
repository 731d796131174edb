//! The letters. Their layout is in `templates/`, their words are in [`super::texts`].

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::texts::{Language, LetterTexts};
use peersync_server::display_name::DisplayName;
use peersync_server::email_address::Email;
use peersync_server::site::Site;
use peersync_server::store::SignIn;

/// A letter, ready to be sent.
#[derive(Clone)]
pub struct Letter {
    /// Its kind, for logs.
    pub kind: &'static str,
    /// The recipient.
    pub to: Email,
    /// The subject.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
    /// The first part of its Message-ID, the same in every attempt, so that a mail accepted twice can be recognised.
    pub id: String,
    /// Whether another user caused it, so that the recipient needs a way to unsubscribe.
    pub unsolicited: bool,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Letter").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a>(LetterBody<'a>);

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a>(LetterBody<'a>);

/// The values for the templates.
#[derive(Clone, Copy)]
struct LetterBody<'a> {
    language: &'a str,
    subject: &'a str,
    intro: &'a str,
    action: &'a str,
    link: &'a str,
    before_code: &'a str,
    code: &'a str,
    note: &'a str,
    reason: &'a str,
    site: &'a str,
}

/// What differs between letters besides the texts.
struct Content<'a> {
    kind: &'static str,
    name: &'a str,
    link: String,
    before_code: &'a str,
    code: &'a str,
    unsolicited: bool,
}

impl Letter {
    /// Returns a letter with a sign-in link and a code.
    pub fn sign_in(language: Language, site: &Site, to: &Email, sign_in: &SignIn) -> Self {
        let texts = language.texts();
        let content = Content {
            kind: "sign-in",
            name: "",
            link: format!("{}/login.html#token={}", site.origin(), sign_in.token),
            before_code: if sign_in.has_long_code() { texts.long_code } else { texts.code },
            code: &grouped(&sign_in.code),
            unsolicited: false,
        };
        Self::write(language, site, to, &texts.sign_in, content)
    }

    /// Returns a letter to an address without an account with which somebody tried to sign in.
    pub fn no_account(language: Language, site: &Site, to: &Email) -> Self {
        let link = format!("{}/signup.html", site.origin());
        let content = Content { kind: "no-account", name: "", link, before_code: "", code: "", unsolicited: false };
        Self::write(language, site, to, &language.texts().no_account, content)
    }

    /// Returns a letter about a friend request.
    pub fn friend_request(language: Language, site: &Site, to: &Email, name: &str, token: &str) -> Self {
        let name = &quotable(language, name);
        let link = format!("{}/friendre1.html#token={token}", site.origin());
        let content = Content { kind: "friend-request", name, link, before_code: "", code: "", unsolicited: true };
        Self::write(language, site, to, &language.texts().friend_request, content)
    }

    /// Returns a letter about a friend request to an address without an account.
    pub fn invitation(language: Language, site: &Site, to: &Email, name: &str) -> Self {
        let name = &quotable(language, name);
        let link = format!("{}/signup.html", site.origin());
        let content = Content { kind: "invitation", name, link, before_code: "", code: "", unsolicited: true };
        Self::write(language, site, to, &language.texts().invitation, content)
    }

    fn write(language: Language, site: &Site, to: &Email, texts: &LetterTexts, content: Content<'_>) -> Self {
        let fill = |text: &str| text.replace("{name}", content.name);
        let (subject, intro, reason) = (fill(texts.subject), fill(texts.intro), fill(texts.reason));
        let body = LetterBody {
            language: language.tag(),
            subject: &subject,
            intro: &intro,
            action: texts.action,
            link: &content.link,
            before_code: content.before_code,
            code: content.code,
            note: texts.note,
            reason: &reason,
            site: site.origin(),
        };
        // Writing into a string does not fail; and a letter without a body would still have its subject.
        let (text, html) = (Text(body).render().unwrap_or_default(), Html(body).render().unwrap_or_default());
        Self {
            kind: content.kind,
            to: to.clone(),
            subject,
            text,
            html,
            id: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
            unsolicited: content.unsolicited,
        }
    }
}

/// Returns a name that a stranger may read in quotes: without quotes of its own, which would end them early, and
/// without an address.
fn quotable(language: Language, name: &str) -> String {
    let Ok(name) = DisplayName::parse(name) else { return language.texts().somebody.to_owned() };
    name.as_str().replace(['"', '“', '”', '„', '«', '»', '‟', '〝', '〞', '＂'], "'")
}

/// Returns a long code in groups of four digits, which people read and type more easily.
fn grouped(code: &str) -> String {
    if code.len() <= 6 {
        return code.to_owned();
    }
    let digits: Vec<char> = code.chars().collect();
    digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;

    pub(in crate::mail) fn site() -> Site {
        Site::new("https://call.example")
    }

    fn to() -> Email {
        Email::parse("bob@example.org").unwrap()
    }

    pub(in crate::mail) fn letter() -> Letter {
        Letter::sign_in(Language::English, &site(), &to(), &SignIn::random())
    }

    #[test]
    fn long_code_is_shown_in_groups() {
        let sign_in = SignIn { code: "123456789012".to_owned(), ..SignIn::random() };
        let letter = Letter::sign_in(Language::English, &site(), &to(), &sign_in);
        assert!(
            letter.text.contains("1234 5678 9012") && letter.text.contains("this one is longer"),
            "{}",
            letter.text
        );
    }

    #[test]
    fn sign_in_letter_has_link_and_code_but_not_the_number() {
        let sign_in = SignIn { token: "T0".to_owned(), code: "123456".to_owned(), number: 87, ..SignIn::random() };
        for language in [Language::English, Language::German] {
            let letter = Letter::sign_in(language, &site(), &to(), &sign_in);
            for part in [&letter.text, &letter.html] {
                assert!(part.contains("https://call.example/login.html#token=T0"), "{part}");
                assert!(part.contains("123456") && !part.contains("87"), "{part}");
            }
        }
    }

    #[test]
    fn names_are_escaped() {
        let name = "<img src=x onerror=alert(1)>&'";
        for letter in [
            Letter::friend_request(Language::English, &site(), &to(), name, "T0"),
            Letter::invitation(Language::German, &site(), &to(), name),
        ] {
            assert!(!letter.html.contains("<img"), "{}", letter.html);
            assert!(letter.text.contains(name), "{}", letter.text);
        }
    }

    #[test]
    fn friend_request_link_names_nobody() {
        let letter = Letter::friend_request(Language::English, &site(), &to(), "Ada", "T0");
        assert!(letter.text.contains("friendre1.html#token=T0\n"), "{}", letter.text);
    }

    #[test]
    fn names_are_quoted_and_carry_no_address() {
        let mail = |name| Letter::invitation(Language::English, &site(), &to(), name);
        assert_eq!(mail("Ada").subject, "“Ada” invites you to PeerSync");
        assert_eq!(mail("Ada” from \"PeerSync").subject, "“Ada' from 'PeerSync” invites you to PeerSync");
        let letter = mail("Your bank: https://evil.example");
        assert_eq!(letter.subject, "“Somebody” invites you to PeerSync");
        assert!(!letter.text.contains("evil") && !letter.html.contains("evil"), "{}", letter.text);
    }

    #[test]
    fn every_placeholder_is_filled() {
        for language in [Language::English, Language::German] {
            for letter in [
                Letter::no_account(language, &site(), &to()),
                Letter::friend_request(language, &site(), &to(), "Ada", "T0"),
                Letter::invitation(language, &site(), &to(), "Ada"),
            ] {
                let all = format!("{}{}{}", letter.subject, letter.text, letter.html);
                assert!(!all.contains("{name}") && all.contains("https://call.example/"), "{all}");
            }
        }
    }
}
