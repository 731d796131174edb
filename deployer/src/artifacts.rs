//! What a stack is filled with: the pages, the server programs, and the routes of the API.
//!
//! The build script puts the pages into this program, and into a release the server programs too. A development build
//! builds those when a command first needs them, because `local` needs none and their build would delay its first page.

#[cfg(test)]
mod compact;
mod development;
mod needs;
mod package;

use std::path::Path;
use std::sync::{LazyLock, OnceLock};

use include_dir::{Dir, File, include_dir};
use peersync_config::Architecture;
use peersync_engine::ResourceError;
use peersync_resources::pages::{CONFIG_KEY, Site};
use peersync_resources::{Artifacts, Page, Program, Programs};

/// Everything below `assets/`, as the build has compacted it.
static ASSETS: Dir<'static> = include_dir!("$OUT_DIR/site");

/// Where the server programs are.
enum Source {
    /// Inside this program, which is a release.
    #[allow(dead_code, reason = "the build script chooses one of the two")]
    Embedded(&'static [[Program; 3]]),
    /// Built on demand from the checkout in this folder.
    #[allow(dead_code, reason = "the build script chooses one of the two")]
    Development(&'static str),
}

static SOURCE: Source = include!(concat!(env!("OUT_DIR"), "/programs.rs"));

/// Returns the server programs, for each architecture for which there are some: those that a release carries. A development
/// build has them for this computer alone, and first builds those that are missing or older than their sources, after it
/// has called `building`; that takes up to a minute.
///
/// # Errors
/// A development build cannot build or read them.
pub fn programs(building: impl FnOnce()) -> Result<Vec<Programs>, ResourceError> {
    match &SOURCE {
        Source::Embedded(programs) => {
            Ok(programs.iter().map(|[api, signal, relay]| Programs::new(*api, *signal, *relay)).collect())
        }
        Source::Development(workspace) => Ok(vec![development::programs(Path::new(workspace), building)?]),
    }
}

/// Returns all that a stack is filled with. [`programs`] says what `building` is for.
///
/// # Errors
/// As [`programs`].
pub fn all(building: impl FnOnce()) -> Result<&'static Artifacts, ResourceError> {
    static ALL: OnceLock<Artifacts> = OnceLock::new();
    if let Some(all) = ALL.get() {
        return Ok(all);
    }
    let programs = programs(building)?;
    Ok(ALL.get_or_init(|| Artifacts { pages: pages(), programs, routes: peersync_api::routes().to_vec() }))
}

/// Returns all that a stack in an emulator on this computer is filled with, and the architecture of the programs that the
/// emulator can run. It runs no host, so that any programs will do for that. [`programs`] says what `building` is for.
///
/// # Errors
/// As [`programs`].
pub fn for_this_computer(building: impl FnOnce()) -> Result<(&'static Artifacts, Architecture), ResourceError> {
    static OWN: OnceLock<(Artifacts, Architecture)> = OnceLock::new();
    let Artifacts { pages, programs, routes } = all(building)?;
    let architecture = Architecture::of_this_computer().unwrap_or_default();
    let (artifacts, architecture) = OWN.get_or_init(|| {
        let own = programs.iter().find(|one| one.architecture == architecture).or(programs.first()).copied();
        let own = own.unwrap_or_else(|| Programs::none(architecture));
        let other = |other| programs.iter().find(|one| one.architecture == other).copied().unwrap_or(own);
        let each = Architecture::ALL.map(|architecture| Programs { architecture, ..other(architecture) });
        (Artifacts { pages: pages.clone(), programs: each.into(), routes: routes.clone() }, own.architecture)
    });
    Ok((artifacts, *architecture))
}

/// Returns what is enough to find and remove a stack: everything but the content of the server programs.
pub fn without_programs() -> &'static Artifacts {
    static WITHOUT: LazyLock<Artifacts> =
        LazyLock::new(|| Artifacts { pages: pages(), programs: Vec::new(), routes: peersync_api::routes().to_vec() });
    &WITHOUT
}

/// Returns the carried file of that key.
pub fn page(key: &str) -> Option<Page> {
    ASSETS.get_file(key).and_then(published_file)
}

/// Returns the carried pages as they are published.
pub fn site() -> &'static Site {
    static SITE: LazyLock<Site> = LazyLock::new(|| Site::new(&pages()));
    &SITE
}

fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    collect(&ASSETS, &mut pages);
    pages.sort_by_key(|page| page.key);
    pages
}

fn collect(folder: &'static Dir<'static>, pages: &mut Vec<Page>) {
    pages.extend(folder.files().filter_map(published_file));
    folder.dirs().for_each(|folder| collect(folder, pages));
}

fn published_file(file: &'static File<'static>) -> Option<Page> {
    published(file.path()).map(|key| Page { key, content: file.contents() })
}

