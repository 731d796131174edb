//! A new route of the API.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{Edit, fill, insert, snake_case};
use crate::error::Error;
use crate::workspace::root;

const TEMPLATE: &str = include_str!("../../templates/route.rs.txt");
const TEST: &str = include_str!("../../templates/route_test.rs.txt");
/// The table of routes.
const ROUTES: &str = "crates/api/src/routes.rs";
/// The first file of the API's tests.
const TESTS: &str = "crates/api/tests/api/main.rs";
/// The maximum length of a line.
const COLUMNS: usize = 120;

/// A new route of the API.
#[derive(clap::Args)]
pub struct NewRoute {
    /// Its method.
    #[arg(ignore_case = true)]
    method: Method,
    /// Its path without `/api`, such as `/room/{id}`.
    #[arg(value_parser = path)]
    path: String,
    /// The function that serves it, as the table of routes names it.
    #[arg(long)]
    function: String,
    /// The name of its files; by default the words of its path.
    #[arg(long, value_parser = snake_case)]
    name: Option<String>,
    /// The checkout to write to.
    #[arg(long, value_name = "FOLDER", hide = true)]
    root: Option<PathBuf>,
}

/// The methods that routes have.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Method {
    /// Reads.
    Get,
    /// Creates, or does something.
    Post,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Patch)
    }
}

impl NewRoute {
    /// Writes the route, its test and their lines in the lists.
    ///
    /// # Errors
    /// If the route exists, the function is unknown, or a list to add to is not found.
    pub fn run(&self) -> Result<(), Error> {
        let name = self.name.clone().unwrap_or_else(|| name_of(&self.path));
        let file = format!("crates/api/src/routes/{name}.rs");
        let test = format!("crates/api/tests/api/{name}.rs");
        let mut edit = Edit::new(&self.root.clone().unwrap_or_else(root));
        edit.create(&file, self.handler())?;
        edit.create(&test, self.test(&name))?;
        let mut unknown = None;
        edit.change(ROUTES, |text| {
            let text = insert::module(text, &name)?;
            let listed = in_table(&text, &self.function, &name);
            unknown = listed.is_none().then(|| functions(&text).join(", "));
            listed.or(Some(text))
        })?;
        if let Some(known) = unknown {
            return Err(Error::Missing(format!("no function `{}` in {ROUTES}; it has {known}", self.function)));
        }
        edit.change(TESTS, |text| insert::module(text, &name))?;
        edit.write(&self.left(&file, &test))
    }

    fn handler(&self) -> String {
        let parameters = parameters(&self.path);
        let has_parameters = !parameters.is_empty();
        let documented =
            parameters.iter().map(|name| format!("(\"{name}\" = String, Path, description = \"What it is.\")"));
        let params = documented.collect::<Vec<_>>().join(", ");
        let names = parameters.iter().map(|name| format!("_{name}")).collect::<Vec<_>>().join(", ");
        let (pattern, kind) = match parameters.len() {
            0 | 1 => (names, "String".to_owned()),
            count => (format!("({names})"), format!("({})", vec!["String"; count].join(", "))),
        };
        let arguments = if has_parameters {
            format!("\n    _: State,\n    _: SignedIn,\n    path: Result<Path<{kind}>, PathRejection>,\n")
        } else {
            "_: State, _: SignedIn".to_owned()
        };
        let imports = "use axum::extract::Path;\nuse axum::extract::rejection::PathRejection;\n";
        let body = format!("    let Ok(Path({pattern})) = path else {{ return Err(ApiError::no_route()) }};\n");
        let when = |text: String| if has_parameters { text } else { String::new() };
        fill(
            TEMPLATE,
            &[
                ("METHOD", self.method.name()),
                ("method", &self.method.name().to_ascii_lowercase()),
                ("path", &self.path),
                ("imports", &when(imports.to_owned())),
                ("errors", if has_parameters { "ApiError, ApiResult, Refusals" } else { "ApiResult, Refusals" }),
                ("params", &when(format!("\n    params({params}),"))),
                ("arguments", &arguments),
                ("body", &when(body)),
            ],
        )
    }

    fn test(&self, name: &str) -> String {
        let sample = self.path.replace(['{', '}'], "");
        let (imports, content) =
            if self.method.has_body() { ("use serde_json::json;\n", "Some(json!({}))") } else { ("", "None") };
        let values = [("name", name), ("sample", &sample), ("imports", imports), ("content", content)];
        fill(TEST, &[&values[..], &[("METHOD", self.method.name()), ("path", &self.path)]].concat())
    }

    fn left(&self, file: &str, test: &str) -> Vec<String> {
        [
            format!("{file}: the first line, the description, the answers, and what it does"),
            "crates/api/src/types.rs: the types of the request and the answer, if they have a body".to_owned(),
            "crates/api/src/limits.rs: a limit for each caller, if it writes, sends or searches".to_owned(),
            "crates/server/src/access.rs: new calls to the tables, if it makes any".to_owned(),
            format!("crates/api/tests/api/roles.rs: a call of the route in the test of `{}`", self.function),
            format!("{test}: what must hold for it; crates/api/tests/api/requests.rs: invalid requests"),
            "assets/openapi.json: PEERSYNC_WRITE=1 cargo test --release -p peersync-deploy -p peersync-api --test api \
             document"
                .to_owned(),
            "assets/js/api.js: the call, if a page makes it".to_owned(),
            "cargo test --release -p peersync-deploy -p peersync-api; cargo xtask tidy".to_owned(),
        ]
        .into()
    }
}

/// Checks the form of a path.
fn path(path: &str) -> Result<String, String> {
    let word =
        |text: &str| text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    let segment = |segment: &str| {
        let name = segment.strip_prefix('{').map_or(Some(segment), |rest| rest.strip_suffix('}'));
        name.is_some_and(|name| !name.is_empty() && word(name))
    };
    match path.strip_prefix('/') {
        Some("api") => Err("leave out `/api`".to_owned()),
        Some(rest) if rest.starts_with("api/") => Err("leave out `/api`".to_owned()),
        Some(rest) if rest.split('/').all(segment) => Ok(path.to_owned()),
        _ => Err("write it in the form of `/room/{id}`".to_owned()),
    }
}

fn parameters(path: &str) -> Vec<String> {
    let segments = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    segments.map(|name| name.replace('-', "_")).collect()
}

fn name_of(path: &str) -> String {
    let words: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty() && !segment.starts_with('{')).collect();
    words.join("_").replace('-', "_")
}

/// Returns the functions of the table.
fn functions(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| *line != "routes! {").skip(1).take_while(|line| *line != "}");
    let entries = lines.filter_map(|line| line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')));
    entries.filter_map(|line| Some(line.split_once(':')?.0)).collect()
}

/// Adds a module to the entry of its function in the table; `None` if the function has no entry.
fn in_table(text: &str, function: &str, module: &str) -> Option<String> {
    let table = text.find("\nroutes! {\n")?;
    let start = table + text.get(table..)?.find(&format!("\n    {function}: "))?;
    let end = start + text.get(start..)?.find(';')?;
    let (before, after) = text.split_at_checked(end)?;
    let line = before.lines().last().unwrap_or_default();
    let space = if line.len() + module.len() + ", ;".len() > COLUMNS { "\n        " } else { " " };
    Some(format!("{before},{space}{module}{after}"))
}

#[cfg(test)]
mod tests;
