//! A small SMTP server on loopback: accepts every message for everybody and puts it into the mailbox.
//!
//! With it, mail takes the same path as in AWS, through the API's SMTP transport, up to the network. Its port is open to
//! everything on this computer, also to pages in a browser, so whoever does not speak SMTP from the first line on is cut
//! off.

use std::io;
use std::slice::Iter;
use std::sync::Arc;
use std::time::Duration;

use peersync_places::{Place, Places};
use smtp_proto::request::receiver::{DataReceiver, RequestReceiver};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, Error, Request};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::{Mailbox, parse};

/// The maximum number of connections, beyond which the longest silent one gives way.
const CONNECTIONS: usize = 32;
/// The maximum number of broken or misplaced commands of a connection; ours sends none.
const ERRORS: usize = 10;
/// The pause after an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest message in bytes, as announced by SIZE; ours have a few kilobytes.
const MESSAGE_BYTES: usize = 1024 * 1024;
/// The maximum number of recipients of one message; RFC 5321 requires at least 100.
const RECIPIENTS: usize = 100;
/// How long a client may be silent; RFC 5321 requires 5 minutes.
const IDLE: Duration = Duration::from_secs(300);

/// Where the messages go.
#[derive(Clone, Debug)]
pub struct Sink {
    /// The mailbox.
    pub mailbox: Arc<Mailbox>,
}

/// Serves until `stop`. A failed connection does not end it.
pub async fn serve(listener: TcpListener, sink: Sink, stop: CancellationToken) {
    let places = Places::new(CONNECTIONS, CONNECTIONS);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some((place, displaced)) = places.enter(address.ip()) else { continue };
        let (sink, stop) = (sink.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = displaced.wait() => debug!(target: "mail", "a silent SMTP connection gave way to another"),
                ended = Session::new(stream, sink, Some(place)).run() => if let Err(error) = ended {
                    debug!(target: "mail", %error, "an SMTP connection ended");
                },
            }
        });
    }
}

/// Speaks SMTP with one client until it leaves.
///
/// # Errors
/// The connection failed, or the client was silent for five minutes.
pub async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, sink: Sink) -> io::Result<()> {
    Session::new(stream, sink, None).run().await
}

/// What the session does after a command, besides answering.
enum Next {
    Commands,
    Data,
    Quit,
}

