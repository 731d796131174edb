//! The signaling server as a program: reads its settings from the environment and serves until SIGTERM or SIGINT.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;

/// Where it listens when `LISTEN` says nothing.
const LISTEN: &str = "0.0.0.0:8080";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::var("LISTEN").unwrap_or_else(|_| LISTEN.to_owned()).parse::<SocketAddr>()?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    let router = Router::new().route("/healthz", get(|| async { "ok" }));
    axum::serve(listener, router).await?;
    Ok(())
}
