//! Finds the known word nearest to an unknown one.

/// Returns the known word that was probably meant: one that differs only in spelling (`memoryMb`, `memory-mb`) or in a
/// few letters.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let plain = plain(word);
    known
        .map(|candidate| {
            let other = self::plain(candidate);
            let distance = strsim::damerau_levenshtein(&plain, &other);
            // A word that begins with the other, such as `bucket_name` for `bucket`, is near whatever its length.
            let begins =
                other.len() >= 4 && (plain.starts_with(&other) || other.starts_with(&plain)) && plain.len() >= 4;
            (distance, begins, candidate)
        })
        .filter(|(distance, begins, candidate)| *begins || *distance <= allowed(candidate))
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

/// Returns how many letters may differ: one in three, and at least one.
fn allowed(candidate: &str) -> usize {
    (candidate.len() / 3).max(1)
}

fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Lists words, each marked as code: `a`, `b`, `c`.
pub(super) fn among(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["memory_mb", "timeout", "burst", "bucket", "domain"];

    fn near(word: &str) -> Option<&'static str> {
        nearest(word, KEYS.into_iter())
    }

    #[test]
    fn different_spellings_match() {
        for word in ["memoryMb", "memory-mb", "MEMORY_MB", "memroy_mb", "memory"] {
            assert_eq!(near(word), Some("memory_mb"), "{word}");
        }
        assert_eq!(near("time_out"), Some("timeout"));
        assert_eq!(near("bucket_name"), Some("bucket"));
    }

    #[test]
    fn unrelated_words_do_not_match() {
        for word in ["", "x", "retention_days", "colour"] {
            assert_eq!(near(word), None, "{word}");
        }
    }
}