struct Session<S> {
    stream: S,
    sink: Sink,
    /// The connection's place among all, if they are bounded.
    place: Option<Place>,
    /// Whether the client has said who it is. Until then, whatever else it says ends the connection: a page in a browser
    /// can send a request here whose body are SMTP commands, but the first line is HTTP's.
    greeted: bool,
    /// The number of broken and misplaced commands so far.
    errors: usize,
    /// The envelope's sender; without it, RCPT and DATA are out of order.
    sender: Option<String>,
    recipients: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S, sink: Sink, place: Option<Place>) -> Self {
        Self { stream, sink, place, greeted: false, errors: 0, sender: None, recipients: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        self.answer("220 localhost PeerSync local mailbox").await?;
        let mut requests = RequestReceiver::default();
        let mut buffer = vec![0_u8; 8 * 1024];
        // The message being received: its receiver and the bytes so far.
        let mut message: Option<(DataReceiver, Vec<u8>)> = None;
        loop {
            let read = tokio::time::timeout(IDLE, self.stream.read(&mut buffer)).await??;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            self.place.iter().for_each(Place::heard);
            let mut bytes = bytes.iter();
            while !bytes.as_slice().is_empty() {
                if let Some((receiver, body)) = &mut message {
                    let complete = receiver.ingest(&mut bytes, body);
                    if body.len() > MESSAGE_BYTES {
                        return self.answer("552 5.3.4 message too big").await;
                    }
                    if complete {
                        let body = std::mem::take(body);
                        message = None;
                        self.deliver(&body).await?;
                    }
                    continue;
                }
                match self.command(&mut requests, &mut bytes).await? {
                    Next::Commands => {}
                    Next::Data => message = Some((DataReceiver::new(), Vec::new())),
                    Next::Quit => return Ok(()),
                }
            }
        }
    }

    async fn command(&mut self, requests: &mut RequestReceiver, bytes: &mut Iter<'_, u8>) -> io::Result<Next> {
        let request = match requests.ingest(bytes) {
            Ok(request) => request.into_owned(),
            Err(Error::NeedsMoreData { .. }) => return Ok(Next::Commands),
            Err(Error::ResponseTooLong) => {
                self.answer("500 5.5.2 line too long").await?;
                return Ok(Next::Quit);
            }
            Err(_) => return self.refuse("500 5.5.1 command not recognized").await,
        };
        match request {
            Request::Ehlo { .. } | Request::Helo { .. } => self.greeted = true,
            Request::Quit => {}
            _ if !self.greeted => return self.refuse("503 5.5.1 EHLO is required first").await,
            _ => {}
        }
        self.obey(request).await
    }

    /// Refuses a command, and ends the connection if the client does not speak SMTP.
    async fn refuse(&mut self, answer: &str) -> io::Result<Next> {
        self.errors += 1;
        self.answer(answer).await?;
        if self.greeted && self.errors < ERRORS {
            return Ok(Next::Commands);
        }
        self.answer("421 4.7.0 goodbye").await?;
        Ok(Next::Quit)
    }

    async fn obey(&mut self, request: Request<String>) -> io::Result<Next> {
        match request {
            Request::Ehlo { .. } => {
                self.reset();
                self.answer(&format!(
                    "250-localhost\r\n250-PIPELINING\r\n250-SIZE {MESSAGE_BYTES}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                     250 AUTH PLAIN LOGIN"
                ))
                .await?;
            }
            Request::Helo { .. } => {
                self.reset();
                self.answer("250 localhost").await?;
            }
            Request::Auth { mechanism, initial_response } => self.sign_in(mechanism, &initial_response).await?,
            Request::Mail { from } => {
                self.reset();
                self.sender = Some(from.address);
                self.answer("250 2.1.0 OK").await?;
            }
            Request::Rcpt { to } => self.recipient(to.address).await?,
            Request::Data if self.recipients.is_empty() => {
                return self.refuse("503 5.5.1 RCPT TO is required first").await;
            }
            Request::Data => {
                self.answer("354 end the message with a dot on its own line").await?;
                return Ok(Next::Data);
            }
            Request::Rset => {
                self.reset();
                self.answer("250 2.0.0 forgotten").await?;
            }
            Request::Noop { .. } => self.answer("250 2.0.0 OK").await?,
            Request::Quit => {
                self.answer("221 2.0.0 goodbye").await?;
                return Ok(Next::Quit);
            }
            other => return self.refuse(&format!("502 5.5.1 {} is not implemented", other.name())).await,
        }
        Ok(Next::Commands)
    }

    /// Accepts any user with any password: nothing leaves this computer.
    async fn sign_in(&mut self, mechanism: u64, initial_response: &str) -> io::Result<()> {
        if mechanism == AUTH_PLAIN && !initial_response.is_empty() {
            return self.answer("235 2.7.0 accepted").await;
        }
        let prompts: &[&str] = match mechanism {
            AUTH_PLAIN => &["334 "],
            // "Username:" and "Password:" in base64, as the mechanism requires.
            AUTH_LOGIN if initial_response.is_empty() => &["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"],
            AUTH_LOGIN => &["334 UGFzc3dvcmQ6"],
            _ => return self.answer("504 5.5.4 authentication mechanism not supported").await,
        };
        for prompt in prompts {
            self.answer(prompt).await?;
            let mut reply = [0_u8; 1024];
            if tokio::time::timeout(IDLE, self.stream.read(&mut reply)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.answer("235 2.7.0 accepted").await
    }

    async fn recipient(&mut self, address: String) -> io::Result<()> {
        if self.sender.is_none() {
            return self.answer("503 5.5.1 MAIL FROM is required first").await;
        }
        if self.recipients.len() >= RECIPIENTS {
            return self.answer("452 4.5.3 too many recipients").await;
        }
        self.recipients.push(address);
        self.answer("250 2.1.5 OK").await
    }

    async fn deliver(&mut self, body: &[u8]) -> io::Result<()> {
        let message = parse::parse(&self.recipients, body);
        info!(target: "mail", to = %message.to, subject = %message.subject, "received");
        self.sink.mailbox.add(message);
        self.reset();
        self.answer("250 2.0.0 delivered to the mailbox").await
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    async fn answer(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await
    }
}

#[cfg(test)]
mod tests;
