//! Who changed what, as a table: what was applied last, what is in AWS, what is wanted, and what a plan says about it.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use crate::value::{Field, LiveField, Ownership};
use crate::{Fields, Live, LiveFields, Tags, digest, tag_record};

const STAGE: &str = "peersync:stage";
const PROTECT: &str = "peersync:protect";

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Returns the tags with the records of what was applied.
fn recorded(tags: &Tags, fields: &Fields) -> Tags {
    let mut all = tags.clone();
    all.insert(RECORD_TAG.to_owned(), tag_record::encode(tags));
    all.insert(DIGEST_TAG.to_owned(), digest::encode(fields).unwrap());
    all
}

/// Returns the changes that people see, in the form `FIELD old→new reason`.
fn lines(changes: &Changes) -> Vec<String> {
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |change: &FieldChange| {
        let reason = serde_json::to_value(change.reason).unwrap();
        format!("{} {}→{} {}", change.field, value(&change.old), value(&change.new), reason.as_str().unwrap())
    };
    changes.shown().map(line).collect()
}

/// One row: the tags that were applied last, what happened to them in AWS, and the tags that are wanted now.
struct TagRow {
    what: &'static str,
    applied: &'static [(&'static str, &'static str)],
    live: &'static [(&'static str, &'static str)],
    wanted: &'static [(&'static str, &'static str)],
    expected: &'static [&'static str],
}

const TAG_ROWS: &[TagRow] = &[
    TagRow {
        what: "nothing changed",
        applied: &[("owner", "Ada")],
        live: &[("owner", "Ada"), ("stranger", "stays")],
        wanted: &[("owner", "Ada")],
        expected: &[],
    },
    TagRow {
        what: "a tag was added to the file",
        applied: &[("owner", "Ada")],
        live: &[("owner", "Ada")],
        wanted: &[("owner", "Ada"), ("team", "calls")],
        expected: &["tags.team null→calls configuration"],
    },
    TagRow {
        what: "its value was changed in the file",
        applied: &[("owner", "Ada")],
        live: &[("owner", "Ada")],
        wanted: &[("owner", "Grace")],
        expected: &["tags.owner Ada→Grace configuration"],
    },
    TagRow {
        what: "it was taken out of the file",
        applied: &[("owner", "Ada")],
        live: &[("owner", "Ada"), ("stranger", "stays")],
        wanted: &[],
        expected: &["tags.owner Ada→null configuration"],
    },
    TagRow {
        what: "all tags were taken out, one of them after somebody had changed it",
        applied: &[("owner", "Ada"), ("a/b:c=d+e@f Ö", "")],
        live: &[("owner", "Eve"), ("a/b:c=d+e@f Ö", "")],
        wanted: &[],
        expected: &["tags.a/b:c=d+e@f Ö →null configuration", "tags.owner Eve→null both"],
    },
    TagRow {
        what: "its value was changed by hand",
        applied: &[("owner", "Ada")],
        live: &[("owner", "Eve")],
        wanted: &[("owner", "Ada")],
        expected: &["tags.owner Eve→Ada drift"],
    },
    TagRow {
        what: "it was removed by hand",
        applied: &[("owner", "Ada"), (STAGE, "dev")],
        live: &[],
        wanted: &[("owner", "Ada"), (STAGE, "dev")],
        expected: &["tags.owner null→Ada drift", "tags.peersync:stage null→dev drift"],
    },
    TagRow {
        what: "it was removed by hand and changed in the file",
        applied: &[("owner", "Ada")],
        live: &[],
        wanted: &[("owner", "Grace")],
        expected: &["tags.owner null→Grace both"],
    },
    TagRow {
        what: "it was changed by hand and in the file",
        applied: &[("owner", "Ada")],
        live: &[("owner", "Eve")],
        wanted: &[("owner", "Grace")],
        expected: &["tags.owner Eve→Grace both"],
    },
    TagRow {
        what: "the file wants a tag that somebody else has put with another value",
        applied: &[],
        live: &[("owner", "Eve")],
        wanted: &[("owner", "Ada")],
        expected: &["tags.owner Eve→Ada both"],
    },
    TagRow {
        what: "it was removed by hand, and then taken out of the file",
        applied: &[("owner", "Ada")],
        live: &[],
        wanted: &[],
        expected: &[],
    },
    TagRow {
        what: "protection was switched on in the file",
        applied: &[(PROTECT, "false")],
        live: &[(PROTECT, "false")],
        wanted: &[(PROTECT, "true")],
        expected: &["tags.peersync:protect false→true configuration"],
    },
    TagRow {
        what: "protection was switched off by hand",
        applied: &[(PROTECT, "true")],
        live: &[(PROTECT, "false")],
        wanted: &[(PROTECT, "true")],
        expected: &["tags.peersync:protect false→true drift"],
    },
    TagRow {
        what: "an expiry was set in the file",
        applied: &[],
        live: &[],
        wanted: &[(EXPIRES_TAG, "2027-01-01T00:00:00Z")],
        expected: &["tags.peersync:expires-at null→2027-01-01T00:00:00Z configuration"],
    },
    TagRow {
        what: "the expiry was changed by hand",
        applied: &[(EXPIRES_TAG, "2027-01-01T00:00:00Z")],
        live: &[(EXPIRES_TAG, "2028-01-01T00:00:00Z")],
        wanted: &[(EXPIRES_TAG, "2027-01-01T00:00:00Z")],
        expected: &["tags.peersync:expires-at 2028-01-01T00:00:00Z→2027-01-01T00:00:00Z drift"],
    },
];

