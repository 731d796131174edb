//! Asks the system's name servers for CAA records: the system's own functions ask for addresses alone. It is one question of
//! a hundred bytes, for which a resolver as a library would bring its own caches and pools.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::Record;

/// Where the system names its servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// As many of them are asked as by the system's functions.
const SERVERS: usize = 3;
const PORT: u16 = 53;
/// How long a server may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// The type of CAA records, and the class of the Internet.
const CAA: u16 = 257;
const INTERNET: u16 = 1;
/// In the flags of an answer: that it is one, that it was cut off, and that the name does not exist.
const ANSWER: u16 = 0x8000;
const CUT_OFF: u16 = 0x0200;
const CODE: u16 = 0x000f;
const NO_SUCH_NAME: u16 = 3;
/// In the flags of a question: that the server is to ask others.
const RECURSION: u16 = 0x0100;
/// In the flags of a CAA record: that who does not know its property must not issue.
const CRITICAL: u8 = 0x81;

/// Returns the system's name servers, as far as it tells them.
pub(super) fn servers() -> Vec<SocketAddr> {
    listed(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default())
}

fn listed(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        address.parse::<IpAddr>().ok()
    });
    addresses.take(SERVERS).map(|address| SocketAddr::new(address, PORT)).collect()
}

/// Returns the CAA records of a name; `None` if no server tells them.
pub(super) async fn records(servers: &[SocketAddr], name: &str) -> Option<Vec<Record>> {
    let [high, low, ..] = RandomState::new().hash_one(name).to_be_bytes();
    let id = u16::from_be_bytes([high, low]);
    let question = question(id, name)?;
    for server in servers {
        let answer = timeout(DEADLINE, exchange(*server, &question)).await;
        if let Some(records) = answer.ok().and_then(Result::ok).and_then(|answer| read(&answer)) {
            return Some(records);
        }
    }
    None
}

/// Returns the question for the CAA records of a name; `None` if it is no name.
fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut packet: Vec<u8> = [id, RECURSION, 1, 0, 0, 0].iter().flat_map(|number| number.to_be_bytes()).collect();
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        packet.push(length);
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend([CAA, INTERNET].iter().flat_map(|number| number.to_be_bytes()));
    Some(packet)
}

/// Asks a server by UDP, and by TCP if the answer does not fit. What does not begin with the question is no answer to it.
async fn exchange(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut packet = vec![0; 4096];
    loop {
        let size = socket.recv(&mut packet).await?;
        let answer = packet.get(..size).unwrap_or_default();
        if !is_answer(answer, question) {
            continue;
        }
        if number(answer, 2).is_some_and(|flags| flags & CUT_OFF != 0) {
            return by_tcp(server, question).await;
        }
        return Ok(answer.to_vec());
    }
}

async fn by_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    if is_answer(&answer, question) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Returns whether a packet answers a question: with its id, and repeating it.
fn is_answer(packet: &[u8], question: &[u8]) -> bool {
    let (id, asked) = (number(question, 0), question.get(12..).unwrap_or_default());
    let repeated = packet.get(12..).and_then(|rest| rest.get(..asked.len()));
    number(packet, 0) == id
        && number(packet, 2).is_some_and(|flags| flags & ANSWER != 0)
        && repeated.is_some_and(|repeated| repeated.eq_ignore_ascii_case(asked))
}

/// Reads the CAA records of an answer, those of an alias's target included; `None` if it is no useful one.
fn read(packet: &[u8]) -> Option<Vec<Record>> {
    let [flags, questions, answers] = [number(packet, 2)?, number(packet, 4)?, number(packet, 6)?];
    match flags & CODE {
        0 => {}
        NO_SUCH_NAME => return Some(Vec::new()),
        _ => return None,
    }
    let mut at = 12;
    for _ in 0..questions {
        at = after_name(packet, at)? + 4;
    }
    let mut records = Vec::new();
    for _ in 0..answers {
        let fixed = after_name(packet, at)?;
        let (kind, length) = (number(packet, fixed)?, usize::from(number(packet, fixed + 8)?));
        let data = packet.get(fixed + 10..)?.get(..length)?;
        at = fixed + 10 + length;
        if kind == CAA {
            records.push(record(data)?);
        }
    }
    Some(records)
}

