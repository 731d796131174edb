//! The options of `local`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peersync_config::Config;
use peersync_engine::Reporter;

use super::edge::Settings as Network;
use super::endpoint::Endpoint;

/// The data folder, unless another one is named.
const DATA: &str = ".peersync";

/// The options of `local`.
pub struct Options {
    /// The configuration of the stage.
    pub config: Config,
    /// The port of the pages; 0 picks a free one.
    pub port: u16,
    /// The address to listen on.
    pub host: IpAddr,
    /// The address of the relay, if it is not that of the pages.
    pub relay_host: Option<IpAddr>,
    /// The ports of the relay; empty for the usual one, or a free one if that is taken.
    pub relay_ports: Vec<u16>,
    /// Whether to serve the pages over HTTPS.
    pub https: bool,
    /// Whether the mailbox and the switches need the key that is printed.
    pub private_mail: bool,
    /// The data folder; `None` keeps nothing.
    pub data: Option<PathBuf>,
    /// The folder of the pages; `None` serves the embedded ones.
    pub assets: Option<PathBuf>,
    /// Whether to create demo accounts.
    pub seed: bool,
    /// The initial network conditions.
    pub network: Network,
    /// The AWS emulator, if any.
    pub endpoint: Option<Endpoint>,
    /// Where this run is, for others who wait for its lease at the emulator.
    pub place: String,
    /// The receiver of the engine's events.
    pub reporter: Arc<dyn Reporter>,
}

/// Returns the data folder that was named, or the default one.
pub fn data_folder(named: Option<&Path>) -> PathBuf {
    named.unwrap_or(Path::new(DATA)).to_owned()
}
