#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use std::fs;

use super::*;

const TABLE: &str =
    "mod block;\nmod room;\n\nmacro_rules! routes {\n}\n\nroutes! {\n    friends: block;\n    rooms: room;\n}\n";

#[test]
fn a_route_is_written_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    for path in ["crates/api/src/routes", "crates/api/tests/api"] {
        fs::create_dir_all(folder.path().join(path)).unwrap();
    }
    fs::write(folder.path().join(ROUTES), TABLE).unwrap();
    fs::write(folder.path().join(TESTS), "mod friends;\nmod rooms;\n").unwrap();
    let new = |function: &str, name: Option<&str>| NewRoute {
        method: Method::Delete,
        path: "/report/{id}".to_owned(),
        function: function.to_owned(),
        name: name.map(str::to_owned),
        root: Some(folder.path().to_owned()),
    };
    let unknown = new("nobody", None).run().unwrap_err().to_string();
    assert!(unknown.contains("it has friends, rooms"), "{unknown}");
    assert_eq!(read(ROUTES), TABLE);
    new("friends", None).run().unwrap();
    let expected = TABLE
        .replace("mod block;\n", "mod block;\nmod report;\n")
        .replace("friends: block;", "friends: block, report;");
    assert_eq!(read(ROUTES), expected);
    assert_eq!(read(TESTS), "mod friends;\nmod report;\nmod rooms;\n");
    let route = read("crates/api/src/routes/report.rs");
    assert!(route.starts_with("//! `DELETE /report/{id}`: ") && !route.contains("{{"), "{route}");
    assert!(
        route.contains("    delete, path = \"/report/{id}\", security") && route.contains("let Ok(Path(_id)) = path")
    );
    assert!(read("crates/api/tests/api/report.rs").contains("Method::DELETE, \"/report/id\", None"));
    assert!(new("friends", None).run().unwrap_err().to_string().contains("exists: choose"));
    assert!(new("friends", Some("delete_report")).run().is_ok());
}

#[test]
fn a_long_line_of_the_table_is_broken() {
    let long = format!("\nroutes! {{\n    rooms: {};\n}}\n", "a".repeat(105));
    let table = in_table(&long, "rooms", "report").unwrap();
    assert!(table.ends_with("a,\n        report;\n}\n"), "{table}");
}

#[test]
fn paths_have_the_form_of_the_table() {
    assert!(path("/room/{id}").is_ok() && path("/create-room").is_ok());
    for wrong in ["room", "/", "/room/", "/api", "/api/room", "/Room", "/room/{id", "/{}"] {
        assert!(path(wrong).is_err(), "{wrong}");
    }
    assert_eq!(name_of("/send-friend-request/{email}/now"), "send_friend_request_now");
}
