//! A small crate of the layout of the generated ones, trimmed to one of its two operations.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

use super::*;

const LIBRARY: &str = "//! Long.\n#![warn(missing_docs)]\npub use error_meta::Error;\npub mod client;\nmod error_meta;\nmod event_receiver;\n\
                       mod lens;\npub mod operation;\npub mod primitives;\nmod registry;\nmod serde_util;\npub mod types;\npub mod waiters;\n";
const CLIENT: &str = "pub struct Client;\n/// Waits.\npub trait Waiters {\n    /// A.\n    fn wait_a(&self) -> crate::waiters::a::A;\n\
                      \x20   /// B.\n    fn wait_b(&self) -> crate::waiters::b::B;\n}\nmod get;\nmod put;\n";
const ERROR: &str = "pub enum Error {\n    /// One.\n    One(crate::types::One),\n    /// Two.\n    Two(crate::types::Two),\n}\n\
                     impl Display for Error {\n    fn fmt(&self) {\n        match self {\n            Error::One(x) => x.fmt(f),\n\
                     \x20           Error::Two(x) => x.fmt(f),\n        }\n    }\n}\n\
                     impl From<crate::operation::get::GetError> for Error {\n}\nimpl From<crate::operation::put::PutError> for Error {\n}\n";
const REGISTRY: &str = "static REGISTRY: R = R::new(|| {\n    builder()\n.insert_shape(\n    crate::types::One::SCHEMA,\n)\n\
                        .insert_shape(\n    crate::types::Two::SCHEMA,\n)\n    .build()\n});\n";
const TYPES: &str = "pub use crate::types::_one::One;\n\npub use crate::types::_two::Two;\n\nmod _one;\n\nmod _two;\n";
const GET: &str =
    "pub struct Get;\npub struct GetError(crate::types::One);\nfn page() {\n    crate::lens::of_get();\n}\n";
const PUT: &str =
    "pub struct PutError(crate::types::Two);\npub struct PutOutput(crate::event_receiver::EventReceiver);\n";
const ONE: &str =
    "pub struct One;\nimpl One {\n    fn new() -> Private {}\n}\nstruct Private;\n#[cfg(test)]\nmod test {\n}\n";
const LENS: &str = "pub(crate) fn of_get() {\n}\npub(crate) fn of_put() {\n}\n";

