//! The items of a generated source file, and the paths that they name.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use crate::error::Error;
use crate::tidy::tokens::{Kind, Token, attribute, group, is_for_tests, tokens};

/// A source file, split into the items at its top level.
pub struct File<'a> {
    /// Its lines.
    pub lines: Vec<&'a str>,
    /// Its items, in their order.
    pub items: Vec<Item<'a>>,
}

/// What an item is, as far as it matters for whether it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// `mod name;`, which is kept if something of the module is kept.
    Module,
    /// `impl …`, which is kept if everything that its header names is kept.
    Implementation,
    /// `use path::Name;`.
    Use,
    /// Everything else that has a name.
    Definition,
}

/// An item at the top level of a file.
pub struct Item<'a> {
    /// Its lines, counted from 1, with the comments and empty lines before it.
    pub lines: RangeInclusive<usize>,
    /// Its tokens, with its attributes.
    pub tokens: Vec<Token<'a>>,
    /// What it is.
    pub sort: Sort,
    /// Its name; empty for an implementation.
    pub name: &'a str,
    /// Whether only tests have it.
    pub for_tests: bool,
}

impl<'a> File<'a> {
    /// Splits a source into its items.
    ///
    /// # Errors
    /// If two items share a line, which generated code does not have: they could not be kept apart.
    pub fn read(path: &str, text: &'a str) -> Result<Self, Error> {
        let all = tokens(text);
        let mut rest = all.as_slice();
        let mut items: Vec<Item<'a>> = Vec::new();
        while let Some(first) = rest.first() {
            let before = items.last().map_or(0, |item| *item.lines.end());
            if first.line <= before {
                return Err(Error::Missing(format!(
                    "{path}:{before}: two items share this line, which cannot be trimmed"
                )));
            }
            let (own, after) = rest.split_at(item_length(rest).max(1));
            items.push(Item::new(before + 1, own));
            rest = after;
        }
        Ok(Self { lines: text.lines().collect(), items })
    }

    /// Returns the positions of the items with this name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        self.items.iter().enumerate().filter(move |(_, item)| item.name == name).map(|(at, _)| at)
    }
}

impl<'a> Item<'a> {
    fn new(first_line: usize, tokens: &[Token<'a>]) -> Self {
        let mut rest = tokens;
        let mut for_tests = false;
        while let Some((found, after)) = attribute(rest) {
            for_tests |= is_for_tests(found);
            rest = after;
        }
        let (sort, name) = sort_and_name(without_visibility(rest));
        let last_line = tokens.last().map_or(first_line, |token| token.line);
        Self { lines: first_line..=last_line, tokens: tokens.to_vec(), sort, name, for_tests }
    }

    /// Returns the tokens before the body.
    pub fn header(&self) -> &[Token<'a>] {
        self.tokens.get(..body(&self.tokens).start).unwrap_or(&self.tokens)
    }
}

/// Returns the positions of a body in braces, with them; an empty range at the end if there is none.
pub fn body(tokens: &[Token<'_>]) -> Range<usize> {
    let mut at = 0;
    while let Some(rest) = tokens.get(at..).filter(|rest| !rest.is_empty()) {
        let length = group(rest);
        if rest.first().is_some_and(|token| token.is("{")) {
            return at..at + length;
        }
        at += length;
    }
    tokens.len()..tokens.len()
}

/// Returns the paths that begin with `crate`, without that word.
pub fn paths<'a>(tokens: &[Token<'a>]) -> BTreeSet<Vec<&'a str>> {
    let mut paths = BTreeSet::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.is("crate")) {
        let mut path = Vec::new();
        let mut rest = tokens.get(at + 1..).unwrap_or_default();
        while let [first, second, segment, after @ ..] = rest {
            if !first.is(":") || !second.is(":") || segment.kind != Kind::Word {
                break;
            }
            path.push(segment.text);
            rest = after;
        }
        if !path.is_empty() {
            paths.insert(path);
        }
    }
    paths
}