fn fields() -> Fields {
    Fields::from([("memory".to_owned(), Field::known(128))])
}

fn live_fields() -> LiveFields {
    LiveFields::from([("memory".to_owned(), LiveField::known(128))])
}

#[test]
fn reasons_of_changed_tags() {
    for row in TAG_ROWS {
        let mut live_tags = tags(row.live);
        let applied = recorded(&tags(row.applied), &fields());
        live_tags.extend(applied.into_iter().filter(|(key, _)| tag_record::is_record(key)));
        let live = Live { fields: live_fields(), tags: Some(live_tags), ..Live::default() };
        let changes = compare(&live, &fields(), &recorded(&tags(row.wanted), &fields()));
        assert_eq!(lines(&changes), row.expected, "{}", row.what);
        // Only the record may differ besides what is shown.
        let same_tags = row.applied == row.wanted;
        assert_eq!(changes.has_named("tags.peersync:tags"), !same_tags, "{}", row.what);
        let removed: Vec<String> = changes.removed_tags();
        assert!(!removed.contains(&"stranger".to_owned()), "{}", row.what);
    }
}

#[test]
fn tags_of_an_older_version_without_a_record() {
    let live_tags = tags(&[("owner", "Eve"), (EXPIRES_TAG, "2027-01-01T00:00:00Z"), ("old", "maybe ours")]);
    let live = Live { fields: live_fields(), tags: Some(live_tags), ..Live::default() };
    let wanted = [("owner", "Ada"), ("team", "calls"), (STAGE, "dev"), (EXPIRES_TAG, "2028-01-01T00:00:00Z")];
    let changes = compare(&live, &fields(), &recorded(&tags(&wanted), &fields()));
    let expected = [
        "tags.owner Eve→Ada unknown",
        "tags.peersync:expires-at 2027-01-01T00:00:00Z→2028-01-01T00:00:00Z configuration",
        "tags.peersync:stage null→dev configuration",
        "tags.team null→calls unknown",
    ];
    assert_eq!(lines(&changes), expected);
    assert!(changes.removed_tags().is_empty(), "nothing is removed that may be somebody else's");
}

#[test]
fn resource_that_carries_no_tags_loses_none() {
    let applied = recorded(&tags(&[("owner", "Ada")]), &fields());
    let live = Live { fields: live_fields(), tags: Some(applied), ..Live::default() };
    let digest_alone = Tags::from([(DIGEST_TAG.to_owned(), digest::encode(&fields()).unwrap())]);
    assert!(compare(&live, &fields(), &digest_alone).is_empty());
}

