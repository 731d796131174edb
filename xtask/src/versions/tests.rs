#![allow(clippy::unwrap_used, reason = "a panic here fails the test")]

use super::advisories::Snapshot;
use super::pins::Pins;
use super::*;

fn package(name: &str, version: &str) -> Package {
    Package { name: name.to_owned(), version: version.parse().unwrap() }
}

/// The warnings of the snapshot in the repository.
fn warnings(name: &str, version: &str) -> Vec<String> {
    Snapshot::read().unwrap().warnings(&[package(name, version)])
}

#[test]
fn locked_and_pinned_versions_have_no_advisory() {
    assert_eq!(findings().unwrap(), [] as [String; 0]);
}

#[test]
fn version_that_an_advisory_warns_of_is_found() {
    for (name, bad, good, id) in [
        ("h2", "0.4.3", "0.4.20", "RUSTSEC-2024-0332"),
        ("h2", "0.3.25", "0.4.20", "RUSTSEC-2024-0332"),
        ("rustls", "0.23.4", "0.23.46", "RUSTSEC-2024-0336"),
        ("ring", "0.17.11", "0.17.14", "RUSTSEC-2025-0009"),
        ("tokio", "1.38.0", "1.54.1", "RUSTSEC-2025-0023"),
    ] {
        let found = warnings(name, bad);
        assert!(found.iter().any(|warning| warning.contains(id)), "{name} {bad}: {found:?}");
        assert_eq!(warnings(name, good), [] as [String; 0], "{name} {good}");
    }
    assert_eq!(warnings("peersync-no-such-crate", "0.1.0"), [] as [String; 0]);
}

#[test]
fn packages_come_from_the_lock_file() {
    let lock = "version = 4\n[[package]]\nname = \"h2\"\nversion = \"0.4.3\"\nsource = \"registry\"\n";
    assert_eq!(packages(lock, "Cargo.lock").unwrap(), [package("h2", "0.4.3")]);
    assert!(packages("[[package]]\nname = \"h2\"", "Cargo.lock").is_err());
}

const PIN: &str = r#"
[[pin]]
name = "cloudflared"
place = { crate = "cloudflared" }
first_safe = "2026.8.0"
first_safe_released = "2026-08-12"
advisory = "CVE-2025-59530"
"#;

#[test]
fn pin_that_is_older_than_its_advisory_is_found() {
    let of =
        |text: &str, version: &str| Pins::parse(text).unwrap().findings(&[package("cloudflared", version)]).unwrap();
    assert_eq!(of(PIN, "2025.6.0"), ["cloudflared 2025.6.0 is older than 2026.8.0 of 2026-08-12: CVE-2025-59530"]);
    assert_eq!(of(PIN, "2026.8.0"), [] as [String; 0]);
    assert_eq!(of(PIN, "2026.10.0"), [] as [String; 0], "by number, not by letter");
    let accepted = format!("{PIN}[pin.accepted]\nversion = \"2026.7.3\"\nreason = \"only here\"\n");
    assert_eq!(of(&accepted, "2026.7.3"), [] as [String; 0]);
    assert_eq!(of(&accepted, "2026.7.2").len(), 1, "a reason is for one version");
}

#[test]
fn pin_that_is_not_where_the_list_says_is_an_error() {
    assert!(Pins::parse(PIN).unwrap().findings(&[]).is_err());
    let file = PIN.replace("crate = \"cloudflared\"", "file = \"xtask/pins.toml\", before = \"no such text\"");
    assert!(Pins::parse(&file).unwrap().findings(&[]).is_err());
}
