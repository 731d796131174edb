//! Amazon SES v2 by its own client, against recorded responses: the request that it sends, and how it handles each
//! response.

use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::MessageParser;
use peersync_api::mail::{Language, Letter, Mailer};
use peersync_server::email_address::Email;
use peersync_server::secrets::Secrets;
use peersync_server::settings::{MailProvider, MailSettings};
use peersync_server::store::SignIn;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::site;

/// A response: the status, and the code if it is an error
/// (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>).
type Answer = (u16, &'static str);

/// The responses of the service in order, and the requests that it got.
struct Recorded {
    answers: Mutex<Vec<Answer>>,
    requests: Mutex<Vec<Value>>,
}

async fn endpoint(State(recorded): State<Arc<Recorded>>, headers: HeaderMap, body: String) -> Response {
    let signature = headers[header::AUTHORIZATION].to_str().unwrap();
    assert!(signature.contains("/eu-central-1/ses/aws4_request"), "{signature}");
    recorded.requests.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    let (status, code) = recorded.answers.lock().unwrap().remove(0);
    let status = StatusCode::from_u16(status).unwrap();
    if status.is_success() {
        return axum::Json(json!({ "MessageId": "0100" })).into_response();
    }
    (status, [("x-amzn-errortype", code)], json!({ "message": "ada@example.org is not verified" }).to_string())
        .into_response()
}

async fn send(answers: &[Answer]) -> (bool, Vec<Value>) {
    let recorded = Arc::new(Recorded { answers: Mutex::new(answers.to_vec()), requests: Mutex::default() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v2/email/outbound-emails", post(endpoint)).with_state(recorded.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let credentials = Credentials::new("test", "secret", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let from = "Calls <calls@example.org>".to_owned();
    let mail = MailSettings { provider: MailProvider::Ses, from, ..MailSettings::default() };
    let to = Email::parse("ada@example.org").unwrap();
    let letter = Letter::sign_in(Language::English, &site(), &to, &SignIn::random());
    let sent = Mailer::new(&mail, &Secrets::default(), Some(&config)).send(&letter).await;
    server.abort();
    let requests = std::mem::take(&mut *recorded.requests.lock().unwrap());
    (sent, requests)
}

#[tokio::test]
async fn raw_message_is_sent() {
    let (sent, requests) = send(&[(200, "")]).await;
    assert!(sent);
    let raw = STANDARD.decode(requests[0]["Content"]["Raw"]["Data"].as_str().unwrap()).unwrap();
    let message = MessageParser::default().parse(&raw).unwrap();
    let address = |address: Option<&mail_parser::Address<'_>>| {
        address.and_then(|list| list.first()).and_then(|one| one.address()).map(str::to_owned)
    };
    assert_eq!(address(message.from()).as_deref(), Some("calls@example.org"));
    assert_eq!(address(message.to()).as_deref(), Some("ada@example.org"));
    assert!(message.body_text(0).unwrap().contains("/login.html#token="));
    assert!(message.body_html(0).unwrap().contains("<!doctype html>"));
    assert!(message.message_id().is_some() && message.date().is_some());
}

#[tokio::test]
async fn rejections_are_final_and_throttling_is_not() {
    for code in ["MessageRejected", "MailFromDomainNotVerifiedException", "AccountSuspendedException"] {
        let (sent, requests) = send(&[(400, code)]).await;
        assert_eq!((sent, requests.len()), (false, 1), "{code}");
    }
    let (sent, requests) = send(&[(429, "TooManyRequestsException"), (500, "InternalFailure"), (200, "")]).await;
    assert_eq!((sent, requests.len()), (true, 3));
}
