//! `local` on MiniStack: the stack is created there and serves pages and API, and `local down` leaves nothing.

use peersync_tests::census::{census, difference};
use peersync_tests::clients::{self, Clients};
use peersync_tests::deployer::{command, run};
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::http::client;
use peersync_tests::product::Product;
use peersync_tests::unmanaged;
use tempfile::TempDir;
use tokio::process::Command;

/// MiniStack's default account, the only one whose data planes it serves to unsigned requests.
const ACCOUNT: &str = "000000000000";

/// A folder, and a MiniStack for this test only, because only one account has data planes.
struct Ground {
    folder: TempDir,
    emulator: Emulator,
    clients: Clients,
}

impl Ground {
    async fn new() -> Self {
        let emulator = Emulator::start(Kind::MiniStack);
        let clients = clients::of_account(&emulator.url, ACCOUNT).await;
        Self { folder: tempfile::tempdir().expect("a folder for temporary files"), emulator, clients }
    }

    /// Returns the command without credentials, as users of an emulator run it.
    fn command(&self, arguments: &[&str]) -> Command {
        let all = [&["--output", "json", "--endpoint-url", &self.emulator.url, "local"], arguments].concat();
        let mut command = command(self.folder.path(), &all);
        command.env("AWS_REGION", peersync_tests::clients::REGION);
        command
    }

    async fn start(&self) -> Product {
        Product::from(self.command(&["--port", "0"])).await
    }

    /// Returns the only bucket whose name has the stack's prefix.
    async fn bucket(&self) -> String {
        let buckets = self.clients.s3.list_buckets().send().await.expect("buckets can be listed");
        let mut names = buckets.buckets().iter().filter_map(|bucket| bucket.name());
        names.find(|name| name.starts_with("peersync-dev")).expect("the site's bucket is there").to_owned()
    }

    async fn users(&self) -> i32 {
        self.clients.dynamodb.scan().table_name("peersync-dev-Users").send().await.expect("the table is there").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stack_is_created_at_endpoint_and_deleted_by_local_down() {
    let ground = Ground::new().await;
    unmanaged::plant(&ground.clients, ACCOUNT).await;
    let before = census(&ground.clients).await;

    let product = ground.start().await;
    let there = format!("at {}", ground.emulator.url);
    for part in ["Pages", "API", "DynamoDB"] {
        assert_eq!(product.ready["parts"][part], there.as_str(), "{part}: {}", product.ready);
    }
    for part in ["Edge", "Signaling", "Mail"] {
        assert_eq!(product.ready["parts"][part], "in this process", "{part}: {}", product.ready);
    }
    pages_come_out_of_the_bucket(&ground, &product).await;

    // The functions are processes of the emulator; their mail reaches the local mailbox.
    let cookie = product.sign_in("Ada", "ada@example.org").await;
    let me = product.call("GET", "/api/me", &cookie, None).await.expect(200);
    assert_eq!(me.json()["name"], "Ada");
    assert_eq!(ground.users().await, 1);
    // The log of the function appears in the terminal with everything else.
    product.logged(&["api", "function=\"signup\""]).await;
    product.interrupt().await.expect(0);

    // The stack stays, and with it the sessions.
    let again = ground.start().await;
    again.call("GET", "/api/me", &cookie, None).await.expect(200);
    again.interrupt().await.expect(0);

    run(ground.command(&["down", "--yes"])).await.expect(0);
    let left = difference(&before, &census(&ground.clients).await);
    assert!(left.is_empty(), "{}", left.join("\n"));
    assert!(!ground.folder.path().join(".peersync").exists(), "the local data is gone too");
    // Deleting what no longer exists succeeds.
    run(ground.command(&["down", "--yes"])).await.expect(0);
}

/// A page that is changed in the bucket is served by the edge.
async fn pages_come_out_of_the_bucket(ground: &Ground, product: &Product) {
    assert!(product.get("/").await.expect(200).text.contains("PeerSync"));
    assert_eq!(product.get("/config.json").await.expect(200).json()["api"], "/api");
    let put = ground.clients.s3.put_object().bucket(ground.bucket().await).key("index.html");
    put.content_type("text/html")
        .body(b"<p>Out of the bucket".to_vec().into())
        .send()
        .await
        .expect("it can be changed");
    assert_eq!(product.get("/").await.expect(200).text, "<p>Out of the bucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_endpoint_answers_bad_gateway() {
    let ground = Ground::new().await;
    let product = ground.start().await;
    product.get("/api/health").await.expect(200);
    let Ground { folder, emulator, .. } = ground;
    drop(emulator);
    product.get("/api/health").await.expect(502);
    // What runs in this process continues.
    let mail = client().get(format!("{}/_mail", product.url())).send().await.expect("the mailbox answers");
    assert!(mail.status().is_success());
    product.interrupt().await.expect(0);
    drop(folder);
}
