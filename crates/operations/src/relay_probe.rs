//! Asks the relay on the host for an answer: a binding request of STUN (RFC 8489), by UDP, TCP and TLS. It needs no
//! credentials and leaves nothing behind.

use std::io;
use std::time::{Duration, Instant};

use futures::future::join_all;
use peersync_relay::client::{Ask, Asker, is_answer};
use peersync_resources::Relay;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

use crate::tls;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// The time before a request by UDP is repeated (RFC 8489, section 6.2.1).
const REPEAT: Duration = Duration::from_millis(500);
/// The length of the header of a message, in bytes.
const HEADER: usize = 20;
/// The longest answer that is read, in bytes.
const LONGEST: usize = 548;

/// A way to the relay, and what came of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAnswer {
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// The port.
    pub port: u16,
    /// How long the answer took, or why there was none.
    pub answered: Result<Duration, String>,
}

/// Sends a binding request to each port of the relay at `host`, all at once. With TLS, the certificate must be one that
/// this computer trusts.
pub async fn probe_relay(host: &str, relay: &Relay) -> Vec<RelayAnswer> {
    let of = |transport: &'static str, ports: &'static [u16]| ports.iter().map(move |port| (transport, *port));
    let tcp = of("tcp", relay.tcp).chain(of("tcp", relay.shared));
    let tls = of("tls", relay.tls).chain(of("tls", relay.shared));
    let ways = of("udp", relay.udp).chain(tcp).chain(tls);
    join_all(ways.map(|(transport, port)| async move {
        let begun = Instant::now();
        let asked = async {
            match transport {
                "udp" => udp(host, port).await,
                "tcp" => ask(TcpStream::connect((host, port)).await?).await,
                _ => tls_once(host, port).await,
            }
        };
        let answered = match timeout(DEADLINE, asked).await {
            Ok(Ok(())) => Ok(begun.elapsed()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
        };
        RelayAnswer { transport, port, answered }
    }))
    .await
}

/// Repeats the request until an answer comes, since packets can be lost.
async fn udp(host: &str, port: u16) -> io::Result<()> {
    let address = lookup_host((host, port)).await?.next().ok_or(io::ErrorKind::NotFound)?;
    let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(address).await?;
    let request = request();
    let mut answer = [0; LONGEST];
    loop {
        socket.send(&request).await?;
        if let Ok(received) = timeout(REPEAT, socket.recv(&mut answer)).await
            && is_answer(answer.get(..received?).unwrap_or_default(), &request)
        {
            return Ok(());
        }
    }
}

async fn tls_once(host: &str, port: u16) -> io::Result<()> {
    ask(tls::connect(host, port, tls::trusted()).await?).await
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let request = request();
    stream.write_all(&request).await?;
    let other = || io::Error::other("the answer is none of STUN");
    let mut answer = vec![0; HEADER];
    stream.read_exact(&mut answer).await?;
    // The length of what follows the header (RFC 8489, section 5).
    let length = answer.get(2..4).and_then(|length| length.try_into().ok()).map_or(0, u16::from_be_bytes);
    let whole = HEADER + usize::from(length);
    if whole > LONGEST {
        return Err(other());
    }
    answer.resize(whole, 0);
    stream.read_exact(answer.get_mut(HEADER..).unwrap_or_default()).await?;
    if is_answer(&answer, &request) { Ok(()) } else { Err(other()) }
}

fn request() -> Vec<u8> {
    Asker::new("", "").ask(&Ask::Binding)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use peersync_relay::{Authority, Grant, Limits, Settings, TlsSettings, bind, serve};
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use tokio::net::TcpListener;

    use super::*;

    struct Nobody;

    impl Authority for Nobody {
        fn grant(&self, _: &str) -> Option<Grant> {
            None
        }
    }

    async fn probe(udp: u16, tcp: u16) -> Vec<RelayAnswer> {
        let port = |port: u16| &*Box::leak(Box::new([port]));
        probe_relay("127.0.0.1", &Relay { udp: port(udp), tcp: port(tcp), tls: &[], shared: &[] }).await
    }

    #[tokio::test]
    async fn relay_answers_by_udp_and_tcp() {
        let any = [(Ipv4Addr::LOCALHOST, 0).into()];
        let listeners = bind(&any, &any, &[]).unwrap();
        let (udp, tcp) = (listeners.udp_addresses().unwrap(), listeners.tcp_addresses().unwrap());
        let settings = Settings { realm: "test".to_owned(), address: Ipv4Addr::LOCALHOST, limits: Limits::default() };
        let relay = peersync_relay::Relay::new(settings, Nobody, Instant::now());
        let _running = serve(relay, listeners, None).unwrap();
        for (udp, tcp) in udp.iter().zip(&tcp) {
            let answers = probe(udp.port(), tcp.port()).await;
            assert!(answers.len() == 2 && answers.iter().all(|one| one.answered.is_ok()), "{answers:?}");
        }
    }

    #[tokio::test]
    async fn way_without_answer_says_why() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (udp, tcp) = (silent.local_addr().unwrap().port(), closed.local_addr().unwrap().port());
        drop(closed);
        let answers = probe(udp, tcp).await;
        let reasons: Vec<String> = answers.into_iter().filter_map(|one| one.answered.err()).collect();
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason == "no answer within 3 s"), "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason.contains("refused")), "{reasons:?}");
    }

    #[tokio::test]
    async fn server_of_another_protocol_is_no_relay() {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = other.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = other.accept().await {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        });
        let answered = ask(TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await;
        assert!(answered.is_err_and(|error| error.to_string().contains("none of STUN")));
    }
    #[tokio::test]
    async fn certificate_that_is_not_trusted_is_a_way_that_is_closed() {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
        let certified = CertifiedKey::from_der(vec![signed.cert.der().clone()], key, &ring::default_provider());
        let certificates = Arc::new(SingleCertAndKey::from(certified.unwrap()));
        let listeners = bind(&[], &[], &[]).unwrap().share(&[(Ipv4Addr::LOCALHOST, 0).into()]).unwrap();
        let port = listeners.shared_addresses().unwrap().first().unwrap().port();
        let settings = Settings { realm: "test".to_owned(), address: Ipv4Addr::LOCALHOST, limits: Limits::default() };
        let relay = peersync_relay::Relay::new(settings, Nobody, Instant::now());
        let tls = TlsSettings { certificates, signal: (Ipv4Addr::LOCALHOST, port).into(), direct: true };
        let _running = serve(relay, listeners, Some(tls)).unwrap();
        let shared = &*Box::leak(Box::new([port]));
        let answers = probe_relay("localhost", &Relay { udp: &[], tcp: &[], tls: &[], shared }).await;
        let of = |transport: &str| answers.iter().find(|one| one.transport == transport).unwrap().answered.clone();
        assert!(answers.len() == 2 && of("tcp").is_ok(), "{answers:?}");
        assert!(of("tls").unwrap_err().contains("certificate"), "{answers:?}");
    }
}
