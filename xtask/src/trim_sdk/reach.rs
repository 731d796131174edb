//! What the wanted operations reach: a fixed point over the items of a crate.
//!
//! The crate has two parts. The frame (client, configuration, endpoints, errors) is always kept, and what it lists is kept
//! only if something else needs it. The rest is generated per operation and shape, and kept if it is reached.

use std::collections::{BTreeMap, BTreeSet};

use super::items::{File, Item, Sort, paths, words};
use crate::error::Error;

/// The text of each source file, by its path from `src`, such as `types/_tag.rs`.
pub type Sources = BTreeMap<String, String>;

/// The modules whose items are kept only if they are reached. `operation.rs` and `waiters.rs` themselves are lists.
const ON_DEMAND: [&str; 8] =
    ["event_receiver", "event_stream_serde", "lens", "operation", "protocol_serde", "serde_util", "types", "waiters"];
/// The files of these modules that belong to the frame.
const LISTS: [&str; 2] = ["operation.rs", "waiters.rs"];

/// What is kept of a crate.
pub struct Reached<'a> {
    sources: &'a Sources,
    files: BTreeMap<&'a str, File<'a>>,
    kept: BTreeMap<&'a str, BTreeSet<usize>>,
    queue: Vec<(&'a str, usize)>,
}

impl<'a> Reached<'a> {
    /// Returns what these operations reach.
    ///
    /// # Errors
    /// If an operation does not exist, or a file cannot be split into items.
    pub fn from(sources: &'a Sources, operations: &BTreeSet<String>) -> Result<Self, Error> {
        let mut reached = Self { sources, files: BTreeMap::new(), kept: BTreeMap::new(), queue: Vec::new() };
        for operation in operations {
            if !sources.contains_key(&format!("operation/{operation}.rs")) {
                return Err(Error::Missing(format!("the crate has no operation `{operation}`")));
            }
        }
        let names = sources.keys().filter(|path| is_root(path, operations));
        let roots: Vec<&str> = names.chain(waiters(sources, operations)?).map(String::as_str).collect();
        for root in roots {
            for at in 0..reached.open(root)?.items.len() {
                reached.keep(root, at);
            }
        }
        reached.follow_all()?;
        Ok(reached)
    }

    /// Whether an item is part of the result.
    pub fn keeps(&self, path: &str, at: usize, item: &Item<'_>) -> bool {
        match item.sort {
            _ if item.for_tests => false,
            Sort::Module => self.keeps_module(&child(path, item.name)),
            _ => !is_on_demand(path, self.sources) || self.kept.get(path).is_some_and(|kept| kept.contains(&at)),
        }
    }

    /// Whether something of a file, or of a file in the folder of its name, is part of the result.
    pub fn keeps_module(&self, path: &str) -> bool {
        let folder = folder(path);
        let below = self.kept.range(folder.as_str()..).next().is_some_and(|(file, _)| file.starts_with(&folder));
        below || self.kept.contains_key(path) || (self.sources.contains_key(path) && !is_on_demand(path, self.sources))
    }

    /// Whether a path leads to nothing that is part of the result.
    pub fn dangles(&self, path: &[&str]) -> bool {
        let (file, name) = target(self.sources, path);
        if !is_on_demand(&file, self.sources) {
            return false;
        }
        let Some(name) = name else { return !self.keeps_module(&file) };
        let Some((file, kept)) = self.kept.get_key_value(file.as_str()) else { return true };
        !self.files.get(file).is_some_and(|file| file.named(name).any(|at| kept.contains(&at)))
    }

