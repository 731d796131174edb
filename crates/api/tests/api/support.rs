//! A complete API with its own database, clock and mailbox, and browsers that use it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures::future::BoxFuture;
use peersync_api::mail::{Carrier, Letter, MailError, Mailer};
use peersync_api::{Limit, Limits, SecretSource, SourceAddress, State, router};
use peersync_server::clock::Clock;
use peersync_server::email_address::Email;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use peersync_server::settings::Settings;
use peersync_server::site::Site;
use peersync_server::store::{Session, Store};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::calls::Calls;

pub const SITE: &str = "https://call.example";
pub const ORIGIN_KEY: &str = "edge-key";
pub const NOW: i64 = 1_800_000_000;

/// A carrier that keeps letters instead of sending them.
#[derive(Default)]
pub struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    broken: Mutex<bool>,
}

impl Mailbox {
    pub fn break_down(&self) {
        *self.broken.lock().unwrap() = true;
    }

    pub fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut self.letters.lock().unwrap())
    }

    /// Takes the letters, of which there must be exactly one.
    pub fn only(&self) -> Letter {
        let mut letters = self.take();
        assert_eq!(letters.len(), 1, "{letters:?}");
        letters.remove(0)
    }
}

impl Carrier for Mailbox {
    fn name(&self) -> &'static str {
        "mailbox"
    }

    fn carry<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailError>> {
        let answer = if *self.broken.lock().unwrap() {
            Err(MailError::Final("broken".to_owned()))
        } else {
            self.letters.lock().unwrap().push(letter.clone());
            Ok(())
        };
        Box::pin(async move { answer })
    }
}

/// The value after `name=` in a link of a letter.
pub fn in_link(letter: &Letter, name: &str) -> String {
    let rest = letter.text.split(&format!("{name}=")).nth(1).expect("the letter has no such link");
    rest.split(['\n', '&', ' ']).next().unwrap().to_owned()
}

/// The code of a letter: six digits, or twelve in groups.
pub fn code_in(letter: &Letter) -> String {
    let mut lines = letter.text.lines().map(|line| line.replace(' ', ""));
    let code = lines.find(|line| [6, 12].contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit()));
    code.expect("the letter has no code")
}

pub struct World {
    pub state: State,
    pub router: Router,
    pub client: Client,
    pub clock: Clock,
    pub mailbox: Arc<Mailbox>,
    pub calls: Calls,
}

pub fn settings() -> Settings {
    Settings::from_variables(|name| {
        let value = match name {
            "PEERSYNC_STACK" => "peersync-test",
            "PEERSYNC_STAGE" => "test",
            "SITE_URL" => SITE,
            "SIGNAL_URL" => "wss://call.example/ws",
            "ALLOWED_ORIGINS" => "https://app.example",
            "TURN_URLS" => "turn:turn.example:3478?transport=udp",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}

pub fn site() -> Site {
    Site::new(SITE)
}

pub fn secrets() -> Secrets {
    let secret = |text: &str| Some(Secret::new(text));
    Secrets {
        turn_secret: secret("turn"),
        origin_key: secret(ORIGIN_KEY),
        ticket_key: secret("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
        ..Secrets::default()
    }
}

/// Limits with a total of sign-in mails, of which clients get the same shares as by default.
pub fn with_mail_total(most: i64) -> Limits {
    let limits = Limits::default();
    Limits {
        mail_total: Limit { most, ..limits.mail_total },
        mail_per_client: Limit { most, ..limits.mail_per_client },
        ..limits
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub async fn with_limits(limits: Limits) -> Self {
        Self::with_secrets(limits, Clock::fixed(NOW), LiveSecrets::fixed(secrets())).await
    }

    pub async fn with_secrets(limits: Limits, clock: Clock, secrets: LiveSecrets) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let mailer = Mailer::with_carrier(mailbox.clone());
        Self::with_all(limits, clock, secrets, settings(), (mailbox, Some(mailer))).await
    }

    /// A world whose mailer is the configured one, if none is given.
    pub async fn with_all(
        limits: Limits,
        clock: Clock,
        secrets: LiveSecrets,
        settings: Settings,
        (mailbox, mailer): (Arc<Mailbox>, Option<Mailer>),
    ) -> Self {
        let calls = Calls::default();
        let client = database(calls.clone()).await;
        let store = Store::new(client.clone(), settings.tables.clone());
        let source = SecretSource::Given(Arc::new(secrets));
        let state = State::with(settings, store, source, clock.clone(), limits, mailer);
        // As after the first sign-in to a new stack.
        state.store().unify_addresses(state.now()).await.unwrap();
        calls.take();
        Self { router: router(state.clone()), state, client, clock, mailbox, calls }
    }

    pub fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookies: BTreeMap::new(), source: Ipv4Addr::new(192, 0, 2, 1).into() }
    }

    /// A signed-in user, by way of the mail.
    pub async fn person(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let email = address(name);
        let (status, _) = browser.post("/signup", json!({ "name": name, "email": email })).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        let token = in_link(&self.mailbox.only(), "token");
        let (status, body) = browser.post("/login/verify", json!({ "token": token })).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        browser
    }

    /// A signed-in user, created directly in the database.
    pub async fn member(&self, name: &str) -> Browser {
        let (store, email, now) = (self.state.store(), address(name), self.state.now());
        store.create_user(&Email::parse(&email).unwrap(), name, now).await.unwrap();
        let user = store.user(&email).await.unwrap().unwrap();
        store.verify_user(&user, now).await.unwrap();
        let session = Session { email, generation: user.generation, expires_at: now + 30 * 24 * 3600 };
        let token = store.create_session(&session, now).await.unwrap();
        let mut browser = self.browser();
        browser.cookies.insert("__Host-session".to_owned(), token);
        browser
    }

    /// Takes the calls to the database so far, as `GetItem peersync-test-Users`.
    pub fn called(&self) -> Vec<String> {
        let calls = self.calls.take();
        let named =
            |(action, body): &(String, Value)| format!("{action} {}", body["TableName"].as_str().unwrap_or_default());
        calls.iter().map(named).collect()
    }

    /// The status in the row of one user about another.
    pub async fn row(&self, of: &str, about: &str) -> Option<&'static str> {
        let row = self.state.store().connection(&address(of), &address(about)).await.unwrap();
        row.map(|row| row.status.as_str())
    }

    pub async fn items(
        &self,
        table: &str,
    ) -> Vec<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
        let answer = self.client.scan().table_name(format!("peersync-test-{table}")).send().await.unwrap();
        answer.items.unwrap_or_default()
    }
}

