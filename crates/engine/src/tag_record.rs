//! The tag `peersync:tags`: which tags were last put on a resource, in one short string.
//!
//! For every tag, in the order of the keys, it holds the beginnings of the SHA-256 of the key and of the value, in
//! base64url. They tell *who* changed a tag, and which of the tags that are no longer wanted may be removed: only those
//! that are in the record, because the others belong to somebody else. The two digits in front say how many characters
//! a key and a value have: 6 each for up to 21 tags, fewer for more, since AWS allows 256 characters in a tag's value.
//! At 36 bits, a tag of somebody else's is taken for ours once in 7×10¹⁰.

use std::collections::BTreeMap;

use super::Tags;
use super::digest::short_hash;

/// The key of the tag that holds the digest.
pub const DIGEST_TAG: &str = "peersync:digest";
/// The key of the tag that records which tags were put.
pub const RECORD_TAG: &str = "peersync:tags";
/// The possible numbers of characters for a key and for a value, the best first. With the last, 50 tags fit, and AWS
/// allows no more on a resource.
const WIDTHS: [(usize, usize); 4] = [(6, 6), (5, 4), (4, 3), (3, 2)];
/// The longest value that AWS allows, in characters.
const LONGEST: usize = 256;

/// Returns the record of these tags, without the record itself and the digest.
pub fn encode(tags: &Tags) -> String {
    let tags: Vec<_> = tags.iter().filter(|(key, _)| !is_record(key)).collect();
    let fits = |widths: &&(usize, usize)| "66.".len() + tags.len() * (widths.0 + widths.1) <= LONGEST;
    let (of_key, of_value) = WIDTHS.iter().find(fits).copied().unwrap_or((3, 2));
    let entries = tags.iter().map(|(key, value)| short_hash(key, "", of_key) + &short_hash(key, value, of_value));
    format!("{of_key}{of_value}.{}", entries.collect::<String>())
}

/// Returns whether this is the key of one of the two tags that only record what was applied.
pub fn is_record(key: &str) -> bool {
    matches!(key, DIGEST_TAG | RECORD_TAG)
}

/// A record that was read back.
#[derive(Debug)]
pub struct TagRecord<'a> {
    of_key: usize,
    of_value: usize,
    entries: BTreeMap<&'a str, &'a str>,
}

impl<'a> TagRecord<'a> {
    /// Reads the record among a resource's tags. Returns `None` if it has none, because an older version of this program
    /// created it, or one in a form that this version does not know.
    pub fn of(tags: &'a BTreeMap<String, String>) -> Option<Self> {
        let (widths, entries) = tags.get(RECORD_TAG)?.split_once('.')?;
        let &(of_key, of_value) = WIDTHS.iter().find(|(of_key, of_value)| widths == format!("{of_key}{of_value}"))?;
        let width = of_key + of_value;
        if !entries.is_ascii() || entries.len() % width != 0 {
            return None;
        }
        let entries = (0..entries.len()).step_by(width).filter_map(|start| entries.get(start..start + width));
        Some(Self { of_key, of_value, entries: entries.filter_map(|entry| entry.split_at_checked(of_key)).collect() })
    }

    /// Returns whether a tag with this key was put.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(short_hash(key, "", self.of_key).as_str())
    }

    /// Returns whether this value was put, or `None` if no tag with this key was.
    pub fn value_is(&self, key: &str, value: &str) -> Option<bool> {
        let recorded = self.entries.get(short_hash(key, "", self.of_key).as_str())?;
        Some(*recorded == short_hash(key, value, self.of_value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(number: usize) -> Tags {
        (0..number).map(|index| (format!("key {index}"), format!("value {index}"))).collect()
    }

    #[test]
    fn record_tells_keys_and_values_and_fits_into_a_tag() {
        for number in [0, 1, 21, 22, 28, 36, 48] {
            let mut all = tags(number);
            all.insert(DIGEST_TAG.to_owned(), "2.abc".to_owned());
            let text = encode(&all);
            assert!(text.len() <= LONGEST, "{number} tags take {} characters", text.len());
            let live = Tags::from([(RECORD_TAG.to_owned(), text)]);
            let record = TagRecord::of(&live).expect("it was just written");
            assert!(!record.has(DIGEST_TAG) && !record.has("another key"));
            for (key, value) in tags(number) {
                assert_eq!(record.value_is(&key, &value), Some(true), "{key}");
                assert_eq!(record.value_is(&key, "something else"), Some(false), "{key}");
            }
        }
    }

    #[test]
    fn what_is_no_record_tells_nothing() {
        for text in ["", "66", "99.", "66.abc", "66.ä234567890a", "1.abcdefghijkl"] {
            let live = Tags::from([(RECORD_TAG.to_owned(), text.to_owned())]);
            assert!(TagRecord::of(&live).is_none(), "{text}");
        }
        assert!(TagRecord::of(&Tags::new()).is_none());
    }
}
