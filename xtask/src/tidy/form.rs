//! The form of the sources: names of module files, the place of tests, lengths, and attributes.

use std::path::{Component, Path};

use super::Finding;
use super::tokens::{Kind, Token, attribute, group, is_for_tests, tokens};
use super::tree::Tree;

/// The maximum number of lines of a file.
const FILE_LINES: usize = 400;
/// The maximum number of lines of a function. The rule is 50; a longer one needs a reason that a reviewer accepts.
const FUNCTION_LINES: usize = 100;
/// The extensions of the files whose length is limited.
const SOURCES: &[&str] = &["css", "js", "mjs", "py", "rs"];

/// Finds modules whose file is named `mod.rs`.
pub fn module_files(tree: &Tree) -> Vec<Finding> {
    let named_mod = tree.files.keys().filter(|file| file.ends_with("mod.rs") && !is_integration_test(tree, file));
    let finding = |file: &std::path::PathBuf| Finding {
        file: file.clone(),
        line: 1,
        problem: "a module is named `mod.rs`".to_owned(),
        fix: format!("rename it to `{}.rs`", file.parent().unwrap_or(Path::new("")).display()),
    };
    named_mod.map(finding).collect()
}

/// Whether a file is one of the integration tests of its package.
fn is_integration_test(tree: &Tree, file: &Path) -> bool {
    let inside = tree.package_of(file).and_then(|package| file.strip_prefix(package.folder()).ok());
    inside.is_some_and(|file| file.components().next() == Some(Component::Normal("tests".as_ref())))
}

/// Finds tests outside `mod tests` and `name/tests.rs`.
pub fn places_of_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.with_extension(&["rs"]) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        if name.ends_with("_tests") || name.ends_with("_test") {
            findings.push(Finding {
                file: file.to_owned(),
                line: 1,
                problem: "unit tests are in a file beside their module".to_owned(),
                fix: "move them to `NAME/tests.rs`, declared by `#[cfg(test)] mod tests;` in `NAME.rs`".to_owned(),
            });
        }
        findings.extend(paths_of_tests(file, &tokens(text)));
    }
    findings
}

/// Finds `#[path]` on modules of tests.
fn paths_of_tests(file: &Path, tokens: &[Token<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rest = tokens;
    while let Some((_, after)) = rest.split_first() {
        let (mut path, mut for_tests) = (None, false);
        while let Some((found, after)) = attribute(rest) {
            path = path.or_else(|| found.first().filter(|token| token.is("path")).copied());
            for_tests |= is_for_tests(found);
            rest = after;
        }
        if let Some(path) = path.filter(|_| for_tests) {
            findings.push(Finding {
                file: file.to_owned(),
                line: path.line,
                problem: "a module of tests has a `#[path]`".to_owned(),
                fix: "name it `tests` and put it where Rust looks for it, at `NAME/tests.rs`".to_owned(),
            });
        }
        rest = if rest.len() > after.len() { after } else { rest };
    }
    findings
}

/// Finds files and functions that are too long.
pub fn lengths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.with_extension(SOURCES) {
        let lines = text.lines().count();
        if lines > FILE_LINES {
            findings.push(Finding {
                file: file.to_owned(),
                line: FILE_LINES + 1,
                problem: format!("the file has {lines} lines; the maximum is {FILE_LINES}"),
                fix: "move a part with a name of its own into another file".to_owned(),
            });
        }
        if file.extension().is_some_and(|end| end == "rs") {
            findings.extend(long_functions(file, &tokens(text)));
        }
    }
    findings
}

fn long_functions(file: &Path, tokens: &[Token<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, keyword) in tokens.iter().enumerate().filter(|(_, token)| token.is("fn")) {
        let Some(name) = tokens.get(at + 1).filter(|token| token.kind == Kind::Word) else { continue };
        let Some(body) = body(tokens.get(at..).unwrap_or_default()) else { continue };
        let last = body.get(group(body) - 1).map_or(keyword.line, |token| token.line);
        let lines = last + 1 - keyword.line;
        if lines > FUNCTION_LINES {
            findings.push(Finding {
                file: file.to_owned(),
                line: keyword.line,
                problem: format!("the function `{}` has {lines} lines; the maximum is {FUNCTION_LINES}", name.text),
                fix: "split it into named steps".to_owned(),
            });
        }
    }
    findings
}

