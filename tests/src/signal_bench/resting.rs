//! Clients that do nothing but what a page in the background does: they read, and so answer pings.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::client::Client;

/// Connected clients at rest; dropping them drops the connections.
#[derive(Debug)]
pub struct Resting {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Option<Client>>>,
}

impl Resting {
    /// Lets them rest.
    pub fn new(clients: Vec<Client>) -> Self {
        let stop = watch::Sender::new(false);
        let tasks = clients.into_iter().map(|client| tokio::spawn(rest(client, stop.subscribe()))).collect();
        Self { stop, tasks }
    }

    /// Returns the number of connections.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Returns whether no connection is open.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Takes them back.
    ///
    /// # Errors
    /// If some were closed meanwhile.
    pub async fn wake(mut self) -> Result<Vec<Client>, String> {
        let _ = self.stop.send(true);
        let mut clients = Vec::new();
        for task in std::mem::take(&mut self.tasks) {
            let client = task.await.ok().flatten();
            clients.push(client.ok_or("a connection was closed while it was idle")?);
        }
        Ok(clients)
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn rest(mut client: Client, mut stop: watch::Receiver<bool>) -> Option<Client> {
    let closed = async { while client.receive().await.is_ok() {} };
    let woken = tokio::select! {
        _ = stop.changed() => true,
        () = closed => false,
    };
    woken.then_some(client)
}
