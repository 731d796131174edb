//! `local` in a network: every address of the computer serves the whole product, also one that it gets while it runs.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use futures::{SinkExt as _, StreamExt as _};
use peersync_tests::http::client;
use peersync_tests::product::{Answer, Product};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Reserved for documentation (RFC 5737), so that it belongs to nobody in this computer's networks.
const ADDED: &str = "203.0.113.77";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for temporary files")
}

async fn start(folder: &Path, more: &[&str]) -> Product {
    let usual = ["--embedded", "--port", "0", "--host", "0.0.0.0"];
    Product::start(folder, &[&usual, more].concat()).await
}

/// The product as somebody sees it who has opened it at one address.
struct Place<'a> {
    product: &'a Product,
    client: reqwest::Client,
    site: String,
}

impl<'a> Place<'a> {
    fn new(product: &'a Product, host: &str) -> Self {
        Self { product, client: client(), site: format!("http://{host}:{}", product.port()) }
    }

    async fn post(&self, path: &str, cookie: &str, body: Value) -> Answer {
        self.product.call_at(&self.client, &self.site, "POST", (path, cookie), Some(body)).await
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.product.call_at(&self.client, &self.site, "GET", (path, cookie), None).await
    }

    /// Asks for a mail, and returns the answer and the text of the mail.
    async fn sign_up(&self, email: &str) -> (Answer, String) {
        let asked = self.post("/api/signup", "", json!({ "name": "Ada", "email": email })).await.expect(202);
        (asked, self.product.mail_to(email).await)
    }

    /// Connects to the WebSocket that a ticket names, and says hello.
    async fn connect(&self, cookie: &str) {
        let ticket = self.post("/api/ticket", cookie, json!({})).await.expect(200).json();
        let url = ticket["url"].as_str().expect("the ticket has a URL");
        assert_eq!(url, format!("{}/ws", self.site.replacen("http", "ws", 1)));
        let mut socket = socket(url, &self.site).await.expect("the WebSocket opens");
        let hello = json!({ "type": "hello", "ticket": ticket["ticket"] }).to_string();
        socket.send(Message::text(hello)).await.expect("the hello is sent");
        let welcome = socket.next().await.expect("an answer").expect("a message").into_text().expect("a text");
        assert!(welcome.contains("welcome"), "{welcome}");
    }
}

type Socket = tokio_tungstenite::WebSocketStream<TcpStream>;

async fn socket(url: &str, origin: &str) -> Result<Socket, Error> {
    let mut request = url.into_client_request().expect("a URL");
    request.headers_mut().insert("origin", origin.parse().expect("an origin"));
    let host = url.trim_start_matches("ws://").trim_end_matches("/ws");
    let stream = TcpStream::connect(host).await.expect("the port is open");
    Ok(client_async(request, stream).await?.0)
}

/// The token in a mail whose link begins with this site.
#[track_caller]
fn token<'a>(mail: &'a str, site: &str) -> &'a str {
    let rest = mail.split(&format!("{site}/login.html#token=")).nth(1);
    rest.and_then(|rest| rest.split_whitespace().next()).unwrap_or_else(|| panic!("no link of {site} in:\n{mail}"))
}

/// The six digits in a mail.
#[track_caller]
fn code(mail: &str) -> &str {
    let line =
        mail.lines().map(str::trim).find(|line| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit()));
    line.unwrap_or_else(|| panic!("no code in:\n{mail}"))
}

