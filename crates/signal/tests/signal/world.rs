//! A server, its database, and tickets for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use peersync_server::clock::Clock;
use peersync_server::email_address::Email;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use peersync_server::settings::{Entrance, Settings, Tables};
use peersync_server::store::Store;
use peersync_server::tickets::{Bearer, TicketKey, TicketKeys};
use peersync_signal::{Limits, Parts, Server, bind, serve};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::{Client, EDGE_KEY, ORIGIN};

pub const STACK: &str = "peersync-test";
/// base64url of 32 bytes.
pub const TICKET_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A database that runs until it is dropped or stopped.
pub struct Database {
    pub endpoint: String,
    pub client: aws_sdk_dynamodb::Client,
    stop: CancellationToken,
    /// Whether it answers at first.
    answers: bool,
    _guard: DropGuard,
}

/// The server and database of one test.
pub struct World {
    pub server: Server,
    pub address: SocketAddr,
    pub database: Arc<Database>,
    keys: TicketKeys,
    _serving: tokio_util::task::AbortOnDropHandle<()>,
}

impl Database {
    pub async fn start() -> Self {
        let database = dynoxide::Database::memory().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let until = stop.clone().cancelled_owned();
        tokio::spawn(async move { dynoxide::server::serve_with_shutdown(listener, database, until).await });
        let client = client(&endpoint);
        let tables = Tables::of(STACK);
        create(&client, &tables.user_connections, &[("userEmail", KeyType::Hash), ("targetEmail", KeyType::Range)])
            .await;
        create(&client, &tables.ephemeral, &[("key", KeyType::Hash)]).await;
        create(&client, &tables.users, &[("email", KeyType::Hash)]).await;
        Self { endpoint, client, answers: true, _guard: stop.clone().drop_guard(), stop }
    }

    /// A database that accepts every request and never responds.
    pub async fn silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move {
            let mut asking = Vec::new();
            while let Some(Ok(asked)) = until.run_until_cancelled(listener.accept()).await {
                asking.push(asked);
            }
        });
        Self { client: client(&endpoint), endpoint, answers: false, _guard: stop.clone().drop_guard(), stop }
    }

    /// Replaces the way to the database.
    pub fn use_endpoint(&mut self, endpoint: &str) {
        (self.endpoint, self.client) = (endpoint.to_owned(), client(endpoint));
    }

    /// Stops the database and waits until it is unreachable.
    pub async fn stop(&self) {
        self.stop.cancel();
        let address = self.endpoint.strip_prefix("http://").unwrap();
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Writes both rows of a pair with this status.
    pub async fn connect(&self, one: &str, other: &str, status: &str) {
        for (user, target) in [(one, other), (other, one)] {
            let put = self.client.put_item().table_name(Tables::of(STACK).user_connections);
            let put = put.item("userEmail", text(user)).item("targetEmail", text(target)).item("status", text(status));
            put.item("timestamp", AttributeValue::N("1".into())).send().await.unwrap();
        }
    }

    /// Deletes both rows of a pair.
    pub async fn disconnect(&self, one: &str, other: &str) {
        for (user, target) in [(one, other), (other, one)] {
            let delete = self.client.delete_item().table_name(Tables::of(STACK).user_connections);
            delete.key("userEmail", text(user)).key("targetEmail", text(target)).send().await.unwrap();
        }
    }

    /// The tables as the API uses them.
    pub fn store(&self) -> Store {
        Store::new(self.client.clone(), Tables::of(STACK))
    }

    /// Creates a room as the API does, and returns its id.
    pub async fn room(&self, owner: &str, locked: bool) -> String {
        self.store().create_room("room", owner, locked, now()).await.unwrap().id
    }

    /// Creates an open room with this id, unless it exists, that ends in `seconds`.
    pub async fn open_room(&self, id: &str, seconds: i64) {
        if !self.answers || self.stop.is_cancelled() {
            return;
        }
        let number = |value: i64| AttributeValue::N(value.to_string());
        let put =
            self.client.put_item().table_name(Tables::of(STACK).ephemeral).item("key", text(&format!("room#{id}")));
        let put = put.item("name", text(id)).item("owner", text("owner@example.org"));
        let put = put.item("createdAt", number(now())).item("expiresAt", number(now() + seconds));
        let put = put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", "key");
        let _ = put.send().await;
    }

    /// Creates an account whose address is verified, and returns its generation.
    pub async fn account(&self, email: &str) -> String {
        let store = self.store();
        store.create_user(&Email::parse(email).unwrap(), email, now()).await.unwrap();
        let user = store.user(email).await.unwrap().unwrap();
        store.verify_user(&user, now()).await.unwrap();
        user.generation
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::with_capacity(limits, 4).await
    }

    pub async fn with_capacity(limits: Limits, capacity: u32) -> Self {
        Self::with_database(Database::start().await, limits, capacity).await
    }

    pub async fn with_database(database: Database, limits: Limits, capacity: u32) -> Self {
        Self::with_secrets(database, limits, capacity, Arc::new(LiveSecrets::fixed(secrets()))).await
    }

    /// A second server with the same database.
    pub async fn beside(other: &Self, limits: Limits) -> Self {
        let secrets = Arc::new(LiveSecrets::fixed(secrets()));
        Self::with_all(Arc::clone(&other.database), limits, settings(), secrets, Clock::default())
    }

    /// A second server with the same database and a clock of its own.
    pub async fn beside_with_clock(other: &Self, limits: Limits, clock: Clock) -> Self {
        let secrets = Arc::new(LiveSecrets::fixed(secrets()));
        Self::with_all(Arc::clone(&other.database), limits, settings(), secrets, clock)
    }

    /// A second server with the same database and other secrets.
    pub async fn beside_with_secrets(other: &Self, secrets: Arc<LiveSecrets>) -> Self {
        Self::with_all(Arc::clone(&other.database), Limits::default(), settings(), secrets, Clock::default())
    }

    /// A server with a clock of its own.
    pub async fn with_clock(database: Database, limits: Limits, clock: Clock) -> Self {
        let secrets = Arc::new(LiveSecrets::fixed(secrets()));
        Self::with_all(Arc::new(database), limits, settings(), secrets, clock)
    }

    pub async fn with_secrets(database: Database, limits: Limits, capacity: u32, secrets: Arc<LiveSecrets>) -> Self {
        let settings = Settings { room_capacity: capacity, ..settings() };
        Self::with_all(Arc::new(database), limits, settings, secrets, Clock::default())
    }

    /// A server behind something that tells it the addresses of clients.
    pub async fn behind(entrance: Entrance, limits: Limits) -> Self {
        let settings = Settings { entrance, ..settings() };
        let database = Arc::new(Database::start().await);
        Self::with_all(database, limits, settings, Arc::new(LiveSecrets::fixed(secrets())), Clock::default())
    }

    fn with_all(
        database: Arc<Database>,
        limits: Limits,
        settings: Settings,
        secrets: Arc<LiveSecrets>,
        clock: Clock,
    ) -> Self {
        let keys = keys();
        let server = Server::new(Parts {
            secrets,
            store: Arc::new(Store::new(database.client.clone(), settings.tables.clone())),
            settings,
            limits,
            clock,
        });
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(serve(server.clone(), listener)));
        Self { server, address, database, keys, _serving: serving }
    }

    /// A ticket issued `age` seconds ago.
    pub fn ticket_of(&self, bearer: Bearer, age: i64) -> String {
        self.keys.issue(bearer, now() - age).unwrap()
    }

    /// A ticket for a user.
    pub fn ticket(&self, email: &str) -> String {
        self.ticket_of(user(email, None), 0)
    }

    /// A signed-in user, connected.
    pub async fn user(&self, email: &str) -> Client {
        Client::welcome(self.address, &self.ticket(email)).await
    }

    /// A user with an account of this generation, connected.
    pub async fn member(&self, email: &str, generation: &str) -> Client {
        Client::welcome(self.address, &self.ticket_of(member(email, generation), 0)).await
    }

    /// A guest, connected. The room exists.
    pub async fn guest(&self, name: &str, room: &str) -> Client {
        self.database.open_room(room, 3600).await;
        Client::welcome(self.address, &self.ticket_of(guest(name, room), 0)).await
    }

    /// A guest in the room.
    pub async fn inside(&self, name: &str, room: &str) -> Client {
        let mut client = self.guest(name, room).await;
        client.join(room).await;
        client
    }
}