fn sample() -> Sources {
    let files = [
        ("lib.rs", LIBRARY),
        ("client.rs", CLIENT),
        ("client/get.rs", "impl super::Client {\n}\n"),
        ("client/put.rs", "impl super::Client {\n}\n"),
        ("error_meta.rs", ERROR),
        ("event_receiver.rs", "pub struct EventReceiver;\n"),
        ("lens.rs", LENS),
        ("operation.rs", "pub use ::other::Id;\n\n/// Get.\npub mod get;\n\n/// Put.\npub mod put;\n"),
        ("operation/get.rs", GET),
        ("operation/put.rs", PUT),
        ("primitives.rs", "pub use crate::event_receiver::EventReceiver;\npub use ::other::Blob;\n"),
        ("registry.rs", REGISTRY),
        ("serde_util.rs", "pub(crate) fn of_two() {\n}\n"),
        ("types.rs", TYPES),
        ("types/_one.rs", ONE),
        ("types/_two.rs", "pub struct Two;\n"),
        ("waiters.rs", "pub mod a;\npub mod b;\nmod matchers;\n"),
        ("waiters/a.rs", "pub struct A(crate::operation::get::Get);\n"),
        ("waiters/b.rs", "pub struct B(crate::operation::put::PutError);\n"),
        ("waiters/matchers.rs", "pub(crate) fn of_b() {\n}\n"),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}

fn trimmed(operations: &[&str]) -> Result<Sources, Error> {
    let sources = sample();
    let operations = operations.iter().map(|name| (*name).to_owned()).collect();
    text::trimmed(&sources, &Reached::from(&sources, &operations)?)
}

#[test]
fn files_of_other_operations_are_left_out() {
    let files: Vec<String> = trimmed(&["get"]).unwrap().into_keys().collect();
    let expected = [
        "client.rs",
        "client/get.rs",
        "error_meta.rs",
        "lens.rs",
        "lib.rs",
        "operation.rs",
        "operation/get.rs",
        "primitives.rs",
        "registry.rs",
        "types.rs",
        "types/_one.rs",
        "waiters.rs",
        "waiters/a.rs",
    ];
    assert_eq!(files, expected);
}

#[test]
fn lists_have_only_what_is_kept() {
    let files = trimmed(&["get"]).unwrap();
    let of = |path: &str| files.get(path).unwrap().lines().skip(1).collect::<Vec<_>>().join("\n");
    let error = "pub enum Error {\n    /// One.\n    One(crate::types::One),\n}\nimpl Display for Error {\n    fn fmt(&self) {\n\
                 \x20       match self {\n            Error::One(x) => x.fmt(f),\n        }\n    }\n}\n\
                 impl From<crate::operation::get::GetError> for Error {\n}";
    assert_eq!(of("error_meta.rs"), error);
    let client = "pub struct Client;\n/// Waits.\npub trait Waiters {\n    /// A.\n    fn wait_a(&self) -> crate::waiters::a::A;\n\
                  }\nmod get;";
    assert_eq!(of("client.rs"), client);
    let registry = "static REGISTRY: R = R::new(|| {\n    builder()\n.insert_shape(\n    crate::types::One::SCHEMA,\n)\n    .build()\n});";
    assert_eq!(of("registry.rs"), registry);
    assert_eq!(of("types.rs"), "pub use crate::types::_one::One;\n\nmod _one;");
    assert_eq!(of("types/_one.rs"), "pub struct One;\nimpl One {\n    fn new() -> Private {}\n}\nstruct Private;");
    assert_eq!(of("lens.rs"), "pub(crate) fn of_get() {\n}");
    assert!(!of("lib.rs").contains("serde_util") && of("lib.rs").contains("mod lens;"), "{}", of("lib.rs"));
}

#[test]
fn event_streams_are_kept_with_the_operations_that_use_them() {
    let own = |files: &Sources| files.get("primitives.rs").unwrap().lines().skip(1).collect::<Vec<_>>().join("\n");
    let without = trimmed(&["get"]).unwrap();
    assert!(!without.contains_key("event_receiver.rs"));
    assert_eq!(own(&without), "pub use ::other::Blob;");
    let with = trimmed(&["put"]).unwrap();
    assert!(with.contains_key("event_receiver.rs"));
    assert_eq!(own(&with), "pub use crate::event_receiver::EventReceiver;\npub use ::other::Blob;");
}

#[test]
fn a_crate_that_is_written_again_keeps_the_dates_of_unchanged_files() {
    let folder = tempfile::tempdir().unwrap();
    let modified = |path: &str| folder.path().join(path).metadata().unwrap().modified().unwrap();
    let files =
        |texts: &[(&str, &str)]| texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    write(folder.path(), &files(&[("src/a.rs", "a"), ("src/b.rs", "b"), ("src/c/d.rs", "d")])).unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for path in ["src/a.rs", "src/b.rs"] {
        let file = fs::File::options().append(true).open(folder.path().join(path)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    write(folder.path(), &files(&[("src/a.rs", "a"), ("src/b.rs", "changed")])).unwrap();
    assert_eq!(modified("src/a.rs"), long_ago);
    assert_ne!(modified("src/b.rs"), long_ago);
    assert_eq!(fs::read_to_string(folder.path().join("src/b.rs")).unwrap(), "changed");
    assert!(!folder.path().join("src/c").exists());
}

#[test]
fn unknown_operations_are_refused() {
    assert!(trimmed(&["get", "got"]).is_err());
}
