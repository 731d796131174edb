//! Inserts entries into lists of the sources, each at its alphabetical place.

/// Adds `mod name;` to the longest block of such lines.
pub(super) fn module(text: &str, name: &str) -> Option<String> {
    line(text, name, &format!("mod {name};"), |line| {
        let words = line.strip_suffix(';')?.rsplit_once("mod ")?;
        (words.0.is_empty() || words.0.starts_with("pub")).then_some(words.1)
    })
}

/// Adds a line with this key to the longest block of lines with keys. If only the end of the block is sorted, the line
/// goes there.
pub(super) fn line<'a>(
    text: &'a str,
    key: &str,
    new: &str,
    key_of: impl Fn(&'a str) -> Option<&'a str>,
) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let blocks = lines.chunk_by(|one, other| key_of(one).is_some() == key_of(other).is_some());
    let mut start = 0;
    let mut longest = (0, 0);
    for block in blocks {
        if block.first().copied().and_then(&key_of).is_some() && block.len() > longest.1 {
            longest = (start, block.len());
        }
        start += block.len();
    }
    let (first, length) = longest;
    let keys: Vec<&str> = lines.get(first..first + length)?.iter().filter_map(|line| key_of(line)).collect();
    let unsorted = keys.windows(2).rposition(|pair| pair.first() > pair.last()).map_or(0, |at| at + 1);
    let place = keys.iter().skip(unsorted).position(|other| *other > key).map_or(keys.len(), |at| at + unsorted);
    (length > 0).then(|| {
        let (before, after) = lines.split_at(first + place);
        let all: Vec<&str> = before.iter().copied().chain([new]).chain(after.iter().copied()).collect();
        all.join("\n") + "\n"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_added_at_its_place() {
        let text = "use x;\n\nmod b;\npub(crate) mod d;\npub mod e;\n\n#[cfg(test)]\nmod tests;\n";
        let with = |name: &str| module(text, name).unwrap_or_default();
        assert!(with("a").contains("\n\nmod a;\nmod b;\n"));
        assert!(with("c").contains("mod b;\nmod c;\npub(crate) mod d;\n"));
        assert!(with("f").ends_with("pub mod e;\nmod f;\n\n#[cfg(test)]\nmod tests;\n"));
        assert_eq!(module("use x;\n", "a"), None);
    }

    #[test]
    fn only_the_sorted_end_of_a_block_counts() {
        let text = "[\n    x,\n    b,\n    d,\n]\n";
        let with = |key: &str| line(text, key, "    NEW,", |line| line.strip_suffix(',')?.strip_prefix("    "));
        assert_eq!(with("c").as_deref(), Some("[\n    x,\n    b,\n    NEW,\n    d,\n]\n"));
        assert_eq!(with("a").as_deref(), Some("[\n    x,\n    NEW,\n    b,\n    d,\n]\n"));
        assert_eq!(with("z").as_deref(), Some("[\n    x,\n    b,\n    d,\n    NEW,\n]\n"));
    }
}
