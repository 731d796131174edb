//! The OpenAPI document, generated from the handlers and their types.

use utoipa::OpenApi;
use utoipa::openapi::PathItem;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

use crate::routes::{Paths, routes};
use crate::session::SESSION_COOKIE;
use crate::types::ErrorBody;

/// Everything in the document that belongs to no route.
#[derive(OpenApi)]
#[openapi(
    info(title = "PeerSync", description = "Accounts, friends, rooms and tickets of a PeerSync stack."),
    servers((url = "/api")),
    components(schemas(ErrorBody))
)]
struct Document;

/// Returns the document.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(Paths::openapi());
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE.secure)));
    document.components.get_or_insert_default().add_security_scheme("session", cookie);
    for (path, item) in &mut document.paths.paths {
        name_operations(path, item);
    }
    document
}

/// Gives each operation an id of its own, such as `deleteFriendsEmail`, and tags it with the function that serves it.
fn name_operations(path: &str, item: &mut PathItem) {
    let operations =
        [("get", &mut item.get), ("post", &mut item.post), ("patch", &mut item.patch), ("delete", &mut item.delete)];
    let function = routes().iter().find(|route| route.path == path).map(|route| route.function.to_owned());
    for (method, operation) in operations {
        if let Some(operation) = operation {
            operation.operation_id = Some(operation_id(method, path));
            operation.tags = function.clone().map(|function| vec![function]);
        }
    }
}

fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(method.to_owned(), |mut id, word| {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
        id
    })
}

/// Returns the document as it is published in `assets/openapi.json`.
///
/// # Errors
/// None is known; the serializer's signature has one.
pub fn document_json() -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&document())?;
    text.push('\n');
    Ok(text)
}
