//! Cycles among the modules of a crate, and the layers of its modules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Finding;
use super::modules::{ModulePath, Modules, Reference};
use super::settings::Settings;
use super::tree::{Package, Tree};

/// Which of a parent's modules uses which, with the first reference of each pair.
type Siblings = BTreeMap<(String, String), Reference>;

/// Finds cycles of modules, and modules that use one of a higher layer.
pub fn check(tree: &Tree, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        for target in &package.targets {
            if !target.kind.iter().any(|kind| kind == "custom-build") {
                let modules = Modules::read(tree, &target.source);
                findings.extend(cycles(package, settings, &modules));
            }
        }
        findings.extend(layers(tree, settings, package));
    }
    findings.extend(unknown_packages(tree, settings));
    findings
}

/// Finds settings of packages that do not exist: they would check nothing.
fn unknown_packages(tree: &Tree, settings: &Settings) -> Vec<Finding> {
    let named = settings.layers.keys().chain(settings.cycles.iter().map(|cycle| &cycle.package));
    let unknown = named.filter(|name| !tree.packages.iter().any(|package| package.name == **name));
    let finding = |name: &String| Finding::of_settings(format!("the workspace has no package `{name}`"));
    unknown.map(finding).collect()
}

fn cycles(package: &Package, settings: &Settings, modules: &Modules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for edges in siblings(modules).values() {
        for group in cyclic_groups(edges) {
            let allowed = |cycle: &super::settings::Cycle| {
                cycle.package == package.name && group.iter().all(|module| cycle.modules.contains(module))
            };
            if settings.cycles.iter().any(allowed) {
                continue;
            }
            let cycle = shortest_cycle(edges, &group);
            let Some(first) = cycle.first() else { continue };
            let steps: Vec<String> = cycle.iter().copied().map(step).collect();
            let names = group.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            findings.push(Finding {
                file: first.file.clone(),
                line: first.line,
                problem: format!("the modules {names} depend on each other in a cycle: {}", steps.join(", ")),
                fix: "move what both sides need into a module below them".to_owned(),
            });
        }
    }
    findings
}

fn step(reference: &Reference) -> String {
    let name = |path: &ModulePath| path.join("::");
    format!("{} uses {} ({}:{})", name(&reference.from), name(&reference.to), reference.file.display(), reference.line)
}

/// Returns for each parent which of its modules uses which.
fn siblings(modules: &Modules) -> BTreeMap<ModulePath, Siblings> {
    let mut siblings: BTreeMap<ModulePath, Siblings> = BTreeMap::new();
    for reference in modules.references() {
        let common = reference.from.iter().zip(&reference.to).take_while(|(from, to)| from == to).count();
        let (Some(from), Some(to)) = (reference.from.get(common), reference.to.get(common)) else { continue };
        let pair = (from.clone(), to.clone());
        let parent = reference.from.iter().take(common).cloned().collect();
        siblings.entry(parent).or_default().entry(pair).or_insert(reference);
    }
    siblings
}

/// Returns the groups of modules that reach each other.
fn cyclic_groups(edges: &Siblings) -> BTreeSet<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        edges.keys().map(|(from, _)| (from, reachable(edges, from))).collect();
    let reaches = |from: &String, to: &String| reach.get(from).is_some_and(|reached| reached.contains(to));
    let cyclic = reach.keys().filter(|module| reaches(module, module));
    let group = |module: &&String| {
        let others = reach.keys().filter(|other| reaches(module, other) && reaches(other, module));
        others.map(|other| (*other).clone()).collect()
    };
    cyclic.map(group).collect()
}

fn reachable<'a>(edges: &'a Siblings, from: &'a String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        let used = edges.keys().filter(|(from, _)| from == module).map(|(_, to)| to);
        next.extend(used.filter(|to| reached.insert(*to)));
    }
    reached
}

/// Returns a shortest cycle within a group.
fn shortest_cycle<'a>(edges: &'a Siblings, group: &BTreeSet<String>) -> Vec<&'a Reference> {
    let from_each = group.iter().filter_map(|start| cycle_through(edges, group, start));
    from_each.min_by_key(Vec::len).unwrap_or_default()
}

fn cycle_through<'a>(edges: &'a Siblings, group: &BTreeSet<String>, start: &str) -> Option<Vec<&'a Reference>> {
    let mut paths: Vec<(&str, Vec<&Reference>)> = vec![(start, Vec::new())];
    let mut seen = BTreeSet::new();
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for (at, path) in paths {
            for ((_, to), reference) in edges.iter().filter(|((from, to), _)| from == at && group.contains(to)) {
                let path: Vec<&Reference> = path.iter().copied().chain([reference]).collect();
                if to == start {
                    return Some(path);
                }
                if seen.insert(to.as_str()) {
                    longer.push((to.as_str(), path));
                }
            }
        }
        paths = longer;
    }
    None
}

