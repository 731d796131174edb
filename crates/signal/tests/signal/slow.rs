//! A DynamoDB that is slow for one key, or away for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::world::Database;

/// The way to a database, which can be closed.
pub struct Gate {
    closed: Arc<AtomicBool>,
    /// A client that goes another way.
    pub beside: Client,
    _serving: AbortOnDropHandle<()>,
}

impl Gate {
    /// Until it is opened, connections are refused.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
    }
}

/// Returns a database behind a gate that never answers a request in which `word` occurs, and everything else at once.
pub async fn slow_for(word: &'static str) -> (Database, Gate) {
    let mut database = Database::start().await;
    let (beside, closed) = (database.client.clone(), Arc::new(AtomicBool::new(false)));
    let open = Arc::clone(&closed);
    let behind = database.endpoint.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    database.use_endpoint(&format!("http://{}", listener.local_addr().unwrap()));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, behind.clone(), word, Arc::clone(&open)));
        }
    });
    (database, Gate { closed, beside, _serving: AbortOnDropHandle::new(serving) })
}

/// Passes requests on, one connection each, until one contains the word or the gate is closed.
async fn pass(mut client: TcpStream, behind: String, word: &'static str, closed: Arc<AtomicBool>) {
    let mut request = Vec::new();
    loop {
        let Some(length) = complete(&request) else {
            if client.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let one: Vec<u8> = request.drain(..length).collect();
        if closed.load(Ordering::SeqCst) {
            return;
        }
        if String::from_utf8_lossy(&one).contains(word) {
            std::future::pending::<()>().await;
        }
        let mut server = TcpStream::connect(&behind).await.unwrap();
        server.write_all(&one).await.unwrap();
        let mut answer = Vec::new();
        while complete(&answer).is_none() {
            if server.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        if client.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Returns the length of the first message in these bytes, once it is complete.
fn complete(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let body =
        text.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().unwrap());
    (bytes.len() >= head + body).then_some(head + body)
}