/// Returns the key of a file; `None` for what lies among the assets and is not meant for anybody: hidden files, files of
/// editors, notes, and a `config.json` of a developer's own.
fn published(path: &Path) -> Option<&str> {
    const INTERNAL: &[&str] = &[".md", ".map", ".ts", "~", ".orig", ".swp"];
    let key = path.to_str()?;
    let hidden = key.split('/').any(|part| part.starts_with('.') || part.starts_with('_'));
    let internal = INTERNAL.iter().any(|ending| key.ends_with(ending)) || key == CONFIG_KEY;
    (!hidden && !internal).then_some(key)
}

/// Returns a stack in account 123456789012 and eu-central-1, at an endpoint that does not answer.
#[cfg(test)]
pub(crate) async fn stack_for_tests(config: peersync_config::Config) -> std::sync::Arc<peersync_resources::Stack> {
    let options = peersync_aws::ConnectOptions {
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        ..Default::default()
    };
    let clients = peersync_aws::Clients::connect(&options).await.expect("a region and an endpoint are enough");
    let account = "123456789012".to_owned();
    let arn = format!("arn:aws:iam::{account}:user/test");
    let identity = peersync_aws::Identity { account, arn, partition: "aws".to_owned() };
    std::sync::Arc::new(peersync_resources::Stack::new(config, clients, identity, without_programs()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use peersync_config::{Config, StageName};
    use peersync_engine::diff::DIGEST_TAG;
    use peersync_engine::{Address, Outputs, Tags, digest};
    use peersync_resources::{catalog, kinds::api_stage, kinds::s3_objects};

    use super::*;

    #[test]
    fn routes_with_a_share_of_the_gateways_rate_need_no_session() {
        let document = page("openapi.json").unwrap();
        let document: serde_json::Value = serde_json::from_slice(document.content).unwrap();
        for (method, path, _) in api_stage::SHARES {
            let operation = &document["paths"][path][method.to_lowercase()];
            assert!(operation.is_object() && operation["security"].is_null(), "{method} {path}: {operation}");
        }
    }

    #[test]
    fn the_pages_of_the_product_are_embedded_and_nothing_hidden() {
        let keys: Vec<&str> = pages().iter().map(|page| page.key).collect();
        for key in ["index.html", "signup.html", "login.html", "home.html", "main.js", "style.css", "sailbeach.png"] {
            assert!(keys.contains(&key), "{key} is missing among {keys:?}");
        }
        assert!(keys.iter().all(|key| !key.starts_with('.') && !key.contains("/.") && !key.ends_with(".md")));
        assert_eq!(page("index.html").map(|page| page.key), Some("index.html"));
        assert!(page("no-such-file").is_none());
    }

    #[test]
    fn internal_files_are_not_published() {
        for path in [
            ".gitignore",
            "js/.hidden/x.js",
            "README.md",
            "js/api.ts",
            "style.css.map",
            "_drafts/a.html",
            "config.json",
        ] {
            assert_eq!(published(Path::new(path)), None, "{path}");
        }
        assert_eq!(published(Path::new("js/api.js")), Some("js/api.js"));
    }

    /// S3 allows 2 KB of metadata for an object, names included: the digest of all pages is kept there.
    #[tokio::test]
    async fn digest_of_all_pages_fits_into_the_metadata_of_an_object() {
        let stage = "a".repeat(20).parse::<StageName>().expect("a stage's longest name").to_string();
        let stack = stack_for_tests(Config { stage, ..Config::default() }).await;
        let graph = catalog::graph(&stack).expect("the graph has no cycle");
        let objects = graph.resource(&s3_objects::address()).expect("the pages are a resource");
        let fields = objects.desired(&Outputs::default());
        let names: BTreeSet<String> = fields.keys().map(|name| digest::name_hash(name)).collect();
        assert_eq!(names.len(), fields.len(), "two pages look the same in the digest: rename one");
        let digest = digest::encode(&fields).expect("no field is unknown");
        let tags = Tags::from([(DIGEST_TAG.to_owned(), digest)]);
        let release = s3_objects::RELEASE_METADATA.len() + site().release().len();
        let size = s3_objects::TAGS_METADATA.len() + s3_objects::encoded(&tags).len() + release;
        assert!(size <= 2 * 1024, "{size} bytes");
    }

    /// Parameter Store allows 4,096 characters in a parameter without charges: the digests of what has no tags are kept
    /// there.
    #[tokio::test]
    async fn digests_of_what_cannot_carry_tags_fit_into_a_parameter() {
        let stage = "a".repeat(20).parse::<StageName>().expect("a stage's longest name").to_string();
        let stack = stack_for_tests(Config { stage, ..Config::default() }).await;
        let graph = catalog::graph(&stack).expect("the graph has no cycle");
        let resources = graph.order().iter().filter_map(|address| graph.resource(address));
        let untagged = resources.filter(|one| !one.taggable() && *one.address() != s3_objects::address());
        let entry = |address: &Address, fields: usize| {
            let digest = "x".repeat(digest::length(fields));
            format!("\"{address}\":\"{digest}\",").len()
        };
        let sizes: Vec<usize> =
            untagged.map(|one| entry(one.address(), one.desired(&Outputs::default()).len())).collect();
        let size: usize = sizes.iter().sum();
        assert!(sizes.len() > 10 && size < 4_096, "{size} characters for {} digests", sizes.len());
    }
}
