//! These tests keep the list and the sources in step between two runs of `cargo xtask rules`.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::tidy::tokens::{Kind, tokens, without_tests};
use crate::tidy::tree::Tree;

/// Returns the name of every `rule!` of the sources outside tests, with the files that contain it.
fn named_in_code(tree: &Tree) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let sources = tree.with_extension(&["rs"]).filter(|(file, _)| !file.starts_with("xtask"));
    for (file, text) in sources {
        let tokens = tokens(text);
        for window in without_tests(&tokens).windows(4) {
            let [name, bang, _, text] = window else { continue };
            if name.is("rule") && bang.is("!") && text.kind == Kind::Text {
                names.entry(text.text.to_owned()).or_default().push(file.display().to_string());
            }
        }
    }
    names
}

/// Whether a package has a unit test with this path, in the file of its module or of a module above it.
fn has_unit_test(tree: &Tree, package: &str, path: &str) -> bool {
    let Some(package) = tree.packages.iter().find(|own| own.name == package) else { return false };
    let parts: Vec<&str> = path.split("::").collect();
    let Some((test, modules)) = parts.split_last() else { return false };
    let source = package.folder().join("src");
    let files = (0..=modules.len()).map(|length| {
        let inside: std::path::PathBuf = modules.iter().take(length).collect();
        if length == 0 { source.join("lib.rs") } else { source.join(inside).with_extension("rs") }
    });
    files.filter_map(|file| tree.files.get(&file)).any(|text| defines(text, test))
}

/// Whether a file defines a test, as a function or in the table of a macro that generates tests.
fn defines(text: &str, test: &str) -> bool {
    text.contains(&format!("fn {test}(")) || text.contains(&format!("    {test}: "))
}

#[test]
fn every_rule_is_in_the_code_once_and_every_rule_of_the_code_is_listed() {
    let mut code = named_in_code(&Tree::read(&root()).unwrap());
    let mut problems = Vec::new();
    for rule in read().unwrap() {
        match code.remove(&rule.name).unwrap_or_default().as_slice() {
            [_] => {}
            [] => problems.push(format!("{}: no `rule!` has this name", rule.name)),
            files => problems.push(format!("{}: in {}; once is enough", rule.name, files.join(", "))),
        }
    }
    problems.extend(code.into_iter().map(|(name, files)| format!("{name}: in {}, not in {FILE}", files.join(", "))));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_test_of_a_rule_exists() {
    let tree = Tree::read(&root()).unwrap();
    let missing = read().unwrap().into_iter().filter(|rule| match &rule.test {
        Test::Suite(name) => {
            let (suite, test) = name.split_once("::").unwrap();
            let file = tree.files.get(Path::new(&format!("tests/tests/suites/{suite}.rs")));
            !file.is_some_and(|text| defines(text, test))
        }
        Test::Unit { package, path } => !has_unit_test(&tree, package, path),
    });
    let missing: Vec<String> = missing.map(|rule| format!("{}: no test {}", rule.name, rule.test)).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_rule_has_a_kebab_case_name_and_a_sentence() {
    for rule in read().unwrap() {
        assert!(
            rule.name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
        );
        assert!(rule.about.ends_with('.'), "{}", rule.name);
    }
}

#[test]
fn a_unit_test_names_its_package() {
    let read = |test: &str| parse(&format!("[[rule]]\nname = \"a\"\nabout = \"A.\"\ntest = \"{test}\"\n"));
    let tests: Vec<Test> =
        ["order::the_host", "unit:sample:a::tests::b"].iter().map(|test| read(test).unwrap().remove(0).test).collect();
    let unit = Test::Unit { package: "sample".to_owned(), path: "a::tests::b".to_owned() };
    assert_eq!(tests, [Test::Suite("order::the_host".to_owned()), unit]);
    assert_eq!(tests.iter().map(Test::to_string).collect::<Vec<_>>(), ["order::the_host", "unit:sample:a::tests::b"]);
    assert!(read("unit:a::tests::b").unwrap_err().to_string().contains("names no package"));
}