/// Returns the identifiers and keywords.
pub fn words<'a>(tokens: &[Token<'a>]) -> BTreeSet<&'a str> {
    tokens.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect()
}

/// Returns the number of tokens of the first item.
fn item_length(tokens: &[Token<'_>]) -> usize {
    let mut rest = tokens;
    while let Some((_, after)) = attribute(rest) {
        rest = after;
    }
    let rest = without_visibility(rest);
    let word = |at: usize| rest.get(at).map_or("", |token| token.text);
    // The value of a constant may contain braces, after which it goes on.
    let has_value = matches!(word(0), "static" | "type" | "use") || (word(0) == "const" && word(2) == ":");
    let mut at = tokens.len() - rest.len();
    while let Some(rest) = tokens.get(at..) {
        let Some(first) = rest.first() else { break };
        at += group(rest);
        if first.is(";") || (first.is("{") && !has_value) {
            break;
        }
    }
    at
}

fn without_visibility<'t, 'a>(tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    match tokens {
        [public, rest @ ..] if public.is("pub") => {
            let limited = rest.first().is_some_and(|token| token.is("("));
            rest.get(if limited { group(rest) } else { 0 }..).unwrap_or_default()
        }
        _ => tokens,
    }
}

fn sort_and_name<'a>(tokens: &[Token<'a>]) -> (Sort, &'a str) {
    let first = tokens.first().map_or("", |token| token.text);
    let after = |at: usize| tokens.get(at).map_or("", |token| token.text);
    match first {
        "impl" => (Sort::Implementation, ""),
        "use" => {
            let last = tokens.iter().rev().find(|token| token.kind == Kind::Word);
            (Sort::Use, last.map_or("", |token| token.text))
        }
        "mod" if after(2) == ";" => (Sort::Module, after(1)),
        "macro_rules" => (Sort::Definition, after(2)),
        _ => {
            let keyword = tokens.iter().position(|token| {
                ["fn", "struct", "enum", "static", "type", "trait", "mod"].iter().any(|word| token.is(word))
            });
            let keyword = keyword.unwrap_or_default();
            // `static` and `const` of the form `const NAME: …`.
            let name = if first == "const" && after(2) == ":" { after(1) } else { after(keyword + 1) };
            (Sort::Definition, name)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

    use super::*;

    #[test]
    fn items_have_their_comments_names_and_lines() {
        let text = "// x\n\n/// A.\n#[derive(B)]\npub struct C {\n    d: u8,\n}\npub(crate) const E: F = F { g: 1 };\n\
                    impl<R> From<crate::h::I> for J\nwhere\n    R: K,\n{\n    fn l() -> M {}\n}\n\nmod n;\n\
                    pub use crate::o::P;\n#[cfg(test)]\nmod tests {\n}\npub(crate) async fn q(a: [u8; 3]) {\n}\n";
        let file = File::read("x.rs", text).unwrap();
        let seen: Vec<_> = file.items.iter().map(|item| (item.name, item.lines.clone(), item.sort)).collect();
        let expected = [
            ("C", 1..=7, Sort::Definition),
            ("E", 8..=8, Sort::Definition),
            ("", 9..=14, Sort::Implementation),
            ("n", 15..=16, Sort::Module),
            ("P", 17..=17, Sort::Use),
            ("tests", 18..=20, Sort::Definition),
            ("q", 21..=22, Sort::Definition),
        ];
        assert_eq!(seen, expected);
        assert_eq!(file.items.iter().position(|item| item.for_tests), Some(5));
        assert_eq!(paths(file.items.get(2).unwrap().header()), BTreeSet::from([vec!["h", "I"]]));
    }

    #[test]
    fn two_items_on_one_line_are_refused() {
        assert!(File::read("x.rs", "mod a; mod b;").is_err());
    }
}
