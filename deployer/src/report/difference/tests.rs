use serde_json::json;

use super::*;

/// Returns the parts as a plan shows them.
fn shown(old: &Value, new: &Value) -> String {
    let lines = parts("field", old, new).into_iter().map(|part| match part.what {
        What::Changed(old, new) => format!("{}: {old} → {new}", part.path),
        What::Added(text) => format!("{}: + {text}", part.path),
        What::Removed(text) => format!("{}: - {text}", part.path),
        What::Words(text) => format!("{}: {text}", part.path),
        What::More(number) => format!("{number} more"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn objects_are_compared_key_by_key() {
    let old = json!({ "API_BASE_URL": "https://a.example.org", "SAME": "x".repeat(300), "OLD": 1, "a/b": { "c": 1 } });
    let new =
        json!({ "API_BASE_URL": "https://b.example.org", "SAME": "x".repeat(300), "NEW": "2", "a/b": { "c": 2 } });
    insta::assert_snapshot!(shown(&old, &new), @r#"
    field.OLD: - 1
    field.API_BASE_URL: "https://a.example.org" → "https://b.example.org"
    field.NEW: + "2"
    field["a/b"].c: 1 → 2
    "#);
}

#[test]
fn lists_are_compared_entry_by_entry() {
    let statement = |sid: &str, actions: &[&str]| json!({ "Sid": sid, "Action": actions, "Resource": "*" });
    let old = json!([statement("a", &["x"]), statement("b", &["x", "y"]), statement("c", &[])]);
    let new =
        json!([statement("new", &[]), statement("a", &["x"]), statement("b", &["x", "z", "w"]), statement("c", &[])]);
    insta::assert_snapshot!(shown(&old, &new), @r#"
    field: + {"Action":[],"Resource":"*","Sid":"new"}
    field[2].Action: - "y"
    field[2].Action: + "z"
    field[2].Action: + "w"
    "#);
}

#[test]
fn headers_are_compared_by_directive_and_json_texts_by_key() {
    let old = json!("default-src 'self'; connect-src 'self' wss://a.example.org; object-src 'none'");
    let new = json!("default-src 'self'; connect-src 'self' wss://a.example.org https://x; object-src 'none'");
    assert_eq!(shown(&old, &new), "field.connect-src: + \"https://x\"");
    assert_eq!(shown(&json!(r#"{"a":{"b":1}}"#), &json!(r#"{"a":{"b":2}}"#)), "field.a.b: 1 → 2");
}

#[test]
fn long_texts_are_compared_word_by_word_and_line_by_line() {
    let sentence =
        |word: &str| json!(format!("{} one two three {word} four five six {}", "a ".repeat(50), "z ".repeat(50)));
    assert_eq!(
        shown(&sentence("old words"), &sentence("new")),
        "field: … one two three [-old words-]{+new+} four five six …"
    );
    assert_eq!(shown(&json!("a\nb\nc\n"), &json!("a\nB\nc\nd\n")), "field: - b\nfield: + B\nfield: + d");
    assert_eq!(shown(&json!("a\n"), &json!("a\r\n")), "field: only the line endings");
}

#[test]
fn long_texts_without_spaces_are_shown_around_the_difference() {
    let text = |middle: &str| json!(format!("{}{middle}{}", "a".repeat(300), "z".repeat(300)));
    let (a, z) = ("a".repeat(20), "z".repeat(20));
    assert_eq!(shown(&text("1"), &text("22")), format!("field: \"…{a}1{z}…\" → \"…{a}22{z}…\""));
}

#[test]
fn simple_values_and_markers() {
    assert_eq!(shown(&json!(null), &json!("a")), "field: (absent) → \"a\"");
    assert_eq!(shown(&json!("a"), &json!(null)), "field: \"a\" → (absent)");
    assert_eq!(shown(&json!("(secret)"), &json!("(new secret)")), "field: (secret) → (new secret)");
    assert_eq!(shown(&json!({ "a": 1 }), &json!("(known after apply)")), "field: {\"a\":1} → (known after apply)");
    assert_eq!(shown(&json!("(a)"), &json!("(b)")), "field: \"(a)\" → \"(b)\"");
    assert_eq!(shown(&json!("same"), &json!("same")), "");
}

#[test]
fn many_differences_are_counted() {
    let list: Vec<usize> = (0..100).collect();
    let parts = parts("field", &json!([]), &json!(list));
    assert_eq!(parts.len(), MOST_PARTS + 1);
    assert_eq!(parts.last().map(|part| part.what.clone()), Some(What::More(100 - MOST_PARTS)));
}

proptest::proptest! {
    /// Whatever the two sides are, what is shown of them differs and is of limited length.
    #[test]
    fn sides_are_never_cut_to_the_same(old in "[ab]{0,200}", new in "[ab]{0,200}") {
        for part in parts("field", &json!(old), &json!(new)) {
            if let What::Changed(old, new) = part.what {
                proptest::prop_assert_ne!(&old, &new);
                proptest::prop_assert!(old.chars().count() < 140 && new.chars().count() < 140);
            }
        }
    }
}
