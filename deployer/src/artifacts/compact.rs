//! Removes comments and insignificant white space from scripts and style sheets before they are published: they are a
//! third of what a page would transfer, and only readers of the repository need them. So are semicolons of scripts that
//! the end of a line implies, and private names, which nothing outside of their class sees, are short. Nothing else is
//! changed: every statement stays as it was written, on its own line, so that what a browser reports can be found.

/// Returns the file as it is published.
pub fn compact(key: &str, content: &[u8]) -> Vec<u8> {
    match key.rsplit('.').next() {
        Some("js") => Compactor::new(content, Language::Script).run(),
        Some("css") => Compactor::new(content, Language::Style).run(),
        _ => content.to_vec(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Script,
    Style,
}

/// What is open in a script.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Brace,
    /// `${`, after whose end a template continues.
    Template,
    Parenthesis,
    /// The parenthesis after `for`, `if` or `while`.
    Header,
}

/// Scans a file once, splitting it into tokens only as far as comments require.
struct Compactor<'a> {
    source: &'a [u8],
    at: usize,
    out: Vec<u8>,
    language: Language,
    open: Vec<Open>,
    /// The length of the output at the end of the last header: a semicolon there is an empty statement.
    header_end: usize,
    /// The private names in the order of their appearance.
    private_names: Vec<&'a [u8]>,
}

impl<'a> Compactor<'a> {
    fn new(source: &'a [u8], language: Language) -> Self {
        Self {
            source,
            at: 0,
            out: Vec::with_capacity(source.len()),
            language,
            open: Vec::new(),
            header_end: 0,
            private_names: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<u8> {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' | b'\'' => self.string(byte),
                b'`' if self.is_script() => self.template(),
                _ if self.at_gap() => self.gap(),
                b'/' if self.is_script() && self.regex_may_begin() => self.regex(),
                b'#' if self.is_script() => self.private_name(),
                b'{' if self.is_script() => self.open(Open::Brace),
                b'}' if self.is_script() => self.close_brace(),
                b'(' if self.is_script() => self.open_parenthesis(),
                b')' if self.is_script() => self.close_parenthesis(),
                _ => self.copy(1),
            }
        }
        self.out
    }

    fn is_script(&self) -> bool {
        self.language == Language::Script
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &[u8]) -> bool {
        self.source.get(self.at..).is_some_and(|rest| rest.starts_with(text))
    }

