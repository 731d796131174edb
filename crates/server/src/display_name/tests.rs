#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
use proptest::prelude::*;

use super::*;

#[test]
fn names_of_many_languages_are_accepted() {
    for name in [
        "Ada Lovelace",
        "Zoë O’Brien-Müller",
        "Nguyễn Thị Ngọc Ánh",
        "Åsa Øst",
        "Ștefan Țîru",
        "Владимир Ильич",
        "Αλέξανδρος",
        "中村 太郎",
        "葛\u{e0100}城",
        "김민준",
        "प्रियंका श्रीवास्तव",
        "क्\u{200d}ष",
        "ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ",
        "বাংলা নাম",
        "தமிழ்ச்செல்வி",
        "ශ්\u{200d}රී",
        "สมชาย ใจดี",
        "ກອງທັບ ນ້ຳ",
        "သီရိ ကျော်ဇော",
        "ရွှို့",
        "བསྟན་འཛིན་རྒྱ་མཚོ",
        "ខ្មែរ សុខា",
        "مُحَمَّدٌ بْنُ سَلَّامٍ",
        "می\u{200c}نا",
        "שָׁלוֹם בַּת־שֶׁבַע",
        "ᠮᠣᠩᠭᠣᠯ",
        "👩\u{200d}🚀 Ada",
        "👩🏽\u{200d}💻",
        "❤\u{fe0f}\u{200d}🔥",
        "1\u{fe0f}\u{20e3} Team",
        "🇩🇪",
        "<img onerror>",
        "Ada @ Home",
        "J.R.R. Tolkien",
        "Martin L. King, Jr.",
        "Dr. Müller (Ph.D.)",
        "A/B",
        "3.5",
        "モーニング娘。",
    ] {
        let canonical: String = name.nfc().collect();
        assert_eq!(DisplayName::parse(name).map(|name| name.0), Ok(canonical), "{name}");
    }
    assert_eq!(DisplayName::parse(" Ada\u{a0}\u{3000} L ").unwrap().as_str(), "Ada L");
    assert_eq!(DisplayName::parse("e\u{301}").unwrap().as_str(), "é");
    assert!(DisplayName::parse(&"ä".repeat(64)).is_ok());
}

#[test]
fn length_is_limited() {
    for text in ["", "  ", "\u{3000}", &"a".repeat(65), &"a".repeat(5000)] {
        assert_eq!(DisplayName::parse(text), Err(InvalidName::Length), "{text:?}");
    }
}

#[test]
fn invisible_characters_are_refused() {
    for text in [
        "a\nb",
        "a\0",
        "\u{202e}evil",
        "a\u{2066}b",
        "a\u{200b}b",
        "a\u{ad}b",
        "\u{feff}a",
        "a\u{61c}b",
        "a\u{34f}b",
        "\u{3164}",
        "\u{115f}",
        "\u{1160}",
        "\u{ffa0}",
        "\u{2800}",
        "\u{fffc}",
        "\u{1d159}",
        "\u{17b4}",
        "\u{13441}",
        "\u{e000}",
        "\u{f8ff}",
        "\u{10fffd}",
        "\u{fdd0}",
        "\u{ffff}",
        "\u{378}",
        "\u{e0041}",
        // Joiners and selectors without what they change.
        "\u{200d}",
        "\u{200c}",
        "a\u{200d}b",
        "a\u{200c}b",
        "می\u{200c}",
        "می\u{200c}\u{200c}نا",
        "👩\u{200d}",
        "👩\u{200d} x",
        "\u{fe00}",
        "\u{fe0f}",
        "a\u{fe0f}",
        "a\u{fe00}",
        "\u{180b}",
        "葛\u{e0100}\u{e0101}",
        "a\u{e0100}",
    ] {
        assert_eq!(DisplayName::parse(text), Err(InvalidName::Invisible), "{text:?}");
        assert_eq!(DisplayName::parse_title(text), Err(InvalidName::Invisible), "{text:?}");
    }
}

#[test]
fn accents_are_bounded_and_need_a_letter() {
    let stacked = |count| format!("Z{}", "\u{30d}".repeat(count));
    assert!(DisplayName::parse(&stacked(4)).is_ok());
    let thai = format!("ก{}", "\u{e49}".repeat(5));
    for text in ["\u{301}", "\u{301}a", "a \u{301}", "\u{20dd}", "\u{93e}", &stacked(5), &stacked(63), &thai] {
        assert_eq!(DisplayName::parse(text), Err(InvalidName::Accents), "{text:?}");
    }
}

#[test]
fn addresses_are_refused_in_names_of_people_only() {
    for text in [
        "Your bank: log in at https://evil.example/bank",
        "http://1.2.3.4",
        "evil.example",
        "visit www.evil.example now",
        "(evil.example)",
        "Ada|evil.com",
        "EVIL．COM",
        "evil。com",
        "evil․com",
        "пример.рф",
        "evil.co.uk",
        "evil.com.",
        "x.com/login",
        "eve@evil.example",
        "eve＠evil",
        "Ada<eve@evil>",
        "ftp://x",
    ] {
        assert_eq!(DisplayName::parse(text), Err(InvalidName::Link), "{text}");
        assert!(DisplayName::parse_title(text).is_ok(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn accepted_name_is_canonical_and_has_something_visible(
        text in "\\PC{0,80}|[a\u{301}\u{202e}\u{200d}\u{200c}\u{fe0f}\u{2800}👩ا \n]{0,20}|[a-c.@/: ]{0,12}"
    ) {
        if let Ok(name) = DisplayName::parse(&text) {
            prop_assert_eq!(DisplayName::parse(name.as_str()), Ok(name.clone()));
            prop_assert!((1..=MAX_NAME).contains(&name.as_str().chars().count()));
            prop_assert!(!name.as_str().chars().any(char::is_control));
            let visible = |character: char| character.is_alphanumeric() || !character.is_whitespace();
            prop_assert!(name.as_str().chars().any(visible));
            prop_assert!(!name.as_str().contains("://"));
        }
    }
}

#[test]
fn address_gives_a_name_of_words() {
    let name = |address: &str| DisplayName::of_address(&Email::parse(address).unwrap()).unwrap();
    assert_eq!(name("Ada.Lovelace+calls@example.org").as_str(), "Ada Lovelace");
    assert_eq!(name("www.evil-example_com@example.org").as_str(), "www evil example com");
    assert_eq!(name("b0b@example.org").as_str(), "b0b");
}
