//! `local` itself: starts every part in order, announces the URLs, and stops all parts within a second.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use peersync_mailbox::{Mailbox, Sink};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::addresses;
use super::announce::{Part, Ready};
use super::backend::{self, Backend};
use super::database::DataFolder;
use super::edge::{self, Conditions, Listening, MailKey, Pages, Reload, Source, Upstreams, host_text};
use super::options::Options;
use super::seed::{self, Person};
use super::{LocalError, certificate::Certificates, programs, relay};

/// How long signaling may take to close its connections after Ctrl-C; with the edge's own grace, everything ends within
/// a second.
const GOODBYE: Duration = Duration::from_millis(300);
/// The sink's port if functions in an emulator send to it. It is fixed so that their settings stay the same.
const SMTP_PORT: u16 = 2525;

/// What is announced when everything is ready.
pub struct Announcement {
    /// The URLs and parts.
    pub ready: Ready,
    /// The demo accounts that were created, if asked for.
    pub people: Vec<Person>,
}

/// Runs everything until `stop`.
///
/// # Errors
/// Fails if a part cannot start: the port or the data folder is in use, the database is damaged, or the emulator
/// refuses.
pub async fn run(
    options: Options,
    stop: CancellationToken,
    tell: impl FnOnce(&Announcement),
) -> Result<(), LocalError> {
    let started = Instant::now();
    let mut folder = options.data.as_deref().map(DataFolder::open).transpose()?;
    let listener = listen(options.host, options.port).await?;
    let address = listener.local_addr().map_err(|error| LocalError::part("the edge", error))?;
    let url_of = {
        let (https, port) = (options.https, address.port());
        move |host: IpAddr| url(https, &host_text(host), port)
    };
    let url = own_url(&options, address.port());
    if let Some(folder) = &mut folder {
        // The text is only for the error message of the next process; the lock works without it.
        let _ = folder.sign(&url);
    }
    let network = addresses::reachable(options.host);
    let tls = match options.https {
        true => Some(Arc::new(Certificates::new(folder.as_ref().map(DataFolder::path), &network)?)),
        false => None,
    };
    let mailbox = Arc::new(Mailbox::default());
    let smtp_port = start_mail(options.endpoint.is_some(), &mailbox, &stop).await?;
    let mut settings = programs::settings(&options.config, &url, smtp_port);
    let relay = relay::listen(&options, &network)?;
    settings.turn.urls.extend(relay.iter().flat_map(|sockets| sockets.urls(&own_host(&options))));
    settings.allowed_origins.extend(loopback_origins(&options, address.port()));
    let mut backend = backend::start(&options, folder.as_ref(), settings, &stop).await?;
    backend.parts.extend(relay.iter().map(|sockets| Part::embedded("Relay", &sockets.place)));
    let _relay = relay.map(|sockets| relay::serve(sockets, Arc::clone(&backend.secrets))).transpose()?;
    let conditions = Arc::new(Conditions::new(options.network));
    let reload = options.assets.as_deref().map(Reload::watch).transpose()?;
    let mail_key = options.private_mail.then(MailKey::random);
    let mailbox_url = mail_key.as_ref().map_or_else(|| mailbox_at(&url), |key| key.url(&mailbox_at(&url)));
    let mailbox = (peersync_mailbox::router(mailbox), mail_key);
    let app = routes(&options, &backend, mailbox, &conditions, reload.as_ref());
    let people = match options.seed {
        true => seed::demo(&backend.api_state).await?,
        false => Vec::new(),
    };
    let timer = Arc::clone(&conditions);
    let until = stop.clone();
    tokio::spawn(async move { timer.run(until).await });
    if !network.is_empty() {
        tokio::spawn(addresses::watch(options.host, network.clone(), url_of, stop.clone()));
    }
    let serving = tokio::spawn(edge::serve(listener, Listening { app, tls, conditions }, stop.clone()));
    tell(&Announcement {
        ready: Ready {
            mailbox: mailbox_url,
            network_urls: network.iter().copied().map(url_of).collect(),
            url,
            https: options.https,
            elapsed: started.elapsed(),
            parts: backend.parts.clone(),
            missing: backend.missing.clone(),
        },
        people,
    });
    stop.cancelled().await;
    if tokio::time::timeout(GOODBYE, backend.signaling.drain()).await.is_err() {
        warn!(target: "signal", "some connections were closed without a closing handshake");
    }
    serving.await.map_err(|error| LocalError::part("the edge", error))
}

async fn listen(host: IpAddr, port: u16) -> Result<TcpListener, LocalError> {
    let address = SocketAddr::new(host, port);
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => LocalError::PortTaken { port },
        _ => LocalError::Listen { address: address.to_string(), source },
    })
}

/// Returns the URL that this computer itself uses.
fn own_url(options: &Options, port: u16) -> String {
    url(options.https, &own_host(options), port)
}

/// Returns the host in that URL: `localhost`, unless `local` listens elsewhere.
fn own_host(options: &Options) -> String {
    let localhost = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    match options.host {
        host if localhost.contains(&host) || host.is_unspecified() => "localhost".to_owned(),
        host => host_text(host),
    }
}

/// Returns the other origins of this computer's own pages. A page at an address in the network is allowed where it asks
/// at its own address, see [`edge`].
fn loopback_origins(options: &Options, port: u16) -> impl Iterator<Item = String> {
    let https = options.https;
    ["localhost", "127.0.0.1", "[::1]"].into_iter().map(move |host| url(https, host, port))
}

fn url(https: bool, host: &str, port: u16) -> String {
    let scheme = if https { "https" } else { "http" };
    format!("{scheme}://{host}:{port}")
}

/// Returns the URL of the mailbox.
fn mailbox_at(url: &str) -> String {
    format!("{url}/_mail")
}

/// Starts the sink and returns its port.
async fn start_mail(fixed: bool, mailbox: &Arc<Mailbox>, stop: &CancellationToken) -> Result<u16, LocalError> {
    let failed = |error| LocalError::part("the mailbox", error);
    let usual = if fixed { TcpListener::bind(("127.0.0.1", SMTP_PORT)).await.ok() } else { None };
    let listener = match usual {
        Some(listener) => listener,
        None => TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?,
    };
    let port = listener.local_addr().map_err(failed)?.port();
    tokio::spawn(peersync_mailbox::serve(listener, Sink { mailbox: Arc::clone(mailbox) }, stop.clone()));
    Ok(port)
}

fn routes(
    options: &Options,
    backend: &Backend,
    (mailbox, mail_key): (Router, Option<MailKey>),
    conditions: &Arc<Conditions>,
    reload: Option<&Reload>,
) -> Router {
    let source = match &options.assets {
        Some(folder) => Source::Folder(folder.clone()),
        None => backend.pages.clone(),
    };
    edge::router(Upstreams {
        api: backend.api.clone(),
        signaling: backend.signaling.router(),
        mailbox,
        mail_key,
        pages: Pages {
            source,
            config_json: peersync_resources::pages::config_json("/ws", &options.config.stage).into(),
        },
        reload: reload.map(Reload::router),
        conditions: Arc::clone(conditions),
        origin_key: backend.origin_key.clone(),
    })
}