fn layers(tree: &Tree, settings: &Settings, package: &Package) -> Vec<Finding> {
    let Some(layers) = settings.layers.get(&package.name) else { return Vec::new() };
    let Some(source) = package.main_source() else { return Vec::new() };
    let modules = Modules::read(tree, source);
    let layer_of = |name: &str| layers.iter().position(|layer| layer.iter().any(|module| module == name));
    let mut findings = Vec::new();
    for name in layers.iter().flatten().filter(|name| !modules.has(std::slice::from_ref(name))) {
        findings.push(Finding::of_settings(format!("{} has no module `{name}`", package.name)));
    }
    for name in modules.top_level().filter(|name| layer_of(name).is_none()) {
        findings.push(Finding {
            file: source.to_owned(),
            line: 1,
            problem: format!("the module `{name}` is in no layer"),
            fix: format!("add it to the layers of {} in {}", package.name, super::settings::FILE),
        });
    }
    let across = siblings(&modules).remove(&Vec::new()).unwrap_or_default();
    for ((from, to), reference) in across {
        if layer_of(&from).zip(layer_of(&to)).is_some_and(|(from, to)| from < to) {
            findings.push(Finding {
                file: reference.file,
                line: reference.line,
                problem: format!("the module `{from}` uses `{to}`, which is in a higher layer"),
                fix: "move what is needed down, or the caller up".to_owned(),
            });
        }
    }
    findings
}

/// Returns the layers of a package in the form of the settings: each module is just above the highest one that it uses.
pub fn suggestion(tree: &Tree, package: &Package) -> String {
    let Some(source) = package.main_source() else { return String::new() };
    let modules = Modules::read(tree, source);
    let edges = siblings(&modules).remove(&Vec::new()).unwrap_or_default();
    let names: Vec<&str> = modules.top_level().collect();
    let groups = cyclic_groups(&edges);
    // Modules that depend on each other are in one layer.
    let group_of = |name: &str| groups.iter().find(|group| group.contains(name));
    let mut height: BTreeMap<&str, usize> = names.iter().map(|name| (*name, 0)).collect();
    // As many rounds as modules settle all heights.
    for _ in &names {
        for (from, to) in edges.keys() {
            let together = group_of(from).is_some_and(|group| group.contains(to));
            let above = height.get(to.as_str()).map_or(0, |height| height + usize::from(!together));
            if let Some(own) = height.get_mut(from.as_str()) {
                *own = (*own).max(above);
            }
        }
    }
    let mut text = format!("\"{}\" = [\n", package.name);
    for layer in 0..=height.values().copied().max().unwrap_or_default() {
        let members: Vec<String> =
            height.iter().filter(|(_, own)| **own == layer).map(|(name, _)| format!("\"{name}\"")).collect();
        if !members.is_empty() {
            text.push_str(&format!("  [{}],\n", members.join(", ")));
        }
    }
    text.push_str("]\n");
    text
}

impl Package {
    /// Returns the first file of its library, or of its program.
    fn main_source(&self) -> Option<&Path> {
        let of_kind = |kind: &str| self.targets.iter().find(|target| target.kind.iter().any(|own| own == kind));
        of_kind("lib").or_else(|| of_kind("bin")).map(|target: &super::tree::Target| target.source.as_path())
    }
}

