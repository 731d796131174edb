//! Small artifacts: the programs are never run.

use std::sync::LazyLock;

use peersync_resources::{Artifacts, Page, Program};
use peersync_server::routes::Route;

pub(super) static ARTIFACTS: LazyLock<Artifacts> = LazyLock::new(|| {
    let route = |method, path: &str, function| Route { method, path: path.to_owned(), function };
    Artifacts {
        pages: vec![
            Page { key: "index.html", content: b"<!doctype html><title>PeerSync</title>" },
            Page { key: "js/api.js", content: b"export const api = 1;" },
        ],
        // An archive without files.
        api: Program {
            name: "api",
            elf: b"",
            elf_sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            package: b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            package_md5: "76cdb2bad9582d23c1f6f4d868218d6c",
            package_sha256: "hznHbmgfkAkjuQDJ3w73XPQh05yrtUZQxLmtGbanbYU=",
        },
        signal: Program {
            name: "signal",
            elf: b"a signaling server",
            elf_sha256: "1b55cf009f4e5a8bc649eced1d79d3bc6b4398a5800e3502293dbd46642e03fa",
            package: b"a signaling server",
            package_md5: "f4f4c788b6be2df60284135743009850",
            package_sha256: "G1XPAJ9OWovGSeztHXnTvGtDmKWADjUCKT29RmQuA/o=",
        },
        relay: Program {
            name: "relay",
            elf: b"a relay",
            elf_sha256: "26072321aa04b5a61017137090a9dad64945df18d296a01902e28c1e1762203c",
            package: b"a relay",
            package_md5: "4d815d6cb1a0038b481f3d0935b8995b",
            package_sha256: "JgcjIaoEtaYQFxNwkKna1klF3xjSlqAZAuKMHhdiIDw=",
        },
        routes: vec![
            route("GET", "/friends", "friends"),
            route("DELETE", "/friends/{email}", "friends"),
            route("POST", "/signup", "signup"),
            route("GET", "/me", "login"),
            route("POST", "/room", "rooms"),
        ],
    }
});
