//! The tokens of a Rust source: enough to find paths, attributes and bodies without a parser.

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A single character of punctuation.
    Punctuation,
    /// A string literal. Its text is the part between the quotes, with escapes as written.
    Text,
    /// A number, a character or a lifetime.
    Other,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its text.
    pub text: &'a str,
    /// Its line, counted from 1.
    pub line: usize,
}

impl Token<'_> {
    /// Whether it is this word or punctuation.
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Punctuation) && self.text == text
    }
}

/// Splits a source into tokens, without comments.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { rest: source, line: 1 };
    std::iter::from_fn(|| scanner.next()).collect()
}

struct Scanner<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_space_and_comments();
        let line = self.line;
        let first = self.rest.chars().next()?;
        if let Some((prefix, hashes)) = raw_string(self.rest) {
            self.take(prefix);
            let end = format!("\"{}", "#".repeat(hashes));
            let text = self.take(self.rest.find(&end).unwrap_or(self.rest.len()));
            self.take(end.len().min(self.rest.len()));
            return Some(Token { kind: Kind::Text, text, line });
        }
        if let Some(prefix) = ["\"", "b\"", "c\""].into_iter().find(|prefix| self.rest.starts_with(prefix)) {
            self.take(prefix.len());
            let text = self.take(end_of_literal(self.rest, '"'));
            self.take(self.rest.len().min(1));
            return Some(Token { kind: Kind::Text, text, line });
        }
        let (kind, length) = if first == '\'' {
            (Kind::Other, quoted(self.rest))
        } else if first.is_ascii_digit() {
            (Kind::Other, length_while(self.rest, is_in_word))
        } else if is_in_word(first) {
            // `r#type` is the identifier `type`.
            self.take(if self.rest.starts_with("r#") { 2 } else { 0 });
            (Kind::Word, length_while(self.rest, is_in_word))
        } else {
            (Kind::Punctuation, first.len_utf8())
        };
        Some(Token { kind, text: self.take(length), line })
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            let space = length_while(self.rest, char::is_whitespace);
            let skipped = if space > 0 {
                space
            } else if self.rest.starts_with("//") {
                self.rest.find('\n').unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                block_comment(self.rest)
            } else {
                return;
            };
            self.take(skipped);
        }
    }

    /// Removes this number of bytes from the rest and returns them.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}

fn is_in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn length_while(text: &str, matches: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !matches(letter)).unwrap_or(text.len())
}

/// Returns the length of the opening of a raw string, and the number of its hashes.
fn raw_string(text: &str) -> Option<(usize, usize)> {
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let rest = text.get(prefix.len()..)?;
    let hashes = length_while(rest, |letter| letter == '#');
    rest.get(hashes..)?.starts_with('"').then_some((prefix.len() + hashes + 1, hashes))
}

/// Returns the number of bytes before the closing quote of a literal.
fn end_of_literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        if letter == quote && !escaped {
            return at;
        }
        escaped = letter == '\\' && !escaped;
    }
    text.len()
}

/// Returns the length of a character literal or a lifetime.
fn quoted(text: &str) -> usize {
    let mut letters = text.chars().skip(1);
    let (first, second) = (letters.next(), letters.next());
    if first == Some('\\') || second == Some('\'') {
        let inside = text.get(1..).unwrap_or_default();
        return end_of_literal(inside, '\'') + 2;
    }
    1 + length_while(text.get(1..).unwrap_or_default(), is_in_word)
}

/// Returns the length of a block comment, which may contain others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Removes the items and fields that only tests have: those with `#[cfg(test)]` or a similar condition.
pub fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        if let Some((attribute, after)) = attribute(rest)
            && is_for_tests(attribute)
        {
            rest = after_item(after);
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    kept
}

/// Returns the attribute at the beginning of these tokens, without its brackets, and the tokens after it.
pub fn attribute<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<(&'t [Token<'a>], &'t [Token<'a>])> {
    let (hash, rest) = tokens.split_first()?;
    let inner = rest.first().is_some_and(|token| token.is("!"));
    let rest = if inner { rest.get(1..)? } else { rest };
    if !hash.is("#") || !rest.first()?.is("[") {
        return None;
    }
    let length = group(rest);
    Some((rest.get(1..length - 1)?, rest.get(length..)?))
}

/// Whether an attribute limits its item to tests.
pub fn is_for_tests(attribute: &[Token<'_>]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.is(word));
    attribute.first().is_some_and(|token| token.is("cfg")) && has("test") && !has("not")
}

/// Returns the number of tokens in the group that the first token opens, including both brackets.
pub fn group(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if ["(", "[", "{"].iter().any(|open| token.is(open)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|close| token.is(close)) {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Returns the tokens after an item, a statement or a field.
fn after_item<'t, 'a>(mut tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    const ITEMS: [&str; 16] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "let",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "union",
        "unsafe",
        "use",
    ];
    while let Some((_, after)) = attribute(tokens) {
        tokens = after;
    }
    if tokens.first().is_some_and(|token| token.is("pub")) {
        tokens = tokens.get(1..).unwrap_or_default();
        let scope = tokens.first().is_some_and(|token| token.is("("));
        tokens = tokens.get(if scope { group(tokens) } else { 0 }..).unwrap_or_default();
    }
    let is_item = tokens.first().is_some_and(|token| ITEMS.iter().any(|word| token.is(word)));
    while let Some(token) = tokens.first() {
        if [")", "]", "}"].iter().any(|close| token.is(close)) {
            return tokens;
        }
        let length = group(tokens);
        let ends = token.is(";") || (is_item && token.is("{")) || (!is_item && token.is(","));
        tokens = tokens.get(length..).unwrap_or_default();
        if ends {
            break;
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        tokens(source).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_are_left_out_and_literals_are_single_tokens() {
        assert_eq!(words("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(words(r#"x("a \" // b", 'c', '\'', '"', &'d e)"#)[..5], ["x", "(", r#"a \" // b"#, ",", "'c'"]);
        assert_eq!(words(r##"r#"a "b" c"# br"d\" r#type"##), [r#"a "b" c"#, r"d\", "type"]);
        assert_eq!(words("0..10 1_000u64"), ["0", ".", ".", "10", "1_000u64"]);
    }

    #[test]
    fn lines_are_counted_through_literals_and_comments() {
        let lines: Vec<usize> = tokens("a\n\"b\nc\"\n/*\n*/ d").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 5]);
    }

    #[test]
    fn items_of_tests_are_left_out() {
        let kept = |source| {
            let all = tokens(source);
            without_tests(&all).into_iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept("#[cfg(test)] mod tests { fn x() { a::b(); } } fn y() {}"), "fn y ( ) { }");
        assert_eq!(kept("#[cfg(test)] #[allow(x)] pub(crate) mod tests; mod y;"), "mod y ;");
        assert_eq!(kept("#[cfg(any(test, feature = \"x\"))] use a::b; use c;"), "use c ;");
        assert_eq!(kept("#[cfg(test)] fn f<A, B>(_: [u8; 3]) -> A {} y"), "y");
        assert_eq!(kept("struct S { #[cfg(test)] pub a: u8, b: u8 }"), "struct S { b : u8 }");
        assert_eq!(kept("#[cfg(not(test))] mod y;"), "# [ cfg ( not ( test ) ) ] mod y ;");
    }
}
