//! Publishes another release of the pages while a browser test has pages open: `lab-release ENDPOINT ACCOUNT OLD NEW` gives
//! another name to what is called OLD in all scripts.

use std::env;

use peersync_config::Config;
use peersync_tests::{clients, releases};

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1);
    let mut next = |what: &str| arguments.next().unwrap_or_else(|| panic!("an argument is missing: {what}"));
    let (endpoint, account) = (next("the emulator's URL"), next("the account"));
    let (old, new) = (next("a name in the scripts"), next("its new name"));
    let clients = clients::of_account(&endpoint, &account).await;
    let config = Config { stage: "dev".to_owned(), ..Config::default() };
    let renamed = |key: &str, text: &str| key.ends_with(".js").then(|| text.replace(&old, &new));
    releases::publish(clients, config, renamed).await;
    println!("published");
}
