#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic here fails the test")]

use lettre::message::MultiPart;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::{AsyncBufReadExt as _, BufReader};

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
