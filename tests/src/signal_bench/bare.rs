//! The limit to compare with: a relay on bare TCP without WebSocket, JSON, names or rules. A frame is a big-endian
//! length of four bytes and the payload; the first one names the pair, all others go to its other half.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Frames that may wait for one connection.
const QUEUE: usize = 256;

/// The halves of each pair.
type Pairs = Arc<Mutex<HashMap<Vec<u8>, Vec<(u64, Sender<Vec<u8>>)>>>>;

/// Serves on `port` until the process ends.
pub async fn run(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let pairs = Pairs::default();
    for number in 0_u64.. {
        if let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(connection(stream, number, Arc::clone(&pairs)));
        }
    }
}

async fn connection(stream: TcpStream, number: u64, pairs: Pairs) {
    let (reader, writer) = stream.into_split();
    let (sender, receiver) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(write(writer, receiver));
    let _ = read(BufReader::with_capacity(4096, reader), number, sender, &pairs).await;
    writing.abort();
}

async fn read(
    mut reader: BufReader<OwnedReadHalf>,
    number: u64,
    own: Sender<Vec<u8>>,
    pairs: &Pairs,
) -> io::Result<()> {
    let name = frame(&mut reader).await?;
    pairs.lock().expect("no panic").entry(name.clone()).or_default().push((number, own.clone()));
    let _ = own.send(b"\0\0\0\x02ok".to_vec()).await;
    let mut other: Option<Sender<Vec<u8>>> = None;
    loop {
        let length = reader.read_u32().await?;
        let mut message = vec![0; length as usize + 4];
        message[..4].copy_from_slice(&length.to_be_bytes());
        reader.read_exact(&mut message[4..]).await?;
        if other.is_none() {
            let pairs = pairs.lock().expect("no panic");
            other = pairs[&name].iter().find(|(half, _)| *half != number).map(|(_, sender)| sender.clone());
        }
        if let Some(other) = &other {
            let _ = other.send(message).await;
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut receiver: Receiver<Vec<u8>>) {
    let mut batch = Vec::new();
    while let Some(first) = receiver.recv().await {
        if receiver.is_empty() {
            if writer.write_all(&first).await.is_err() {
                return;
            }
            continue;
        }
        batch.extend_from_slice(&first);
        while let Ok(next) = receiver.try_recv() {
            batch.extend_from_slice(&next);
        }
        if writer.write_all(&batch).await.is_err() {
            return;
        }
        batch.clear();
    }
}

/// Reads one frame.
///
/// # Errors
/// If the connection is closed.
pub async fn frame(reader: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = reader.read_u32().await?;
    let mut payload = vec![0; length as usize];
    reader.read_exact(&mut payload).await?;
    Ok(payload)
}
