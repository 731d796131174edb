//! A running `local`, and a person who uses it meanwhile.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use peersync_config::Config;
use peersync_deploy::local::edge::Settings;
use peersync_deploy::local::options::Options;
use peersync_deploy::local::run::run;
use peersync_engine::Silent;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::answers::{Answer, parse};

/// What is in files beside the pages' folder, and in hidden ones of it.
const FILE_SECRET: &str = "secret-of-a-file-5d41402abc4b2a76";

/// The running program.
pub struct Local {
    /// Where its edge listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
    _folder: TempDir,
}

impl Local {
    /// Starts it with the repository's pages.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let assets = folder.path().join("assets");
        copy_pages(&assets);
        std::fs::create_dir(assets.join(".hidden")).unwrap();
        for place in ["secret.txt", "assets/.secret", "assets/.hidden/secret.txt"] {
            std::fs::write(folder.path().join(place), FILE_SECRET).unwrap();
        }
        let options = Options {
            config: Config { stage: "fuzz".to_owned(), ..Config::default() },
            port: 0,
            host: [127, 0, 0, 1].into(),
            relay_host: None,
            relay_ports: Vec::new(),
            https: false,
            private_mail: false,
            data: None,
            assets: Some(assets),
            seed: false,
            network: Settings::default(),
            endpoint: None,
            place: "test".to_owned(),
            reporter: Arc::new(Silent),
        };
        let stop = CancellationToken::new();
        let (told, ready) = oneshot::channel();
        let until = stop.clone();
        let running = tokio::spawn(async move {
            run(options, until, |announcement| drop(told.send(announcement.ready.url.clone()))).await.expect("it runs");
        });
        let url = ready.await.expect("it starts");
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        Self { address: ([127, 0, 0, 1], port).into(), stop, running, _folder: folder }
    }

    /// Stops it.
    pub async fn end(&self) {
        self.stop.cancel();
        while !self.running.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    /// Asks as the person's own browser does.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = self.address;
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\n");
        request.push_str("connection: close\r\nsec-fetch-site: same-origin\r\ncontent-type: application/json\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        parse(&answer, method == "HEAD").pop().expect("an answer")
    }
}

fn copy_pages(to: &std::path::Path) {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets");
    std::fs::create_dir(to).unwrap();
    for file in ["index.html", "login.html", "style.css", "main.js", "404.html"] {
        // Not every page has to exist.
        let _ = std::fs::copy(from.join(file), to.join(file));
    }
}

/// The person.
pub struct Victim {
    /// What nobody else may ever see.
    pub secrets: Vec<String>,
    cookie: String,
    name: String,
}

impl Victim {
    /// Signs up and in, makes a room, and asks for a further mail, whose link is not used.
    pub async fn sign_in(local: &Local) -> Self {
        let name = "Quetzalcoatlus Northropi".to_owned();
        let email = "quetzal-victim@example.org";
        let body = json!({ "name": name, "email": email }).to_string();
        let asked = local.ask("POST", "/api/signup", &[], &body).await;
        assert_eq!(asked.status, 202, "{asked:?}");
        let asked_cookie = cookies(&asked);
        let body = json!({ "token": newest_token(local, email).await }).to_string();
        let signed_in = local.ask("POST", "/api/login/verify", &[("cookie", &asked_cookie)], &body).await;
        assert_eq!(signed_in.status, 200, "{signed_in:?}");
        let cookie = cookies(&signed_in);
        let made = local.ask("POST", "/api/create-room", &[("cookie", &cookie)], r#"{"name":"Nest"}"#).await;
        let room: Value = serde_json::from_str(&made.body).unwrap();
        let room = room["id"].as_str().unwrap_or_else(|| panic!("no room: {made:?}")).to_owned();
        local.ask("POST", "/api/login", &[], &json!({ "email": email }).to_string()).await;
        let token = newest_token(local, email).await;
        let session = cookie.split_once('=').unwrap().1.to_owned();
        let secrets = vec![FILE_SECRET.to_owned(), name.clone(), email.to_owned(), room, token, session];
        Self { secrets, cookie, name }
    }

    /// Checks that the person is still signed in, and reads the mailbox.
    pub async fn goes_on(&self, local: &Local) {
        let me = local.ask("GET", "/api/me", &[("cookie", &self.cookie)], "").await;
        assert!(me.status == 200 && me.body.contains(&self.name), "{me:?}");
        let mails = local.ask("GET", "/_mail/messages.json", &[], "").await;
        assert!(mails.status == 200 && mails.body.contains("quetzal-victim"), "{mails:?}");
        let switched = local.ask("POST", "/_network/kill-signaling", &[], "").await;
        assert_eq!(switched.status, 204, "{switched:?}");
    }
}

fn cookies(answer: &Answer) -> String {
    let pairs: Vec<&str> = answer.all("set-cookie").filter_map(|cookie| cookie.split(';').next()).collect();
    pairs.join("; ")
}

/// Waits for a mail to the address, and returns the token of the newest one.
async fn newest_token(local: &Local, email: &str) -> String {
    loop {
        let mails = local.ask("GET", "/_mail/messages.json", &[], "").await;
        let mails: Vec<Value> = serde_json::from_str(&mails.body).expect("a list");
        let text = mails.iter().rev().find(|mail| mail["to"] == email).and_then(|mail| mail["text"].as_str());
        let token = text.and_then(|text| text.split("#token=").nth(1)?.split_whitespace().next());
        if let Some(token) = token {
            return token.to_owned();
        }
        tokio::task::yield_now().await;
    }
}
