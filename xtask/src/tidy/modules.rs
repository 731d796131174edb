//! The modules of a target, and the references between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::tokens::{Token, group, tokens, without_tests};
use super::tree::Tree;

/// The maximum number of re-exports that are followed from one name: more would be a cycle.
const MOST_REEXPORTS: usize = 8;

/// The path of a module from the root of its target, which is the empty path.
pub type ModulePath = Vec<String>;

/// The modules of a target, without those that only tests have.
#[derive(Default)]
pub struct Modules {
    by_path: BTreeMap<ModulePath, Module>,
}

#[derive(Default)]
struct Module {
    file: PathBuf,
    /// The paths that `use` declarations bring in, by their names in this module.
    names: BTreeMap<String, ModulePath>,
    /// Every path in this module, with its line.
    paths: Vec<(ModulePath, usize)>,
}

/// A module that uses another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The module that uses it.
    pub from: ModulePath,
    /// The module that is used.
    pub to: ModulePath,
    /// The file with the reference.
    pub file: PathBuf,
    /// The line of the reference.
    pub line: usize,
}

/// A crate of the workspace that a module names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The module.
    pub from: ModulePath,
    /// The name of the crate in code, such as `peersync_aws`.
    pub name: String,
    /// The file with the reference.
    pub file: PathBuf,
    /// The line of the reference.
    pub line: usize,
}

impl Modules {
    /// Reads the modules of the target whose first file this is.
    pub fn read(tree: &Tree, source: &Path) -> Self {
        let mut modules = Self::default();
        modules.read_file(tree, source, Vec::new());
        modules
    }

    /// Whether a module has this path.
    pub fn has(&self, path: &[String]) -> bool {
        self.by_path.contains_key(path)
    }

    /// Returns the names of the modules directly inside the root.
    pub fn top_level(&self) -> impl Iterator<Item = &str> {
        self.by_path.keys().filter_map(|path| match path.as_slice() {
            [name] => Some(name.as_str()),
            _ => None,
        })
    }

    /// Returns the references between modules.
    pub fn references(&self) -> Vec<Reference> {
        let mut references = Vec::new();
        for (from, module) in &self.by_path {
            for (path, line) in &module.paths {
                let Some(to) = self.absolute(from, path).and_then(|path| self.resolve(path, 0)) else { continue };
                references.push(Reference { from: from.clone(), to, file: module.file.clone(), line: *line });
            }
        }
        references
    }

    /// Returns the references to crates whose names begin with `prefix`.
    pub fn externals(&self, prefix: &str) -> Vec<External> {
        let of_module = |(from, module): (&ModulePath, &Module)| {
            let named = module.paths.iter().filter_map(|(path, line)| Some((path.first()?, *line)));
            let named = named.filter(|(name, _)| name.starts_with(prefix));
            let external = |(name, line): (&String, usize)| External {
                from: from.clone(),
                name: name.clone(),
                file: module.file.clone(),
                line,
            };
            named.map(external).collect::<Vec<_>>()
        };
        self.by_path.iter().flat_map(of_module).collect()
    }

    fn read_file(&mut self, tree: &Tree, file: &Path, path: ModulePath) {
        let Some(text) = tree.files.get(file) else { return };
        let tokens = tokens(text);
        let folder = folder_of_children(file, path.is_empty());
        self.read_body(tree, file, &folder, path, &without_tests(&tokens));
    }

