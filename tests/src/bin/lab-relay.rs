//! The relay alone, for the network lab, where it has to be killed without the rest of the product:
//! `lab-relay ADDRESS SECRET` serves UDP and TCP on port 3478 of the address until its standard input closes.

use std::env;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use peersync_relay::{Limits, Relay, Settings, StackAuthority, bind, serve};
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1);
    let address: Ipv4Addr =
        arguments.next().and_then(|text| text.parse().ok()).expect("the first argument: an address");
    let secret = arguments.next().expect("the second argument: the secret");
    let secrets = Secrets { turn_secret: Some(Secret::new(secret)), ..Secrets::default() };
    let authority = StackAuthority::new(Arc::new(LiveSecrets::fixed(secrets)), Clock::default());
    let settings = Settings { realm: "lab".to_owned(), address, limits: Limits::default() };
    let port = [SocketAddr::from((address, 3478))];
    let listeners = bind(&port, &port, &[]).expect("the port is free");
    let relay = serve(Relay::new(settings, authority, Instant::now()), listeners, None);
    let _relay = relay.expect("no certificate is needed");
    println!("ready");
    let wait = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(wait).await.expect("reading does not panic").expect("standard input can be read");
}
