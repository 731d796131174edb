//! EmailJS against recorded responses: the request that is sent, and how each response is handled.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use peersync_api::mail::{Language, Letter, Mailer};
use peersync_server::email_address::Email;
use peersync_server::secrets::{Secret, Secrets};
use peersync_server::settings::{EmailjsSettings, MailProvider, MailSettings};
use peersync_server::store::SignIn;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::site;

/// The responses of the service in order (<https://www.emailjs.com/docs/rest-api/send/>), and the requests it got.
struct Recorded {
    answers: Mutex<Vec<(u16, &'static str)>>,
    requests: Mutex<Vec<Value>>,
}

async fn endpoint(
    State(recorded): State<Arc<Recorded>>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    assert_eq!(headers["content-type"], "application/json");
    recorded.requests.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    let (status, text) = recorded.answers.lock().unwrap().remove(0);
    (StatusCode::from_u16(status).unwrap(), text)
}

async fn send(answers: &[(u16, &'static str)]) -> (bool, Vec<Value>) {
    let recorded = Arc::new(Recorded { answers: Mutex::new(answers.to_vec()), requests: Mutex::default() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/api/v1.0/email/send", listener.local_addr().unwrap());
    let app = Router::new().route("/api/v1.0/email/send", post(endpoint)).with_state(recorded.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let mail = MailSettings {
        provider: MailProvider::Emailjs,
        from: "you@example.org".to_owned(),
        emailjs: EmailjsSettings {
            url,
            service_id: "service_1".to_owned(),
            template_id: "template_1".to_owned(),
            public_key: "public".to_owned(),
        },
        ..MailSettings::default()
    };
    let secrets = Secrets { emailjs_private_key: Some(Secret::new("private")), ..Secrets::default() };
    let to = Email::parse("ada@example.org").unwrap();
    let letter = Letter::sign_in(Language::English, &site(), &to, &SignIn::random());
    let sent = Mailer::new(&mail, &secrets, None).send(&letter).await;
    server.abort();
    let requests = std::mem::take(&mut *recorded.requests.lock().unwrap());
    (sent, requests)
}

#[tokio::test]
async fn request_has_the_documented_form() {
    let (sent, requests) = send(&[(200, "OK")]).await;
    assert!(sent);
    let request = &requests[0];
    assert_eq!(
        (&request["service_id"], &request["template_id"], &request["user_id"], &request["accessToken"]),
        (&"service_1".into(), &"template_1".into(), &"public".into(), &"private".into())
    );
    let parameters = &request["template_params"];
    assert_eq!(parameters["to_email"], "ada@example.org");
    assert!(parameters["message"].as_str().unwrap().contains("/login.html#token="));
    assert!(parameters["message_html"].as_str().unwrap().starts_with("<!doctype html>"));
}

#[tokio::test]
async fn rejections_are_final_and_throttling_is_not() {
    for (status, text) in [
        (400, "The template ID not found. To find this ID, visit https://dashboard.emailjs.com/admin/templates"),
        (400, "The Public Key is invalid. To find this ID, visit https://dashboard.emailjs.com/admin/account"),
        (403, "API calls are disabled for non-browser applications"),
        (422, "The recipients address is empty"),
    ] {
        let (sent, requests) = send(&[(status, text)]).await;
        assert_eq!((sent, requests.len()), (false, 1), "{status}");
    }
    let (sent, requests) = send(&[(429, "Too Many Requests"), (503, ""), (200, "OK")]).await;
    assert_eq!((sent, requests.len()), (true, 3));
    let (sent, requests) = send(&[(500, ""), (500, ""), (500, "")]).await;
    assert_eq!((sent, requests.len()), (false, 3));
}