    fn read_body(&mut self, tree: &Tree, file: &Path, folder: &Path, path: ModulePath, body: &[Token<'_>]) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        let mut rest = body;
        let mut children: Vec<(String, Option<&[Token<'_>]>)> = Vec::new();
        while let Some((first, after)) = rest.split_first() {
            let length = match after {
                [name, semicolon, ..] if first.is("mod") && semicolon.is(";") => {
                    children.push((name.text.to_owned(), None));
                    3
                }
                [name, brace, ..] if first.is("mod") && brace.is("{") => {
                    let length = 2 + group(after.get(1..).unwrap_or_default());
                    children.push((name.text.to_owned(), rest.get(3..length.saturating_sub(1))));
                    length
                }
                _ if first.is("use") => {
                    let end = after.iter().position(|token| token.is(";")).unwrap_or(after.len());
                    module.declare(&uses(after.get(..end).unwrap_or_default()));
                    1 + end
                }
                _ => module.mention(rest),
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        self.by_path.insert(path.clone(), module);
        for (name, inline) in children {
            let child: ModulePath = path.iter().cloned().chain([name.clone()]).collect();
            if let Some(body) = inline {
                self.read_body(tree, file, &folder.join(name), child, body);
            } else if let Some(found) = file_of(tree, folder, &name) {
                self.read_file(tree, &found, child);
            }
        }
    }

    /// Returns a path from the root; `None` if it leads into another crate.
    fn absolute(&self, from: &[String], path: &[String]) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let start = from.get(..from.len().checked_sub(ups)?)?.to_vec();
                return Some(start.into_iter().chain(path.iter().skip(ups).cloned()).collect());
            }
            _ => {
                let child: ModulePath = from.iter().chain([first]).cloned().collect();
                return self.has(&child).then(|| child.into_iter().chain(rest.iter().cloned()).collect());
            }
        };
        Some(start.into_iter().chain(rest.iter().cloned()).collect())
    }

    /// Returns the module that defines the item of an absolute path, after following re-exports.
    fn resolve(&self, path: ModulePath, followed: usize) -> Option<ModulePath> {
        let known = (0..=path.len()).rev().find(|length| path.get(..*length).is_some_and(|start| self.has(start)))?;
        let (module, item) = path.split_at(known);
        let names = &self.by_path.get(module)?.names;
        let target = item.first().and_then(|name| names.get(name)).filter(|_| followed < MOST_REEXPORTS);
        let onward = target.and_then(|target| self.absolute(module, target));
        // An item of another crate counts as the module's own.
        onward.and_then(|onward| self.resolve(onward, followed + 1)).or_else(|| Some(module.to_vec()))
    }
}

impl Module {
    /// Records the paths of a `use` declaration.
    fn declare(&mut self, uses: &[Use]) {
        for Use { path, name, line } in uses {
            self.paths.push((path.clone(), *line));
            if let Some(name) = name {
                self.names.insert(name.clone(), path.clone());
            }
        }
    }

    /// Records the path at the beginning of these tokens, if any, and returns the number of its tokens.
    fn mention(&mut self, tokens: &[Token<'_>]) -> usize {
        let path = path(tokens);
        if let [(first, line), _, ..] = path.as_slice()
            && (["crate", "self", "super"].contains(first) || first.starts_with(char::is_lowercase))
        {
            self.paths.push((path.iter().map(|(part, _)| (*part).to_owned()).collect(), *line));
        }
        // `a::b` has four tokens.
        (path.len() * 3).saturating_sub(2).max(1)
    }
}

/// A name of a `use` declaration.
struct Use {
    path: ModulePath,
    /// Its name in this module; `None` for `*` and `_`.
    name: Option<String>,
    line: usize,
}

/// Returns the names of a `use` declaration from its tokens before the semicolon.
fn uses(tree: &[Token<'_>]) -> Vec<Use> {
    let start = if tree.first().is_some_and(|token| token.is(":")) { 2 } else { 0 };
    let tree = tree.get(start..).unwrap_or_default();
    let prefix = path(tree);
    let own = || prefix.iter().map(|(part, _)| (*part).to_owned());
    let line = tree.first().map_or(0, |token| token.line);
    // `a::b::` has six tokens, `a::b` four.
    let rest = tree.get(prefix.len() * 3..).unwrap_or_default();
    match rest {
        [brace, ..] if brace.is("{") => {
            let inside = rest.get(1..group(rest).saturating_sub(1)).unwrap_or_default();
            let within = |used: Use| {
                let is_module = used.path.first().is_some_and(|part| part == "self") && !prefix.is_empty();
                let name = if is_module && used.path.len() == 1 {
                    used.name.filter(|name| name != "self").or_else(|| own().next_back())
                } else {
                    used.name
                };
                let path = own().chain(used.path.into_iter().skip(usize::from(is_module))).collect();
                Use { path, name, line: used.line }
            };
            parts(inside).into_iter().flat_map(uses).map(within).collect()
        }
        [star, ..] if star.is("*") => vec![Use { path: own().collect(), name: None, line }],
        _ if prefix.is_empty() => Vec::new(),
        _ => {
            let renamed = tree.iter().position(|token| token.is("as"));
            let name = match renamed {
                Some(at) => tree.get(at + 1).map(|token| token.text.to_owned()).filter(|name| name != "_"),
                None => own().next_back(),
            };
            vec![Use { path: own().collect(), name, line }]
        }
    }
}

/// Splits tokens at commas, but not inside brackets.
fn parts<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(token) = tokens.get(at) {
        if token.is(",") {
            parts.extend(tokens.get(start..at));
            start = at + 1;
        }
        at += group(tokens.get(at..).unwrap_or_default());
    }
    parts.extend(tokens.get(start..).filter(|part| !part.is_empty()));
    parts
}

/// Returns the words of the path at the beginning of these tokens, such as `a::b::c`, each with its line.
fn path<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize)> {
    use super::tokens::Kind;
    let mut words = Vec::new();
    let mut rest = tokens;
    while let Some(word) = rest.first().filter(|token| token.kind == Kind::Word) {
        words.push((word.text, word.line));
        match rest.get(1..3) {
            Some([first, second]) if first.is(":") && second.is(":") => rest = rest.get(3..).unwrap_or_default(),
            _ => break,
        }
    }
    words
}

/// Returns the folder with a file's modules: its own if it is the first of a target or a `mod.rs`, otherwise the folder
/// with its name.
fn folder_of_children(file: &Path, is_root: bool) -> PathBuf {
    if is_root || file.ends_with("mod.rs") { file.with_file_name("") } else { file.with_extension("") }
}

/// Returns the file of a module that is declared without a body.
fn file_of(tree: &Tree, folder: &Path, name: &str) -> Option<PathBuf> {
    let files = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    files.into_iter().find(|file| tree.files.contains_key(file))
}

#[cfg(test)]
mod tests {
    use super::super::tree::samples;
    use super::*;

    fn edges(files: &[(&str, &str)]) -> Vec<String> {
        let tree = samples::tree(files);
        let modules = Modules::read(&tree, Path::new("src/lib.rs"));
        let edges = modules.references().into_iter().filter(|edge| edge.from != edge.to && !edge.from.is_empty());
        edges.map(|edge| format!("{} -> {}:{}", edge.from.join("::"), edge.to.join("::"), edge.line)).collect()
    }

    #[test]
    fn declarations_and_inline_paths_are_references() {
        let found = edges(&[
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a.rs", "use crate::{b::{self, x}, c as d};\nfn f() { super::c::g(crate::b::y::<u8>()) }"),
            ("src/b.rs", "// use crate::a;\nfn f() { \"crate::a\"; }\n#[cfg(test)] mod tests { use crate::a; }"),
            ("src/c.rs", ""),
        ]);
        assert_eq!(found, ["a -> b:1", "a -> b:1", "a -> c:1", "a -> c:2", "a -> b:2"]);
    }

    #[test]
    fn names_are_followed_through_the_declarations_of_their_parents() {
        let found = edges(&[
            ("src/lib.rs", "mod a; mod b;\npub use self::b::{Thing as Other, deep::Inner};"),
            ("src/a.rs", "use crate::{Inner, Other};"),
            ("src/b.rs", "mod deep; pub struct Thing;"),
            ("src/b/deep.rs", "pub struct Inner; use super::Thing;"),
        ]);
        assert_eq!(found, ["a -> b::deep:1", "a -> b:1", "b::deep -> b:1"]);
    }

    #[test]
    fn modules_with_a_body_have_their_own_place() {
        let found = edges(&[
            ("src/lib.rs", "mod a { mod inner { use super::super::b; } }\nmod b { mod file; }"),
            ("src/b/file.rs", "use crate::a::inner;"),
        ]);
        assert_eq!(found, ["a::inner -> b:1", "b::file -> a::inner:1"]);
    }

    #[test]
    fn references_to_other_crates_are_found() {
        let tree = samples::tree(&[
            ("src/lib.rs", "mod a;"),
            ("src/a.rs", "use peersync_aws::Clients;\nuse serde::x; fn f() { peersync_config::y() }"),
        ]);
        let modules = Modules::read(&tree, Path::new("src/lib.rs"));
        let names: Vec<String> = modules.externals("peersync_").into_iter().map(|external| external.name).collect();
        assert_eq!(names, ["peersync_aws", "peersync_config"]);
    }
}