    fn copy(&mut self, count: usize) {
        let end = self.source.len().min(self.at + count);
        self.out.extend(self.source.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    fn at_gap(&self) -> bool {
        self.peek(0).is_some_and(|byte| byte.is_ascii_whitespace())
            || self.starts_with(b"/*")
            || self.is_script() && self.starts_with(b"//")
    }

    /// Replaces white space and comments, however many, by one newline, or, if they contain none, by one space, or by
    /// nothing next to a character that separates by itself. A style sheet has no need for lines, and neither has a list.
    fn gap(&mut self) {
        let begin = self.at;
        while self.at_gap() {
            if self.starts_with(b"/*") {
                self.skip_to(b"*/", true);
            } else if self.peek(0) == Some(b'/') {
                self.skip_to(b"\n", false);
            } else {
                self.at += 1;
            }
        }
        let lines = self.source.get(begin..self.at).is_some_and(|gap| gap.contains(&b'\n'));
        if !lines {
            if self.needs_space() {
                self.out.push(b' ');
            }
            return;
        }
        if self.is_script() {
            self.drop_semicolon();
        }
        let before = if self.is_script() { b",([".as_slice() } else { b"{};,".as_slice() };
        if self.out.last().is_some_and(|last| !before.contains(last)) {
            self.out.push(b'\n');
        }
    }

    /// Removes the semicolon before a newline if the next line cannot continue the statement (ECMAScript, "Automatic
    /// Semicolon Insertion"): it begins with a word, a private name or a closing brace.
    fn drop_semicolon(&mut self) {
        let ends = self.peek(0).is_some_and(|next| is_of_word(next) || next == b'}' || next == b'#');
        let of_header = matches!(self.open.last(), Some(Open::Header)) || self.header_end + 1 == self.out.len();
        if ends && !of_header && matches!(self.out.as_slice(), [.., before, b';'] if !b";{".contains(before)) {
            self.out.pop();
        }
    }

    fn needs_space(&self) -> bool {
        let (before, after) = match self.language {
            Language::Script => (b"{}();,=:?&|".as_slice(), b"{}();,=:?&|".as_slice()),
            // In a selector, a space before a colon or a parenthesis has a meaning.
            Language::Style => (b"{};,:".as_slice(), b"{}".as_slice()),
        };
        self.out.last().is_some_and(|last| !before.contains(last))
            && self.peek(0).is_some_and(|next| !after.contains(&next))
    }

    /// Skips everything up to this text, or including it.
    fn skip_to(&mut self, text: &[u8], inclusive: bool) {
        // Two bytes begin a comment; those of `/*/` do not end it.
        self.at += 2;
        while self.at < self.source.len() && !self.starts_with(text) {
            self.at += 1;
        }
        self.at = self.source.len().min(self.at + if inclusive { text.len() } else { 0 });
    }

    fn string(&mut self, quote: u8) {
        self.copy(1);
        while let Some(byte) = self.peek(0) {
            self.copy(if byte == b'\\' { 2 } else { 1 });
            if byte == quote || byte == b'\n' {
                return;
            }
        }
    }

    /// Copies from the back tick, or the end of `${…}`, to the next of either.
    fn template(&mut self) {
        self.copy(1);
        while let Some(byte) = self.peek(0) {
            if self.starts_with(b"${") {
                self.copy(1);
                self.open(Open::Template);
                return;
            }
            self.copy(if byte == b'\\' { 2 } else { 1 });
            if byte == b'`' {
                return;
            }
        }
    }

    /// Writes the name that has this number among those of the file: a letter, and beyond the alphabet a number.
    fn private_name(&mut self) {
        let rest = self.source.get(self.at + 1..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_of_word(**byte)).count();
        let name = rest.get(..length).unwrap_or_default();
        let known = self.private_names.iter().position(|known| *known == name);
        let number = known.unwrap_or(self.private_names.len());
        if known.is_none() {
            self.private_names.push(name);
        }
        let letter = char::from(b'a' + u8::try_from(number % 26).unwrap_or_default());
        let round = if number < 26 { String::new() } else { (number / 26).to_string() };
        self.out.extend(format!("#{letter}{round}").into_bytes());
        self.at += 1 + length;
    }

    fn open(&mut self, what: Open) {
        self.open.push(what);
        self.copy(1);
    }

    fn close_brace(&mut self) {
        if self.open.pop() == Some(Open::Template) { self.template() } else { self.copy(1) }
    }

    fn open_parenthesis(&mut self) {
        let is_header = [b"for".as_slice(), b"if", b"while", b"await"].contains(&self.last_word());
        self.open(if is_header { Open::Header } else { Open::Parenthesis });
    }

    fn close_parenthesis(&mut self) {
        self.copy(1);
        if self.open.pop() == Some(Open::Header) {
            self.header_end = self.out.len();
        }
    }

    /// Returns the word at the end of the output, without white space after it.
    fn last_word(&self) -> &[u8] {
        let before = self.out.trim_ascii_end();
        let word = before.iter().rev().take_while(|byte| is_of_word(**byte)).count();
        before.split_at(before.len() - word).1
    }

    /// Returns whether a slash here begins a regular expression, which it does wherever a value may begin.
    fn regex_may_begin(&self) -> bool {
        const BEFORE_VALUES: &[&[u8]] = &[
            b"return", b"typeof", b"case", b"in", b"of", b"delete", b"void", b"throw", b"new", b"do", b"else", b"await",
        ];
        match self.last_word() {
            [] => self.out.trim_ascii_end().last().is_none_or(|last| !b")]}\"'`".contains(last)),
            word => BEFORE_VALUES.contains(&word),
        }
    }

    fn regex(&mut self) {
        self.copy(1);
        let mut in_class = false;
        while let Some(byte) = self.peek(0) {
            self.copy(if byte == b'\\' { 2 } else { 1 });
            match byte {
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => return,
                b'\n' => return,
                _ => {}
            }
        }
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> String {
        String::from_utf8_lossy(&compact("js/x.js", text.as_bytes())).into_owned()
    }

    fn style(text: &str) -> String {
        String::from_utf8_lossy(&compact("css/x.css", text.as_bytes())).into_owned()
    }

    #[test]
    fn comments_and_indentation_are_removed() {
        let text = "/** About. */\nimport a from \"./a.js\";\n\n// One line.\nfunction f(/** @type {X} */ x) {\n  return x; // why\n}\n";
        assert_eq!(script(text), "import a from \"./a.js\"\nfunction f(x){\nreturn x\n}\n");
        assert_eq!(style("/* a */\n.a {\n  color: red; /* b */\n}\n"), ".a{color:red;}");
        assert_eq!(script("a/**/b\n/*/ not yet */c"), "a b\nc");
        assert_eq!(script("a = b + +c ? .5 : d && e;"), "a=b + +c?.5:d&&e;");
        assert_eq!(style("@media (a: b) and (c) {\n.a :is(.b, .c) {}"), "@media (a:b) and (c){.a :is(.b,.c){}");
        assert_eq!(script("a /* over\nlines */ b"), "a\nb");
    }

    #[test]
    fn semicolons_that_a_line_implies_are_removed() {
        assert_eq!(script("class A {\n  #x;\n  #y = 1;\n  c() { d(); }\n}"), "class A{\n#a\n#b=1\nc(){d();}\n}");
        assert_eq!(script("f(\n  a,\n  [\n b,\n],\n);\ng();"), "f(a,[b,],)\ng();");
        for text in [
            "a;\n(b)",
            "a;\n[b]",
            "a;\n`b`",
            "a;\n+b",
            "a;\n/b/",
            "for(;;);\na",
            "while(f());\na",
            "for(a=f();\nb;\nc)d;",
            "\"a;\"\nb",
        ] {
            assert_eq!(script(text), text);
        }
    }

    #[test]
    fn private_names_are_short_and_distinct() {
        assert_eq!(
            script("class A{#one=1;#two(){return this.#one+\"#one\";}}"),
            "class A{#a=1;#b(){return this.#a+\"#one\";}}"
        );
        let fields: String = (0..60).map(|number| format!("#field{number};")).collect();
        let published = script(&fields);
        let names: std::collections::BTreeSet<&str> = published.split(';').filter(|name| !name.is_empty()).collect();
        assert_eq!(names.len(), 60, "{published}");
        assert_eq!(script("a in b;`#c${this.#d}`;/#e/.test(f)"), "a in b;`#c${this.#a}`;/#e/.test(f)");
    }

    #[test]
    fn lookalikes_of_comments_are_kept() {
        for text in [
            "const a=\"// no \\\" /* comment */\";",
            "const a='https://x.example';",
            "const a=`/* ${b?`// ${c}`:\"}\"} */  //\n  kept`;",
            "const a=/[/*]\\/\\/*  /g.test(b)?1:2;",
            "const a=(b)=>{return /\"/.exec(b);};",
            "const a=b / c / d;const e=\"f\";",
            "const a=f(b)/ c[d] / 2;const e='f  g';",
        ] {
            assert_eq!(script(text), text);
        }
        assert_eq!(
            style(".a::before{content:\"/* x */\";background:url(//x);}"),
            ".a::before{content:\"/* x */\";background:url(//x);}"
        );
    }

    #[test]
    fn truncated_files_do_no_harm() {
        for text in ["\"", "'\\", "`${", "/*", "/* *", "a = /[", "//", "}", "`a${b}"] {
            script(text);
            style(text);
        }
    }

    #[test]
    fn other_files_are_unchanged() {
        assert_eq!(compact("index.html", b"  <!-- x -->  "), b"  <!-- x -->  ");
        assert_eq!(compact("openapi.json", b"{ \"a\": \"/* */\" }"), b"{ \"a\": \"/* */\" }");
    }
}
