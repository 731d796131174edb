#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic here fails the test")]

use lettre::message::MultiPart;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;

use super::*;

async fn start() -> (u16, Arc<Mailbox>, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mailbox, stop) = (Arc::new(Mailbox::default()), CancellationToken::new());
    tokio::spawn(serve(listener, Sink { mailbox: Arc::clone(&mailbox) }, stop.clone()));
    (port, mailbox, stop)
}

/// Sends the lines and returns the last line of the answer to each.
async fn talk(port: u16, lines: &[&str]) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let mut answers = vec![answer(&mut stream).await];
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        answers.push(answer(&mut stream).await);
    }
    answers
}

async fn answer(stream: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    }
}

fn mail(subject: &str, text: &str) -> Message {
    Message::builder()
        .from("PeerSync <no-reply@localhost>".parse().unwrap())
        .to("ann@example.org".parse().unwrap())
        .subject(subject)
        .multipart(MultiPart::alternative_plain_html(text.to_owned(), format!("<p>{text}</p>")))
        .unwrap()
}

#[tokio::test]
async fn messages_from_lettre_arrive_in_the_mailbox() {
    let (port, mailbox, _stop) = start().await;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(port).build();
    transport.send(mail("Grüße", "one\n.\n..two\nhttp://localhost/login.html#token=x")).await.unwrap();
    transport.send(mail("second", "over the same connection")).await.unwrap();
    let all = mailbox.all();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].to, "ann@example.org");
    assert_eq!(all[0].subject, "Grüße");
    assert_eq!(all[0].text.trim_end(), "one\n.\n..two\nhttp://localhost/login.html#token=x");
    assert!(all[0].html.starts_with("<p>one"), "{}", all[0].html);
}

#[tokio::test]
async fn any_password_is_accepted() {
    let (port, mailbox, _stop) = start().await;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(port)
        .credentials(Credentials::new("user".into(), "anything".into()))
        .build();
    transport.send(mail("hello", "text")).await.unwrap();
    assert_eq!(mailbox.all().len(), 1);
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    let (port, mailbox, _stop) = start().await;
    let answers = talk(port, &["EHLO me", "RCPT TO:<a@b.c>", "DATA", "NONSENSE", "VRFY ann", "QUIT"]).await;
    let codes: Vec<&str> = answers.iter().map(|answer| &answer[..3]).collect();
    assert_eq!(codes, ["220", "250", "503", "503", "500", "502", "221"]);
    assert!(mailbox.all().is_empty());
}

#[tokio::test]
async fn oversized_messages_are_refused() {
    let (port, mailbox, _stop) = start().await;
    let line = "x".repeat(1000);
    let body = format!("{line}\r\n").repeat(MESSAGE_BYTES / 1000 + 1);
    let answers = talk(port, &["HELO me", "MAIL FROM:<a@b.c>", "RCPT TO:<d@e.f>", "DATA", &body]).await;
    assert!(answers.last().unwrap().starts_with("552"), "{answers:?}");
    assert!(mailbox.all().is_empty());
}

#[tokio::test]
async fn endless_lines_are_cut_off() {
    let (port, _mailbox, _stop) = start().await;
    let answers = talk(port, &[&"x".repeat(9000)]).await;
    assert!(answers.last().unwrap().starts_with("500"), "{answers:?}");
}

#[tokio::test]
async fn stopping_closes_open_connections() {
    let (port, _mailbox, stop) = start().await;
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    assert!(answer(&mut stream).await.starts_with("220"));
    stop.cancel();
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

/// Sends all at once, and returns everything that is answered until the connection ends.
async fn shout(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // The connection may end before everything is sent.
    let _ = stream.write_all(text.as_bytes()).await;
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8(answer).unwrap()
}

const MAIL: &str =
    "EHLO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: forged\r\n\r\ntext\r\n.\r\nQUIT\r\n";

#[tokio::test]
async fn request_of_a_web_page_never_becomes_a_mail() {
    let (port, mailbox, _stop) = start().await;
    let length = MAIL.len();
    let heads = [
        format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        ),
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".to_owned(),
        "OPTIONS / HTTP/1.1\r\n\r\n".to_owned(),
        "NOOP / HTTP/1.1\r\n\r\n".to_owned(),
        "RSET / HTTP/1.1\r\n\r\n".to_owned(),
        "\r\n".to_owned(),
        "\n".to_owned(),
        "\u{16}\u{3}\u{1}\r\n".to_owned(),
        format!("POST /{} HTTP/1.1\r\n", "x".repeat(5000)),
    ];
    for head in heads {
        let answer = shout(port, &format!("{head}{MAIL}")).await;
        assert!(!answer.contains("delivered"), "{head}: {answer}");
    }
    assert!(mailbox.all().is_empty());
    assert!(shout(port, MAIL).await.contains("250 2.0.0 delivered"), "the same by SMTP");
}

#[tokio::test]
async fn client_of_only_wrong_commands_is_cut_off() {
    let (port, _mailbox, _stop) = start().await;
    let answer = shout(port, &format!("EHLO me\r\n{}", "NONSENSE\r\n".repeat(ERRORS + 5))).await;
    assert_eq!(answer.matches("500 ").count(), ERRORS, "{answer}");
}

#[tokio::test]
async fn silent_connections_delay_no_mail() {
    let (port, mailbox, _stop) = start().await;
    let mut silent = Vec::new();
    for _ in 0..1100 {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    assert!(shout(port, MAIL).await.contains("250 2.0.0 delivered"));
    assert_eq!(mailbox.all().len(), 1);
    // The newest are still open: the mail did not wait for their end.
    for stream in silent.iter_mut().rev().take(CONNECTIONS - 1) {
        let mut greeting = [0; "220 localhost PeerSync local mailbox\r\n".len()];
        stream.read_exact(&mut greeting).await.unwrap();
        let open = stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        assert!(open, "a newer silent connection was closed");
    }
}
