//! The direction of dependencies between the packages of the workspace.

use super::Finding;
use super::settings::{FILE, Settings};
use super::tree::{Package, Tree};

/// Finds dependencies that [`Settings::packages`] does not allow. Tests may depend on any package.
pub fn check(tree: &Tree, settings: &Settings) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        tree.packages.iter().flat_map(|package| of_package(tree, settings, package)).collect();
    let unknown = settings.packages.keys().filter(|name| !tree.packages.iter().any(|package| package.name == **name));
    findings.extend(unknown.map(|name| Finding::of_settings(format!("the workspace has no package `{name}`"))));
    findings
}

fn of_package(tree: &Tree, settings: &Settings, package: &Package) -> Vec<Finding> {
    let Some(direction) = settings.packages.get(&package.name) else {
        return vec![Finding {
            file: package.manifest.clone(),
            line: 1,
            problem: format!("no setting says what {} may depend on", package.name),
            fix: format!("add it to the packages of {FILE}"),
        }];
    };
    let is_ours = |name: &str| tree.packages.iter().any(|package| package.name == name);
    let lasting = package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
    let refused = lasting.filter(|dependency| {
        let listed = direction.uses.contains(&dependency.name);
        let never = direction.never.iter().any(|start| dependency.name.starts_with(start.as_str()));
        never || (is_ours(&dependency.name) && !listed)
    });
    let finding = |name: &String| Finding {
        file: package.manifest.clone(),
        line: line_of(tree, package, name),
        problem: format!("{} may not depend on {name}", package.name),
        fix: format!("move the code that needs it up, or the needed code down; {FILE} has the direction"),
    };
    refused.map(|dependency| finding(&dependency.name)).collect()
}

fn line_of(tree: &Tree, package: &Package, dependency: &str) -> usize {
    let manifest = tree.files.get(&package.manifest).map(String::as_str).unwrap_or_default();
    manifest.lines().position(|line| line.starts_with(dependency)).map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::super::settings::Direction;
    use super::super::tree::samples::{package, tree};
    use super::*;

    #[test]
    fn only_listed_packages_of_the_workspace_are_depended_on() {
        let mut tree =
            tree(&[("top/Cargo.toml", "[dependencies]\nserde = \"1\"\nbottom = { path = \"../bottom\" }\n")]);
        tree.packages = vec![
            package("bottom", &[("serde", None), ("top", Some("dev")), ("aws-config", None)]),
            package("top", &[("serde", None), ("bottom", None)]),
        ];
        let direction = |uses: &[&str], never: &[&str]| Direction {
            uses: uses.iter().map(|name| (*name).to_owned()).collect(),
            never: never.iter().map(|name| (*name).to_owned()).collect(),
        };
        let settings = |uses: &[&str], never: &[&str]| Settings {
            packages: [("bottom".to_owned(), direction(&[], never)), ("top".to_owned(), direction(uses, &[]))].into(),
            ..Settings::default()
        };
        let problems = |settings: &Settings| {
            check(&tree, settings).into_iter().map(|finding| (finding.line, finding.problem)).collect::<Vec<_>>()
        };
        assert!(problems(&settings(&["bottom"], &[])).is_empty());
        assert_eq!(problems(&settings(&[], &[])), [(3, "top may not depend on bottom".to_owned())]);
        assert_eq!(
            problems(&settings(&["bottom"], &["aws-"])),
            [(1, "bottom may not depend on aws-config".to_owned())]
        );
    }

    #[test]
    fn every_package_is_listed() {
        assert_eq!(check(&tree(&[]), &Settings::default()).len(), 1);
    }
}