    /// Reads a file, once.
    fn open(&mut self, path: &'a str) -> Result<&File<'a>, Error> {
        if !self.files.contains_key(path) {
            let text = self.sources.get(path).map(String::as_str).unwrap_or_default();
            self.files.insert(path, File::read(path, text)?);
        }
        self.files.get(path).ok_or_else(|| Error::Missing(format!("the crate has no file {path}")))
    }

    fn keep(&mut self, path: &'a str, at: usize) {
        let Some(item) = self.files.get(path).and_then(|file| file.items.get(at)) else { return };
        if item.sort != Sort::Module && !item.for_tests && self.kept.entry(path).or_default().insert(at) {
            self.queue.push((path, at));
        }
    }

    /// Follows references until nothing is added. Implementations are looked at again, because what the header of one
    /// names may have been reached later.
    fn follow_all(&mut self) -> Result<(), Error> {
        loop {
            while let Some((path, at)) = self.queue.pop() {
                self.follow(path, at)?;
            }
            for (path, at) in self.implementations() {
                self.keep(path, at);
            }
            if self.queue.is_empty() {
                return Ok(());
            }
        }
    }

    /// Keeps what an item refers to.
    fn follow(&mut self, path: &'a str, at: usize) -> Result<(), Error> {
        let Some(item) = self.files.get(path).and_then(|file| file.items.get(at)) else { return Ok(()) };
        let (paths, words) = (paths(&item.tokens), words(&item.tokens));
        for word in words {
            self.keep_named(path, word);
        }
        for reference in paths {
            let (file, name) = target(self.sources, &reference);
            let Some((file, _)) = self.sources.get_key_value(&file) else { continue };
            if let Some(name) = name.filter(|_| is_on_demand(file, self.sources)) {
                self.open(file)?;
                self.keep_named(file, name);
            }
        }
        Ok(())
    }

    fn keep_named(&mut self, path: &'a str, name: &str) {
        let found: Vec<usize> = self.files.get(path).map(|file| file.named(name).collect()).unwrap_or_default();
        for at in found {
            self.keep(path, at);
        }
    }

    /// Returns the implementations whose header names only what is kept, and re-exports of other crates.
    fn implementations(&self) -> Vec<(&'a str, usize)> {
        let mut ready = Vec::new();
        for (path, file) in self.files.iter().filter(|(path, _)| self.kept.contains_key(*path)) {
            for (at, item) in file.items.iter().enumerate() {
                let is_ready = match item.sort {
                    Sort::Implementation => self.has_whole_header(path, file, item),
                    Sort::Use => paths(&item.tokens).is_empty(),
                    _ => false,
                };
                if is_ready {
                    ready.push((*path, at));
                }
            }
        }
        ready
    }

    fn has_whole_header(&self, path: &str, file: &File<'_>, item: &Item<'_>) -> bool {
        let kept = self.kept.get(path);
        let is_kept = |at| kept.is_some_and(|kept| kept.contains(&at));
        let words = words(item.header());
        let local = file.items.iter().enumerate().filter(|(_, other)| words.contains(other.name));
        local.into_iter().all(|(at, _)| is_kept(at)) && paths(item.header()).iter().all(|path| !self.dangles(path))
    }
}

/// Whether everything of a file is wanted because of its operation.
fn is_root(path: &str, operations: &BTreeSet<String>) -> bool {
    let inside = path.strip_prefix("client/").or_else(|| path.strip_prefix("operation/"));
    let name = inside.and_then(|inside| inside.split(['/', '.']).next());
    name.is_some_and(|name| operations.contains(name))
}

/// Returns the waiters of these operations.
fn waiters<'a>(sources: &'a Sources, operations: &BTreeSet<String>) -> Result<Vec<&'a String>, Error> {
    let mut found = Vec::new();
    for (path, text) in
        sources.iter().filter(|(path, _)| path.starts_with("waiters/") && *path != "waiters/matchers.rs")
    {
        let file = File::read(path, text)?;
        let named: BTreeSet<&str> =
            file.items.iter().flat_map(|item| paths(&item.tokens)).filter_map(operation).collect();
        if !named.is_empty() && named.iter().all(|name| operations.contains(*name)) {
            found.push(path);
        }
    }
    Ok(found)
}

fn operation(path: Vec<&str>) -> Option<&str> {
    match path.as_slice() {
        ["operation", name, ..] => Some(name),
        _ => None,
    }
}

/// Whether a file has only what is reached.
fn is_on_demand(path: &str, sources: &Sources) -> bool {
    let first = path.split(['/', '.']).next().unwrap_or_default();
    let of_operation =
        path.strip_prefix("client/").is_some_and(|name| sources.contains_key(&format!("operation/{name}")));
    of_operation || (ON_DEMAND.contains(&first) && !LISTS.contains(&path))
}

/// Returns the file that a path leads to, and the name in it, unless the path ends at the module.
fn target<'p>(sources: &Sources, path: &[&'p str]) -> (String, Option<&'p str>) {
    let mut file = "lib.rs".to_owned();
    for segment in path {
        let next = child(&file, segment);
        if !sources.contains_key(&next) {
            return (file, Some(segment));
        }
        file = next;
    }
    (file, None)
}

/// Returns the file of a module that another declares.
fn child(path: &str, name: &str) -> String {
    format!("{}{name}.rs", folder(path))
}

/// Returns the folder with the modules that a file declares, with a slash at the end.
fn folder(path: &str) -> String {
    if path == "lib.rs" { String::new() } else { format!("{}/", path.trim_end_matches(".rs")) }
}