/// One row: the field that was applied last, in AWS, and wanted.
type FieldRow = (&'static str, Option<Field>, Option<LiveField>, Field, &'static [&'static str]);

fn known(value: i32) -> Option<Field> {
    Some(Field::known(value))
}

fn actual(value: i32) -> Option<LiveField> {
    Some(LiveField::known(value))
}

fn field_rows() -> Vec<FieldRow> {
    let given = |value: &str| Some(Field::secret(value));
    let found = |value: &str| Some(LiveField::secret(value));
    let absent = || Field::NotGiven("SMTP_PASS is not set".to_owned());
    vec![
        ("nothing changed", known(1), actual(1), Field::known(1), &[]),
        ("the configuration", known(1), actual(1), Field::known(2), &["x 1→2 configuration"]),
        ("somebody in AWS", known(1), actual(2), Field::known(1), &["x 2→1 drift"]),
        ("both", known(1), actual(2), Field::known(3), &["x 2→3 both"]),
        ("removed by hand", known(1), None, Field::known(1), &["x null→1 drift"]),
        ("removed by hand, and the configuration", known(1), None, Field::known(2), &["x null→2 both"]),
        ("a dependency is created", known(1), actual(1), Field::Unknown, &["x 1→(known after apply) consequence"]),
        ("a dependency, and somebody", known(1), actual(2), Field::Unknown, &["x 2→(known after apply) drift"]),
        ("a new field of this version", None, actual(2), Field::known(1), &["x 2→1 configuration"]),
        ("a new field that follows", None, actual(2), Field::Unknown, &["x 2→(known after apply) consequence"]),
        ("unreadable, unchanged", known(1), Some(LiveField::Unreadable), Field::known(1), &[]),
        (
            "unreadable, changed",
            known(1),
            Some(LiveField::Unreadable),
            Field::known(2),
            &["x (not readable)→2 configuration"],
        ),
        ("a new secret", given("a"), found("a"), Field::secret("b"), &["x (secret)→(new secret) configuration"]),
        ("a secret by hand", given("a"), found("b"), Field::secret("a"), &["x (secret)→(new secret) drift"]),
        ("a secret that was not given", given("a"), found("a"), absent(), &[]),
        ("not given, changed by hand", given("a"), found("b"), absent(), &["x (secret)→(secret) drift"]),
    ]
}

/// Returns the fields with one that never changes.
fn with_other(field: Option<Field>) -> Fields {
    let other = ("other".to_owned(), Field::known("same"));
    [other].into_iter().chain(field.map(|field| ("x".to_owned(), field))).collect()
}

fn with_other_live(field: Option<LiveField>) -> LiveFields {
    let other = ("other".to_owned(), LiveField::known("same"));
    [other].into_iter().chain(field.map(|field| ("x".to_owned(), field))).collect()
}

/// The same holds for what carries tags and for what only has its digest kept somewhere.
#[test]
fn reasons_of_changed_fields() {
    for (what, applied, live, wanted, expected) in field_rows() {
        let live_tags = recorded(&Tags::new(), &with_other(applied));
        let live = Live { fields: with_other_live(live), tags: Some(live_tags.clone()), ..Live::default() };
        let fields = with_other(Some(wanted));
        let wanted_tags = Tags::from([(RECORD_TAG.to_owned(), tag_record::encode(&Tags::new()))]);
        assert_eq!(lines(&compare(&live, &fields, &wanted_tags)), expected, "{what}");

        let digest_alone = live_tags.into_iter().filter(|(key, _)| key == DIGEST_TAG).collect();
        let live = Live { tags: Some(digest_alone), ..live };
        assert_eq!(lines(&compare(&live, &fields, &Tags::new())), expected, "{what}, without tags");
    }
}

#[test]
fn field_of_an_older_version_that_still_exists_is_removed() {
    let applied = Fields::from([("old.js".to_owned(), Field::known("a")), ("page".to_owned(), Field::known("b"))]);
    let fields = Fields::from([("page".to_owned(), Field::known("b")), ("new.js".to_owned(), Field::known("c"))]);
    let live = |old: &str| Live {
        fields: LiveFields::from([
            ("old.js".to_owned(), LiveField::known(old)),
            ("page".to_owned(), LiveField::known("b")),
            ("stranger".to_owned(), LiveField::known("d")),
        ]),
        tags: Some(recorded(&Tags::new(), &applied)),
        ..Live::default()
    };
    let wanted = recorded(&Tags::new(), &fields);
    let changes = lines(&compare(&live("a"), &fields, &wanted));
    assert_eq!(changes, ["new.js null→c configuration", "old.js a→null configuration"]);
    assert_eq!(lines(&compare(&live("z"), &fields, &wanted))[1], "old.js z→null both");
}

/// A digest of the format before, which has no names: `1.` and 6 characters for each field.
fn unnamed(fields: &Fields) -> String {
    let named = digest::encode(fields).unwrap();
    let entries: Vec<char> = named.trim_start_matches("2.").chars().collect();
    "1.".chars().chain(entries.chunks(9).flat_map(|entry| entry[3..].to_vec())).collect()
}

#[test]
fn digest_of_another_version_tells_what_it_can() {
    let with_digest = |digest: String, x: i32| Live {
        fields: with_other_live(actual(x)),
        tags: Some(Tags::from([(DIGEST_TAG.to_owned(), digest)])),
        ..Live::default()
    };
    let reason = |live: &Live, wanted: i32| lines(&compare(live, &with_other(known(wanted)), &Tags::new()));
    let before = unnamed(&with_other(known(1)));
    assert_eq!(reason(&with_digest(before.clone(), 1), 2), ["x 1→2 configuration"]);
    assert_eq!(reason(&with_digest(before.clone(), 2), 1), ["x 2→1 drift"]);
    assert_eq!(reason(&with_digest(before, 2), 3), ["x 2→3 both"]);
    // A version with another number of fields: what it has put is recognised by its hash alone.
    let more = Fields::from([("gone".to_owned(), Field::known(0))]).into_iter().chain(with_other(known(1))).collect();
    let more = unnamed(&more);
    assert_eq!(reason(&with_digest(more.clone(), 1), 2), ["x 1→2 configuration"]);
    assert_eq!(reason(&with_digest(more.clone(), 2), 1), ["x 2→1 drift"]);
    assert_eq!(reason(&with_digest(more, 2), 3), ["x 2→3 unknown"]);
    for digest in ["3.abcdefghi", "2.abcdefgh", "", "1.ä"] {
        assert_eq!(reason(&with_digest(digest.to_owned(), 2), 1), ["x 2→1 unknown"], "{digest}");
    }
}

#[test]
fn adopted_resource_was_changed_by_nobody() {
    let ownership = Ownership::Foreign("it does not carry the tags of this stack".to_owned());
    let live = Live { fields: live_fields(), tags: Some(Tags::new()), ownership, ..Live::default() };
    let fields = Fields::from([("memory".to_owned(), Field::known(256))]);
    let changes = compare(&live, &fields, &recorded(&tags(&[("owner", "Ada")]), &fields));
    assert_eq!(lines(&changes), ["memory 128→256 configuration", "tags.owner null→Ada configuration"]);
}