/// Returns the tokens from the body of a function on; `None` if it has no body.
fn body<'t, 'a>(mut tokens: &'t [Token<'a>]) -> Option<&'t [Token<'a>]> {
    loop {
        let first = tokens.first().filter(|token| !token.is(";"))?;
        if first.is("{") {
            return Some(tokens);
        }
        // The semicolon in a parameter such as `[u8; 3]` is not the end.
        tokens = tokens.get(group(tokens)..)?;
    }
}

/// Finds exceptions from lints without a reason.
pub fn reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.with_extension(&["rs"]) {
        let tokens = tokens(text);
        for at in 0..tokens.len() {
            let Some((attribute, _)) = tokens.get(at..).and_then(attribute) else { continue };
            let exception = attribute.iter().enumerate().find(|(at, token)| {
                let opens = attribute.get(at + 1).is_some_and(|next| next.is("("));
                (token.is("allow") || token.is("expect")) && opens
            });
            let Some((position, name)) = exception else { continue };
            let list = attribute.get(position + 1..).unwrap_or_default();
            let list = list.get(..group(list)).unwrap_or_default();
            if !list.iter().any(|token| token.is("reason")) {
                findings.push(Finding {
                    file: file.to_owned(),
                    line: name.line,
                    problem: format!("`{}` has no reason", name.text),
                    fix: "add `reason = \"…\"`".to_owned(),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::samples;
    use super::*;

    fn places(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|finding| format!("{}:{}", finding.file.display(), finding.line)).collect()
    }

    #[test]
    fn mod_rs_is_reported_outside_integration_tests() {
        let tree = samples::tree(&[("src/a/mod.rs", ""), ("src/b.rs", ""), ("tests/api/mod.rs", "")]);
        assert_eq!(places(&module_files(&tree)), ["src/a/mod.rs:1"]);
    }

    #[test]
    fn misplaced_unit_tests_are_reported() {
        let tree = samples::tree(&[
            ("src/a_tests.rs", ""),
            ("src/b.rs", "fn x() {}\n#[cfg(test)]\n#[path = \"b_checks.rs\"]\nmod tests;"),
            ("src/c.rs", "#[cfg(test)]\nmod tests;"),
            ("build.rs", "#[path = \"src/c.rs\"]\nmod c;"),
        ]);
        assert_eq!(places(&places_of_tests(&tree)), ["src/a_tests.rs:1", "src/b.rs:3"]);
    }

    #[test]
    fn long_files_are_reported() {
        let (most, more) = ("x\n".repeat(400), "x\n".repeat(401));
        let tree = samples::tree(&[("a.css", &most), ("b.js", &more), ("c.py", &more), ("d.svg", &more)]);
        assert_eq!(places(&lengths(&tree)), ["b.js:401", "c.py:401"]);
    }

    #[test]
    fn long_functions_are_reported() {
        let body =
            |lines: usize| format!("fn short();\nfn long(_: [u8; 3]) {{\n{}}}\n", "    // {\n".repeat(lines - 2));
        let (most, more) = (body(100), body(101));
        let tree = samples::tree(&[("src/a.rs", &most), ("src/b.rs", &more)]);
        assert_eq!(places(&lengths(&tree)), ["src/b.rs:2"]);
    }

    #[test]
    fn lint_exceptions_need_a_reason() {
        let tree = samples::tree(&[
            ("src/a.rs", "#[allow(dead_code)]\nfn a() {}\n#![allow(\n    x,\n    reason = \"y\"\n)]"),
            ("src/b.rs", "\n#[cfg_attr(test, expect(x))] fn b() { value.expect(\"text\") }"),
        ]);
        assert_eq!(places(&reasons(&tree)), ["src/a.rs:1", "src/b.rs:2"]);
    }
}