pub fn address(name: &str) -> String {
    format!("{}@example.org", name.to_lowercase())
}

#[derive(Clone)]
pub struct Browser {
    router: Router,
    pub cookies: BTreeMap<String, String>,
    pub source: IpAddr,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Browser {
    /// Returns the browser at another instance of the API.
    pub fn with_router(self, router: Router) -> Self {
        Self { router, ..self }
    }

    /// The same browser behind another address.
    pub fn at(self, source: impl Into<IpAddr>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// Sends a request unchanged, with the browser's cookies.
    pub async fn send(&mut self, mut request: Request<Body>) -> Answer {
        if !self.cookies.is_empty() && !request.headers().contains_key(header::COOKIE) {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.headers_mut().insert(header::COOKIE, pairs.join("; ").parse().unwrap());
        }
        request.extensions_mut().insert(SourceAddress(self.source));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.ends_with("; HttpOnly; Secure; SameSite=Lax") && cookie.contains("; Path=/;"), "{cookie}");
            let (name, rest) = cookie.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{cookie}");
            match rest.split(';').next().unwrap() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, headers, body }
    }

    pub async fn call(&mut self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header(header::ORIGIN, SITE);
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let answer = self.send(request.unwrap()).await;
        (answer.status, answer.body)
    }

    pub async fn get(&mut self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&mut self, path: &str) -> (StatusCode, Value) {
        self.call(Method::DELETE, path, None).await
    }
}

/// Asserts status and code of an error.
#[track_caller]
pub fn refused(answer: &(StatusCode, Value), status: u16, code: &str) {
    assert_eq!((answer.0.as_u16(), answer.1["error"]["code"].as_str()), (status, Some(code)), "{}", answer.1);
    assert!(answer.1["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
}

/// A database for one test, with the tables as the deployer creates them.
async fn database(calls: Calls) -> Client {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .interceptor(calls)
        .build();
    let client = Client::from_conf(config);
    for (table, keys, index) in [
        ("Users", &["email"][..], Some(["searchShard", "searchName"])),
        ("UserConnections", &["userEmail", "targetEmail"], None),
        ("Ephemeral", &["key"], None),
    ] {
        let mut call = client.create_table().table_name(format!("peersync-test-{table}"));
        for name in keys.iter().copied().chain(index.into_iter().flatten()) {
            let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            call = call.attribute_definitions(attribute.build().unwrap());
        }
        if let Some(keys) = index {
            let all = Projection::builder().projection_type(ProjectionType::All).build();
            let index = GlobalSecondaryIndex::builder().index_name("byName").set_key_schema(Some(schema(&keys)));
            call = call.global_secondary_indexes(index.projection(all).build().unwrap());
        }
        let call = call.set_key_schema(Some(schema(keys))).billing_mode(BillingMode::PayPerRequest);
        call.send().await.unwrap();
    }
    client
}

fn schema(keys: &[&str]) -> Vec<KeySchemaElement> {
    let kinds = [KeyType::Hash, KeyType::Range];
    let key = |(name, kind): (&&str, KeyType)| {
        KeySchemaElement::builder().attribute_name(*name).key_type(kind).build().unwrap()
    };
    keys.iter().zip(kinds).map(key).collect()
}
