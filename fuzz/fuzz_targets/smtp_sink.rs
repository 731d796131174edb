//! The SMTP server of `local`: any bytes of a client end in answers, without a panic and without waiting for ever, and
//! what arrives in the mailbox can be shown.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use peersync_mailbox::{Mailbox, Sink, converse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// Says these bytes, hangs up, and returns the answers.
async fn say(bytes: &[u8], mailbox: &Arc<Mailbox>) -> Vec<u8> {
    let (server, client) = duplex(64 * 1024);
    let (mut read, mut write) = tokio::io::split(client);
    let server = converse(server, Sink { mailbox: Arc::clone(mailbox) });
    let speaker = async {
        // The server may hang up first.
        let _ = write.write_all(bytes).await;
        let _ = write.shutdown().await;
    };
    let mut answers = Vec::new();
    let (_, (), _) = tokio::join!(server, speaker, read.read_to_end(&mut answers));
    answers
}

fuzz_target!(|bytes: &[u8]| {
    let mailbox = Arc::new(Mailbox::default());
    let answers = RUNTIME.block_on(async { tokio::time::timeout(Duration::from_secs(5), say(bytes, &mailbox)).await });
    let answers = String::from_utf8(answers.expect("the conversation ends")).expect("answers are text");
    for line in answers.split_terminator("\r\n") {
        assert!(line.len() > 3 && line.bytes().take(3).all(|digit| digit.is_ascii_digit()), "no SMTP answer: {line}");
    }
    assert_eq!(mailbox.all().len(), answers.matches("250 2.0.0 delivered").count());
    serde_json::to_string(&mailbox.all()).expect("messages can be shown");
});
