//! Attacks that were tried against the running server and gained nothing: tickets, resumed sessions, frames, crowds.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use peersync_signal::Limits;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::client::{Came, Client};
use crate::world::{World, guest, user};

/// A text in base64url.
fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn decode(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn changed_and_forged_tickets_are_refused() {
    let world = World::new().await;
    let ticket = world.ticket_of(guest("Eve", "r"), 0);
    let [head, claims, signature] = ticket.split('.').collect::<Vec<_>>().try_into().unwrap();
    let (plain_head, plain_claims) = (decode(head), decode(claims));
    let mut forged = Vec::new();
    for algorithm in ["none", "None", "HS384", "HS512", "RS256", "ES256", "EdDSA", "HS256 "] {
        let head = encode(&plain_head.replace("HS256", algorithm));
        forged.extend(["", signature].map(|signature| format!("{head}.{claims}.{signature}")));
    }
    for field in [
        r#""jwk":{"kty":"oct","k":"AAAA"},"#,
        r#""jku":"https://evil.example/keys","#,
        r#""x5u":"https://evil.example/","#,
        r#""crit":["exp"],"exp":1,"#,
        r#""kid":"../../dev/null","#,
        r#""kid":"","#,
    ] {
        let head = encode(&plain_head.replacen('{', &format!("{{{field}"), 1));
        forged.push(format!("{head}.{claims}.{signature}"));
    }
    for (before, after) in [
        (r#""guest":true"#, r#""guest":false"#),
        (r#""room":"r""#, r#""room":"other""#),
        (r#""aud":"signal""#, r#""aud":"other""#),
        (r#""iss":"#, r#""nbf":0,"iss":"#),
        (r#""exp":"#, r#""exp":9999999999,"was":"#),
        ("guest:", "ada@example.org:"),
    ] {
        assert!(plain_claims.contains(before), "{before}");
        forged.push(format!("{head}.{}.{signature}", encode(&plain_claims.replacen(before, after, 1))));
    }
    forged.extend([
        format!("{ticket}."),
        format!("{ticket}="),
        format!(".{ticket}"),
        ticket.replace('.', ".."),
        "a.b.c".into(),
    ]);
    forged.extend([format!("{head}.{claims}."), format!("{head}.{claims}"), format!("{head}..{signature}")]);
    for ticket in &forged {
        let mut client = Client::connect(world.address).await;
        client.send(json!({ "type": "hello", "ticket": ticket })).await;
        client.closed_for("ticket_invalid", 4001).await;
    }
    assert!(forged.len() > 35);
    Client::welcome(world.address, &ticket).await;
}

#[tokio::test]
async fn one_ticket_in_six_sockets_at_once_gets_one_of_them_in() {
    let world = World::new().await;
    for _ in 0..10 {
        let ticket = world.ticket("ada@example.org");
        let sockets = join_all((0..6).map(|_| Client::connect(world.address))).await;
        let answers = join_all(sockets.into_iter().map(|mut client| {
            let hello = json!({ "type": "hello", "ticket": ticket });
            async move {
                client.send(hello).await;
                client.next().await
            }
        }));
        let answers = answers.await;
        assert_eq!(answers.iter().filter(|answer| answer["type"] == "welcome").count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer["code"] == "ticket_used").count(), 5, "{answers:?}");
    }
}

#[tokio::test]
async fn odd_numbers_of_seen_messages_resume_nothing() {
    let world = World::new().await;
    let odd = [json!(-1), json!(1.5), json!("1"), json!([1]), json!(u64::MAX), json!(99), json!(1e30)];
    for (number, seen) in odd.into_iter().enumerate() {
        let room = format!("r{number}");
        let bob = world.inside("Bob", &room).await;
        let mut eve = Client::connect(world.address).await;
        let ticket = world.ticket_of(guest("Bob", &room), 0);
        eve.send(json!({ "type": "hello", "ticket": ticket, "resume": bob.resume, "seen": seen })).await;
        let answer = eve.next().await;
        let refused = answer["code"] == "hello_expected" || answer["resumed"] == false;
        assert!(refused, "{seen}: {answer}");
    }
}

#[tokio::test]
async fn broken_frames_are_refused_before_and_after_hello() {
    let world = World::new().await;
    let mask = [0, 0, 0, 0];
    let control = |first: u8, payload: &[u8]| {
        [&[first, 0x80 | u8::try_from(payload.len()).unwrap()], mask.as_slice(), payload].concat()
    };
    let frames = [
        (vec![0x81, 0x01, b'x'], 1002),
        (control(0xc1, b"x"), 1002),
        (control(0xa1, b"x"), 1002),
        (control(0x91, b"x"), 1002),
        (control(0x83, b"x"), 1002),
        (control(0x87, b"x"), 1002),
        (control(0x8b, b"x"), 1002),
        (control(0x8f, b"x"), 1002),
        (control(0x09, b"x"), 1002),
        (control(0x0a, b"x"), 1002),
        (control(0x08, b""), 1002),
        (vec![0x89, 0xfe, 0, 126], 1002),
        (control(0x80, b"x"), 1002),
        ([control(0x01, b"x"), control(0x81, b"y")].concat(), 1002),
        (control(0x88, &[3]), 1002),
        (control(0x88, &1005_u16.to_be_bytes()), 1002),
        (control(0x88, &999_u16.to_be_bytes()), 1002),
        (control(0x81, b"\xff\xfe"), 1007),
        (control(0x81, b"\xed\xa0\x80"), 1007),
        (vec![0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009),
        (control(0x82, b"x"), 1003),
    ];
    for (bytes, close) in &frames {
        for greeted in [false, true] {
            let mut client = if greeted { world.guest("Ada", "r").await } else { Client::connect(world.address).await };
            client.socket.get_mut().write_all(bytes).await.unwrap();
            let mut end = client.came().await;
            if *close == 1009 {
                assert!(matches!(&end, Came::Message(error) if error["code"] == "too_large"), "{end:?}");
                end = client.came().await;
            }
            assert_eq!(end, Came::Closed(*close), "{bytes:?}, after hello: {greeted}");
        }
    }
}

#[tokio::test]
async fn crowd_that_joins_at_once_gets_as_many_places_as_a_room_has() {
    let world = World::new().await;
    let mut crowd = join_all((0..24).map(|number| {
        let world = &world;
        async move { world.guest(&number.to_string(), "r").await }
    }))
    .await;
    let answers = join_all(crowd.iter_mut().map(|client| async {
        client.send(json!({ "type": "join", "room": "r" })).await;
        loop {
            let answer = client.next().await;
            if answer["type"] != "peer-joined" {
                return answer;
            }
        }
    }));
    let answers: Vec<Value> = answers.await;
    assert_eq!(answers.iter().filter(|answer| answer["type"] == "joined").count(), 4);
    assert_eq!(answers.iter().filter(|answer| answer["code"] == "room_full").count(), 20);
}

#[tokio::test]
async fn user_has_twenty_sockets_at_most_and_others_have_theirs() {
    let world = World::with(Limits::default()).await;
    let sockets = join_all((0..65).map(|_| async {
        let mut client = Client::connect(world.address).await;
        client.send(json!({ "type": "hello", "ticket": world.ticket("eve@example.org") })).await;
        let answer = client.next().await;
        (client, answer)
    }));
    let sockets = sockets.await;
    assert_eq!(sockets.iter().filter(|(_, answer)| answer["type"] == "welcome").count(), 20);
    assert_eq!(sockets.iter().filter(|(_, answer)| answer["code"] == "too_many").count(), 45);
    let mut ada = Client::welcome(world.address, &world.ticket_of(user("ada@example.org", None), 0)).await;
    ada.settle().await;
}
