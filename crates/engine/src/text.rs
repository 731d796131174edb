//! Small pieces of English that errors and reports share.

/// Formats a number with its noun: `1 resource`, `3 resources`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Formats items in one line, the first `limit` by name: `a, b and 3 more`.
pub fn list<T: ToString>(items: &[T], limit: usize) -> String {
    let names: Vec<String> = items.iter().take(limit).map(ToString::to_string).collect();
    match items.len().saturating_sub(limit) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(list(&["a", "b", "c"], 2), "a, b and 1 more");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!([count(0, "stack"), count(1, "stack"), count(2, "stack")], ["0 stacks", "1 stack", "2 stacks"]);
    }
}
