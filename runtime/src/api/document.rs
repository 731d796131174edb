//! The OpenAPI document, made from the handlers and their types.

use std::collections::BTreeMap;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::routes;
use super::session::SESSION_COOKIE;
use super::types::ErrorBody;
use crate::routes::ROUTES;

/// The refusals that any route may answer with.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusal = |text: &str| {
            let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
            ResponseBuilder::new().description(text).content("application/json", body).build()
        };
        let refusals = [
            ("400", "The request is not JSON, or a field is missing or wrong."),
            ("403", "A page of somebody else's sent the request."),
            ("405", "The route does not know the method."),
            ("413", "The request is too large."),
            ("415", "The request is not JSON."),
            ("429", "Too often; `Retry-After` says when to try again."),
            ("503", "Something that the API needs is away."),
        ];
        let responses = refusals
            .into_iter()
            .fold(ResponsesBuilder::new(), |all, (status, text)| all.response(status, refusal(text)));
        responses.build().into()
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "PeerSync", description = "Accounts, friends, rooms and tickets of a PeerSync stack."),
    servers((url = "/api")),
    paths(
        routes::health::handle,
        routes::signup::handle,
        routes::login::handle,
        routes::verify::handle,
        routes::logout::handle,
        routes::me::show,
        routes::me::change,
        routes::me::remove,
        routes::users::handle,
        routes::send_friend_request::handle,
        routes::respond_friend_request::handle,
        routes::friends::list,
        routes::friends::remove,
        routes::friend_requests::handle,
        routes::block::handle,
        routes::create_room::handle,
        routes::room::handle,
        routes::ticket::handle,
    ),
    components(schemas(ErrorBody)),
    modifiers(&SessionCookie, &Operations)
)]
struct Document;

struct SessionCookie;

impl Modify for SessionCookie {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE)));
        document.components.get_or_insert_with(Default::default).add_security_scheme("session", cookie);
    }
}

/// Gives each operation an id of its own, `deleteFriendsEmail`, and the name of the function that serves it as its tag.
struct Operations;

impl Modify for Operations {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let operations = [
                ("get", &mut item.get),
                ("post", &mut item.post),
                ("patch", &mut item.patch),
                ("delete", &mut item.delete),
            ];
            let function = ROUTES.iter().find(|route| route.path == path).map(|route| route.function.to_owned());
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    operation.operation_id = Some(operation_id(method, path));
                    operation.tags = function.clone().map(|function| vec![function]);
                }
            }
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

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document as it is published, `assets/openapi.json`.
///
/// # Errors
/// None is known; the serializer has one.
pub fn document_json() -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&document())?;
    text.push('\n');
    Ok(text)
}