/// The addresses that this test may use: Linux answers on all of 127.0.0.0/8.
fn hosts(product: &Product) -> Vec<String> {
    let printed = product.ready["network_urls"].as_array().cloned().unwrap_or_default();
    let network = printed.iter().filter_map(|url| url.as_str()?.strip_prefix("http://")?.split(':').next());
    let loopback =
        if cfg!(target_os = "linux") { &["localhost", "127.0.0.1", "127.0.0.2"][..] } else { &["localhost"] };
    loopback.iter().copied().chain(network).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_serves_the_whole_product() {
    let folder = folder();
    let product = start(folder.path(), &["--ephemeral"]).await;
    for (number, host) in hosts(&product).iter().enumerate() {
        let place = Place::new(&product, host);
        let (asked, mail) = place.sign_up(&format!("ada{number}@example.org")).await;
        let body = json!({ "token": token(&mail, &place.site) });
        let signed_in = place.post("/api/login/verify", &asked.cookie(), body).await.expect(200);
        for cookie in signed_in.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("a text");
            assert!(!cookie.contains("Secure") && !cookie.contains("__Host-"), "no browser keeps this: {cookie}");
        }
        assert_eq!(place.get("/api/me", &signed_in.cookie()).await.expect(200).json()["name"], "Ada");
        place.connect(&signed_in.cookie()).await;
    }
    product.interrupt().await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_and_origins_get_nothing() {
    let folder = folder();
    let product = start(folder.path(), &["--ephemeral"]).await;
    let body = json!({ "name": "Ada", "email": "ada@example.org" }).to_string();
    let ask = |host: &str| {
        let request = client().post(format!("{}/api/signup", product.url())).header("host", host);
        request.header("content-type", "application/json").body(body.clone())
    };
    let evil = format!("evil.example:{}", product.port());
    let refused = ask(&evil).header("origin", format!("http://{evil}")).send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
    let asked = ask(&evil).send().await.expect("an answer");
    assert_eq!(asked.status(), 202);
    token(&product.mail_to("ada@example.org").await, product.url());
    let url = format!("ws://127.0.0.1:{}/ws", product.port());
    for origin in [format!("http://{evil}"), format!("https://127.0.0.1:{}", product.port())] {
        let Err(Error::Http(response)) = socket(&url, &origin).await else { panic!("{origin} came in") };
        assert_eq!(response.status(), 403, "{origin}");
    }
    product.interrupt().await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn link_and_code_work_between_computer_and_phone() {
    let folder = folder();
    let product = start(folder.path(), &["--ephemeral"]).await;
    let (phone, computer) = (Place::new(&product, "127.0.0.2"), Place::new(&product, "localhost"));
    // The phone asks, the computer opens the link of the mail.
    let (asked, mail) = phone.sign_up("ada@example.org").await;
    let link = token(&mail, &phone.site);
    computer.post("/api/login/verify", "", json!({ "token": link })).await.expect(409);
    let number = asked.json()["match"].clone();
    let body = json!({ "token": link, "match": number });
    let cookie = computer.post("/api/login/verify", "", body).await.expect(200).cookie();
    assert_eq!(computer.get("/api/me", &cookie).await.expect(200).json()["email"], "ada@example.org");
    // The computer asks, the phone types the code.
    let (asked, mail) = computer.sign_up("bob@example.org").await;
    token(&mail, &computer.site);
    drop(asked);
    let body = json!({ "email": "bob@example.org", "code": code(&mail) });
    let cookie = phone.post("/api/login/verify", "", body).await.expect(200).cookie();
    assert_eq!(phone.get("/api/me", &cookie).await.expect(200).json()["email"], "bob@example.org");
    product.interrupt().await.expect(0);
}

/// An address of the loopback interface, removed on drop.
struct Address;

impl Address {
    /// Returns `None` if this test may not add addresses.
    fn add() -> Option<Self> {
        ip("add").then_some(Self)
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        ip("del");
    }
}

fn ip(what: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(["address", what, &format!("{ADDED}/32"), "dev", "lo"]);
    command.output().is_ok_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn address_added_while_running_is_ours_and_in_the_certificate() {
    let folder = folder();
    let product = start(folder.path(), &["--https"]).await;
    let Some(_address) = Address::add() else {
        println!("skipped: adding an address needs Linux and root");
        return;
    };
    let site = format!("https://{ADDED}:{}", product.port());
    // Any connection makes the certificate grow; only then does it cover the address.
    let careless = client_trusting(None);
    careless.get(&site).send().await.expect("the pages");
    let certificate = std::fs::read(folder.path().join(".peersync/certificate.pem")).expect("the certificate is kept");
    let place = Place { product: &product, client: client_trusting(Some(&certificate)), site };
    let asked = place.post("/api/signup", "", json!({ "name": "Ada", "email": "ada@example.org" })).await.expect(202);
    let own = format!("https://127.0.0.1:{}", product.port());
    let mails =
        place.product.call_at(&careless, &own, "GET", ("/_mail/messages.json", ""), None).await.expect(200).json();
    let body = json!({ "token": token(mails[0]["text"].as_str().expect("a text"), &place.site) });
    let signed_in = place.post("/api/login/verify", &asked.cookie(), body).await.expect(200);
    for cookie in signed_in.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().expect("a text");
        assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
    }
    let ticket = place.post("/api/ticket", &signed_in.cookie(), json!({})).await.expect(200).json();
    assert_eq!(ticket["url"], format!("wss://{ADDED}:{}/ws", product.port()));
    product.logged(&["now reachable at", ADDED]).await;
    product.interrupt().await.expect(0);
}

/// A client that trusts this certificate alone, or any.
fn client_trusting(certificate: Option<&[u8]>) -> reqwest::Client {
    // Installs the TLS provider.
    drop(client());
    let builder = reqwest::Client::builder().no_proxy();
    let builder = match certificate {
        Some(pem) => builder.tls_certs_only([reqwest::Certificate::from_pem(pem).expect("a certificate")]),
        None => builder.danger_accept_invalid_certs(true),
    };
    builder.build().expect("a client can be created")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_serves_this_computer_too() {
    let folder = folder();
    let all = start(folder.path(), &["--ephemeral"]).await;
    let network = all.ready["network_urls"][0].as_str().and_then(|url| url.strip_prefix("http://")?.rsplit_once(':'));
    let Some(host) = network.and_then(|(host, _)| host.parse::<IpAddr>().ok()) else {
        println!("skipped: this computer is in no network");
        return;
    };
    let host = host.to_string();
    let product = Product::start(folder.path(), &["--embedded", "--port", "0", "--ephemeral", "--host", &host]).await;
    assert_eq!(product.url(), format!("http://{host}:{}", product.port()));
    product.sign_in("Ada", "ada@example.org").await;
    product.interrupt().await.expect(0);
    all.interrupt().await.expect(0);
}