/// Finds modules that use a crate or a module which [`Settings::modules`] does not allow them.
pub fn restricted(tree: &Tree, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &settings.modules {
        let source = tree.packages.iter().find(|package| package.name == rule.package).and_then(Package::main_source);
        let modules = source.map(|source| Modules::read(tree, source)).unwrap_or_default();
        if !modules.has(std::slice::from_ref(&rule.module)) {
            findings.push(Finding::of_settings(format!("{} has no module `{}`", rule.package, rule.module)));
        }
        let is_inside = |path: &ModulePath| path.first() == Some(&rule.module);
        let mut refused = BTreeSet::new();
        let mut refuse = |file: PathBuf, line: usize, what: &str| {
            // The first place is enough to find the others.
            if !refused.insert(what.to_owned()) {
                return;
            }
            findings.push(Finding {
                file,
                line,
                problem: format!("the module `{}` may not use {what}", rule.module),
                fix: format!("it may use only {}; see {}", rule.uses.join(", "), super::settings::FILE),
            });
        };
        for external in modules.externals("peersync_").into_iter().filter(|external| is_inside(&external.from)) {
            if !rule.uses.contains(&external.name.replace('_', "-")) {
                refuse(external.file, external.line, &external.name);
            }
        }
        for reference in modules.references().into_iter().filter(|reference| is_inside(&reference.from)) {
            if let Some(used) = reference.to.first().filter(|used| **used != rule.module && !rule.uses.contains(used)) {
                refuse(reference.file, reference.line, &format!("`{used}`"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Cycle, Restriction};
    use super::super::tree::samples;
    use super::*;

    const CYCLE: &[(&str, &str)] = &[
        ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
        ("src/a.rs", "use crate::b;"),
        ("src/b.rs", "\nuse crate::c;"),
        ("src/c.rs", "use crate::a;"),
        ("src/d.rs", "use crate::a;"),
    ];

    fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|finding| format!("{}:{}", finding.file.display(), finding.line)).collect()
    }

    #[test]
    fn a_cycle_of_modules_is_reported_once_with_its_steps() {
        let findings = check(&samples::tree(CYCLE), &Settings::default());
        assert_eq!(lines(&findings), ["src/a.rs:1"]);
        let steps = "a uses b (src/a.rs:1), b uses c (src/b.rs:2), c uses a (src/c.rs:1)";
        assert!(findings.iter().all(|finding| finding.problem.ends_with(steps)), "{findings:?}");
    }

    #[test]
    fn a_cycle_among_the_files_of_a_folder_is_reported() {
        let findings = check(
            &samples::tree(&[
                ("src/lib.rs", "mod a;"),
                ("src/a.rs", "mod b; mod c;"),
                ("src/a/b.rs", "use super::c;"),
                ("src/a/c.rs", "use crate::a::b;"),
            ]),
            &Settings::default(),
        );
        assert_eq!(lines(&findings), ["src/a/b.rs:1"]);
    }

    #[test]
    fn an_allowed_cycle_may_not_grow() {
        let cycle = |modules: &[&str]| Settings {
            cycles: vec![Cycle {
                package: "sample".to_owned(),
                modules: modules.iter().map(|module| (*module).to_owned()).collect(),
                reason: String::new(),
            }],
            ..Settings::default()
        };
        let tree = samples::tree(CYCLE);
        assert!(check(&tree, &cycle(&["a", "b", "c"])).is_empty());
        assert_eq!(check(&tree, &cycle(&["a", "b"])).len(), 1);
    }

    fn layered(layers: &[&[&str]]) -> Settings {
        let layers = layers.iter().map(|layer| layer.iter().map(|module| (*module).to_owned()).collect()).collect();
        Settings { layers: [("sample".to_owned(), layers)].into(), ..Settings::default() }
    }

    #[test]
    fn a_module_uses_its_own_and_lower_layers() {
        let tree = samples::tree(&[
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a.rs", ""),
            ("src/b.rs", "use crate::{a, c};"),
            ("src/c.rs", "mod d;"),
            ("src/c/d.rs", "use crate::a;"),
        ]);
        assert!(check(&tree, &layered(&[&["a"], &["b", "c"]])).is_empty());
        assert_eq!(lines(&check(&tree, &layered(&[&["a"], &["b"], &["c"]]))), ["src/b.rs:1"]);
        assert_eq!(lines(&check(&tree, &layered(&[&["c"], &["a", "b"]]))), ["src/c/d.rs:1"]);
    }

    #[test]
    fn layers_list_every_module_and_no_other() {
        let tree = samples::tree(&[("src/lib.rs", "mod a; mod b;"), ("src/a.rs", ""), ("src/b.rs", "")]);
        let findings = check(&tree, &layered(&[&["a", "z"]]));
        let problems: Vec<&str> = findings.iter().map(|finding| finding.problem.as_str()).collect();
        assert_eq!(problems, ["sample has no module `z`", "the module `b` is in no layer"]);
    }

    #[test]
    fn suggested_layers_follow_the_imports() {
        let tree = samples::tree(&[
            ("src/lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
            ("src/a.rs", "use crate::{b, d};"),
            ("src/b.rs", ""),
            ("src/c.rs", ""),
            ("src/d.rs", "use crate::{b, e};"),
            ("src/e.rs", "use crate::d;"),
        ]);
        let suggested = tree.packages.iter().map(|package| suggestion(&tree, package)).collect::<String>();
        assert_eq!(suggested, "\"sample\" = [\n  [\"b\", \"c\"],\n  [\"d\", \"e\"],\n  [\"a\"],\n]\n");
    }

    #[test]
    fn a_restricted_module_uses_only_what_is_listed() {
        let tree = samples::tree(&[
            ("src/lib.rs", "mod report; mod other;"),
            ("src/report.rs", "use peersync_engine::Plan;\nuse peersync_aws::Clients;\nuse crate::other;"),
            ("src/other.rs", "use peersync_aws::Clients;"),
        ]);
        let rule = Restriction {
            package: "sample".to_owned(),
            module: "report".to_owned(),
            uses: vec!["peersync-engine".to_owned()],
        };
        let findings = restricted(&tree, &Settings { modules: vec![rule], ..Settings::default() });
        assert_eq!(lines(&findings), ["src/report.rs:2", "src/report.rs:3"]);
    }
}
