//! What the walked stack would upload.

use std::sync::LazyLock;

use peersync_config::Architecture;
use peersync_resources::{Artifacts, Page, Program, Programs};
use peersync_server::routes::Route;

/// Small artifacts: the programs are never run. That of the API is an archive without files.
pub(super) static ARTIFACTS: LazyLock<Artifacts> = LazyLock::new(|| Artifacts {
    pages: vec![
        Page { key: "index.html", content: b"<!doctype html><title>PeerSync</title>" },
        Page { key: "js/api.js", content: b"export const api = 1;" },
    ],
    programs: vec![PROGRAMS],
    routes: [
        ("GET", "/friends", "friends"),
        ("DELETE", "/friends/{email}", "friends"),
        ("POST", "/signup", "signup"),
        ("GET", "/me", "login"),
        ("POST", "/room", "rooms"),
    ]
    .map(|(method, path, function)| Route { method, path: path.to_owned(), function })
    .into(),
});
const NONE: Programs = Programs::none(Architecture::X86_64);
const PROGRAMS: Programs = Programs {
    api: Program {
        elf_sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        package: b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        package_md5: "76cdb2bad9582d23c1f6f4d868218d6c",
        package_sha256: "hznHbmgfkAkjuQDJ3w73XPQh05yrtUZQxLmtGbanbYU=",
        ..NONE.api
    },
    signal: Program {
        elf_sha256: "1b55cf009f4e5a8bc649eced1d79d3bc6b4398a5800e3502293dbd46642e03fa",
        package: b"a signaling server",
        package_md5: "f4f4c788b6be2df60284135743009850",
        package_sha256: "G1XPAJ9OWovGSeztHXnTvGtDmKWADjUCKT29RmQuA/o=",
        ..NONE.signal
    },
    relay: Program {
        elf_sha256: "26072321aa04b5a61017137090a9dad64945df18d296a01902e28c1e1762203c",
        package: b"a relay",
        package_md5: "4d815d6cb1a0038b481f3d0935b8995b",
        package_sha256: "JgcjIaoEtaYQFxNwkKna1klF3xjSlqAZAuKMHhdiIDw=",
        ..NONE.relay
    },
    ..NONE
};