fn record(data: &[u8]) -> Option<Record> {
    let (flags, rest) = data.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (tag, value) = rest.split_at_checked(usize::from(*length))?;
    Some(Record {
        is_critical: flags & CRITICAL != 0,
        tag: String::from_utf8_lossy(tag).to_ascii_lowercase(),
        value: String::from_utf8_lossy(value).into_owned(),
    })
}

/// Returns where a name ends: after its labels, or after a reference to the rest of it.
fn after_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            label @ 1..64 => at += 1 + usize::from(label),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

fn number(packet: &[u8], at: usize) -> Option<u16> {
    let [high, low] = packet.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes([*high, *low]))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// An answer to a question with these flags and these records, of which each has its type and its data.
    fn answer(question: &[u8], flags: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut packet = question.to_vec();
        packet[2..4].copy_from_slice(&(ANSWER | flags).to_be_bytes());
        packet[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        for (kind, data) in records {
            packet.extend([0xc0, 12]);
            packet.extend([*kind, INTERNET, 0, 60, data.len() as u16].iter().flat_map(|number| number.to_be_bytes()));
            packet.extend(*data);
        }
        packet
    }

    /// Starts a name server, which answers by UDP and by TCP with what `answer` makes of the question, and returns its
    /// address.
    async fn server(answer: fn(&[u8], bool) -> Vec<u8>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((size, from)) = socket.recv_from(&mut packet).await {
                // What somebody else sends is not taken for the answer.
                socket.send_to(&[0; 40], from).await.unwrap();
                socket.send_to(&answer(&packet[..size], false), from).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut question = vec![0; stream.read_u16().await.unwrap().into()];
                stream.read_exact(&mut question).await.unwrap();
                let answer = answer(&question, true);
                stream.write_u16(answer.len() as u16).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    fn issue(value: &str) -> Record {
        Record { is_critical: false, tag: "issue".to_owned(), value: value.to_owned() }
    }

    #[tokio::test]
    async fn records_of_a_name_and_of_its_alias_are_read() {
        const ALIAS: (u16, &[u8]) = (5, &[1, b'x', 0]);
        let server = server(|question, _| {
            assert_eq!(question[12..], *b"\x07example\x03org\x00\x01\x01\x00\x01");
            answer(question, 0, &[ALIAS, (CAA, b"\x00\x05IssueA.example"), (CAA, b"\x80\x03abcd")])
        });
        let critical = Record { is_critical: true, tag: "abc".to_owned(), value: "d".to_owned() };
        let found = records(&[server.await], "example.org").await;
        assert_eq!(found, Some(vec![issue("A.example"), critical]));
    }

    #[tokio::test]
    async fn answer_that_does_not_fit_comes_by_tcp() {
        let server = server(|question, by_tcp| {
            let records: &[(u16, &[u8])] = if by_tcp { &[(CAA, b"\x00\x05issuea.example")] } else { &[] };
            answer(question, if by_tcp { 0 } else { CUT_OFF }, records)
        });
        assert_eq!(records(&[server.await], "example.org").await, Some(vec![issue("a.example")]));
    }

    #[tokio::test]
    async fn name_that_does_not_exist_has_no_records_and_a_failing_server_tells_nothing() {
        let without = server(|question, _| answer(question, NO_SUCH_NAME, &[])).await;
        let failing = server(|question, _| answer(question, 2, &[])).await;
        assert_eq!(records(&[failing, without], "example.org").await, Some(Vec::new()), "the next one is asked");
        assert_eq!(records(&[failing], "example.org").await, None);
        assert_eq!(records(&[], "example.org").await, None);
        assert_eq!(records(&[without], "example..org").await, None);
    }

    #[test]
    fn malformed_answers_are_none() {
        let question = question(7, "example.org").unwrap();
        let whole = answer(&question, 0, &[(CAA, b"\x00\x05issuea.example")]);
        assert!(read(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length} bytes");
        }
        let longer = answer(&question, 0, &[(CAA, b"\x00\x06issue")]);
        assert_eq!(read(&longer), None, "the property is longer than the record");
        let mut other = whole.clone();
        other[13] ^= 1;
        assert!(is_answer(&whole, &question) && !is_answer(&other, &question), "to another question");
    }

    #[test]
    fn servers_are_those_of_the_system() {
        let text = "# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.1\nnameserver ::1 x\nnameserver fe80::1%eth0\n";
        let expected: Vec<SocketAddr> = vec!["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()];
        assert_eq!(listed(text), expected);
    }
}