fn settings() -> Settings {
    Settings::from_variables(|name| match name {
        "PEERSYNC_STACK" => Some(STACK.into()),
        "SITE_URL" => Some(ORIGIN.into()),
        "ALLOWED_ORIGINS" => Some("http://localhost:3000".into()),
        _ => None,
    })
    .unwrap()
}

/// The secrets as they are at the start of a test.
pub fn secrets() -> Secrets {
    let (ticket_key, origin_key) = (Some(Secret::new(TICKET_KEY)), Some(Secret::new(EDGE_KEY)));
    Secrets { ticket_key, origin_key, ..Secrets::default() }
}

pub fn keys() -> TicketKeys {
    TicketKeys::new(STACK, TicketKey::parse(TICKET_KEY).unwrap(), None)
}

pub fn user(email: &str, room: Option<&str>) -> Bearer {
    let name = email.split('@').next().unwrap_or(email).to_owned();
    Bearer {
        subject: email.to_owned(),
        address: None,
        name,
        guest: false,
        generation: None,
        session: None,
        room: room.map(str::to_owned),
    }
}

pub fn member(email: &str, generation: &str) -> Bearer {
    Bearer { generation: Some(generation.to_owned()), ..user(email, None) }
}

pub fn guest(name: &str, room: &str) -> Bearer {
    let subject = format!("guest:{:x}", rand::random::<u64>());
    Bearer {
        subject,
        address: None,
        name: name.to_owned(),
        guest: true,
        generation: None,
        session: None,
        room: Some(room.to_owned()),
    }
}

pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn client(endpoint: &str) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

async fn create(client: &aws_sdk_dynamodb::Client, table: &str, keys: &[(&str, KeyType)]) {
    let mut call = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in keys {
        call = call
            .key_schema(KeySchemaElement::builder().attribute_name(*name).key_type(kind.clone()).build().unwrap())
            .attribute_definitions(
                AttributeDefinition::builder()
                    .attribute_name(*name)
                    .attribute_type(ScalarAttributeType::S)
                    .build()
                    .unwrap(),
            );
    }
    call.send().await.unwrap();
}
