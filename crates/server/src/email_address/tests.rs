#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
use proptest::prelude::*;

use super::*;

#[test]
fn key_is_the_same_for_every_spelling() {
    for (text, key) in [
        ("ada@example.org", "ada@example.org"),
        (" Ada.Lovelace+x@Example.ORG ", "ada.lovelace+x@example.org"),
        ("ADA@EXAMPLE.ORG", "ada@example.org"),
        ("o'neill@mail.example.co.uk", "o'neill@mail.example.co.uk"),
        ("a@r3---sn.example", "a@r3---sn.example"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
        ("a@bu\u{308}cher.example", "a@xn--bcher-kva.example"),
        ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("a@ｅｘａｍｐｌｅ．ｏｒｇ", "a@example.org"),
        ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),
        ("a@пример.рф", "a@xn--e1afmkfd.xn--p1ai"),
        ("a@مثال.إختبار", "a@xn--mgbh0fb.xn--kgbechtv"),
    ] {
        let email = Email::parse(text).unwrap();
        assert_eq!((email.as_str(), email.spelling()), (key, text.trim()), "{text}");
        assert_eq!(Email::parse(key).unwrap(), email);
    }
}

#[test]
fn mail_goes_to_the_typed_local_part_at_the_ascii_domain() {
    let email = Email::parse("Ada@Bücher.example").unwrap();
    assert_eq!(email.mailbox(), "Ada@xn--bcher-kva.example");
    assert_eq!(email.former_key().as_deref(), Some("Ada@xn--bcher-kva.example"));
    assert_eq!(Email::parse("ada@Example.ORG").unwrap().former_key(), None);
}

#[test]
fn invalid_addresses_are_refused() {
    let long_local = format!("{}@example.org", "a".repeat(65));
    let long = format!("a@{}.org", "a.".repeat(130));
    let long_label = format!("a@{}.org", "ü".repeat(60));
    for text in [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@localhost",
        "ada@@example.org",
        "a@b@example.org",
        "ada＠example.org",
        "ada﹫example.org",
        "a@b＠example.org",
        "\"a b\"@example.org",
        "a,b@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org\n",
        "ada@exam ple.org",
        ".ada@example.org",
        "ada.@example.org",
        "a..b@example.org",
        "-oX@example.org",
        "ada@-example.org",
        "ada@example-.org",
        "ada@example..org",
        "ada@example.org.",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@１２７.0.0.1",
        "a%b@example.org",
        "a!b@example.org",
        "<ada@example.org>",
        "Ada <ada@example.org>",
        "ada(x)@example.org",
        "ada@example.o",
        "ada\t@example.org",
        "ada\0@example.org",
        "ada@xn--a.example",
        &long_local,
        &long,
        &long_label,
    ] {
        assert_eq!(Email::parse(text), Err(InvalidEmail::Malformed), "{text:?}");
    }
}

#[test]
fn letters_before_the_at_sign_must_be_ascii() {
    for text in ["аda@example.org", "jürgen@example.org", "用户@例え.テスト", "a\u{200b}da@example.org"] {
        assert_eq!(Email::parse(text), Err(InvalidEmail::LocalPart), "{text:?}");
    }
}

#[test]
fn domains_that_hide_what_they_are_are_refused() {
    // A soft hyphen, a zero-width space, a direction mark, a Hangul filler; Latin with a Cyrillic or a Greek letter.
    for domain in [
        "exam\u{ad}ple.org",
        "exam\u{200b}ple.org",
        "exam\u{202e}ple.org",
        "exam\u{3164}ple.org",
        "ex\u{430}mple.org",
        "ex\u{3b1}mple.org",
    ] {
        assert_eq!(Email::parse(&format!("ada@{domain}")), Err(InvalidEmail::Malformed), "{domain:?}");
    }
}

#[test]
fn masked_address_shows_one_letter_and_the_domain() {
    assert_eq!(Email::parse("Ada@Example.org").unwrap().masked(), "A…@Example.org");
}

#[test]
fn what_is_no_address_keeps_its_text() {
    assert_eq!(
        (key_of("Ada@Example.org"), key_of("guest:AbC")),
        ("ada@example.org".to_owned(), "guest:AbC".to_owned())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn key_is_ascii_and_the_spelling_is_what_was_typed(
        text in "\\PC{0,40}|[a-z@.\\-\"\r\n,<>%! A-Z]{0,40}|[a-zA-Z.]{1,8}@[A-Za-z.üßµа。-]{1,12}\\.(org|рф)"
    ) {
        if let Ok(email) = Email::parse(&text) {
            prop_assert_eq!(email.spelling(), text.trim_matches(' '));
            prop_assert_eq!(key_of(email.as_str()), email.as_str());
            let mailbox = email.mailbox();
            prop_assert_eq!(key_of(&mailbox), email.as_str());
            for text in [email.as_str(), &mailbox] {
                prop_assert_eq!(text.matches('@').count(), 1);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>,;:\\()[]".contains(&byte)));
            }
            prop_assert!(!email.as_str().bytes().any(|byte| byte.is_ascii_uppercase()));
        }
    }

    #[test]
    fn case_never_makes_another_person(local in "[a-zA-Z0-9]{1,12}", domain in "[a-zA-Z]{1,12}\\.[a-zA-Z]{2,4}") {
        let email = Email::parse(&format!("{local}@{domain}")).unwrap();
        for other in [local.to_uppercase(), local.to_lowercase()] {
            for domain in [domain.to_uppercase(), domain.to_lowercase()] {
                prop_assert_eq!(&Email::parse(&format!("{other}@{domain}")).unwrap(), &email);
            }
        }
    }
}
