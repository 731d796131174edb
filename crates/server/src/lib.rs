//! What PeerSync's server programs share: settings, secrets, the database, tickets, the clock, email addresses and names,
//! the address of a client, and metrics. It knows none of them.

pub mod accept;
pub mod access;
pub mod aws;
pub mod client_address;
pub mod clock;
pub mod display_name;
pub mod email_address;
pub mod metrics;
pub mod newcomers;
pub mod proxy_protocol;
pub mod routes;
pub mod secret;
pub mod secrets;
pub mod settings;
pub mod site;
pub mod store;
pub mod tickets;
pub mod turn_credentials;
