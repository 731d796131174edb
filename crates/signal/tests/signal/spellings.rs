//! One person in every spelling of the address, shown as its owner typed it.

use peersync_server::tickets::Bearer;
use serde_json::{Value, json};

use crate::client::Client;
use crate::world::{World, user};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@xn--bcher-kva.example";
const TYPED_BOB: &str = "Bob@Bücher.example";

async fn find(client: &mut Client, kind: &str) -> Value {
    loop {
        let message = client.next().await;
        if message["type"] == kind {
            return message;
        }
    }
}

async fn bob(world: &World) -> Client {
    let bearer = Bearer { address: Some(TYPED_BOB.into()), ..user(BOB, None) };
    Client::welcome(world.address, &world.ticket_of(bearer, 0)).await
}

#[tokio::test]
async fn ring_finds_the_friend_in_any_spelling_and_shows_the_owners() {
    let world = World::new().await;
    world.database.connect(ADA, BOB, "accepted").await;
    let room = world.database.room(ADA, false).await;
    let (mut ada, mut bob) = (world.user(ADA).await, bob(&world).await);
    assert_eq!(find(&mut ada, "presence").await["email"], TYPED_BOB);
    ada.join(&room).await;
    for spelling in ["BOB@bücher.example", BOB] {
        ada.send(json!({ "type": "ring", "to": spelling, "room": room })).await;
        let ringing = find(&mut ada, "ringing").await;
        assert_eq!((&ringing["to"], &ringing["online"]), (&json!(spelling), &json!(true)));
        assert_eq!(find(&mut bob, "rung").await["from"], ADA);
        ada.send(json!({ "type": "ring-cancel", "to": "bOb@BÜCHER.example" })).await;
        find(&mut bob, "missed").await;
        assert_eq!(find(&mut ada, "missed").await["to"], spelling);
    }
    ada.send(json!({ "type": "ring", "to": BOB, "room": room })).await;
    find(&mut bob, "rung").await;
    bob.send(json!({ "type": "accept", "room": room })).await;
    assert_eq!(find(&mut ada, "accepted").await["from"], TYPED_BOB);
    find(&mut bob, "accepted").await;
    bob.join(&room).await;
    assert_eq!(find(&mut ada, "peer-joined").await["email"], TYPED_BOB);
    bob.send(json!({ "type": "bye" })).await;
    let gone = find(&mut ada, "presence").await;
    assert_eq!((&gone["email"], &gone["online"]), (&json!(TYPED_BOB), &json!(false)));
}

#[tokio::test]
async fn block_and_friendship_hold_for_every_spelling() {
    let world = World::new().await;
    world.database.connect("eve@example.org", ADA, "blocked").await;
    world.database.connect(ADA, "dan@example.org", "accepted").await;
    let room = world.database.room("eve@example.org", false).await;
    // A ticket of an earlier version has the address as it was typed.
    let (mut eve, mut ada) = (world.user("EVE@example.org").await, world.user(ADA).await);
    eve.join(&room).await;
    for spelling in [ADA, "ADA@example.org", "Ada@Example.org"] {
        eve.send(json!({ "type": "ring", "to": spelling, "room": room })).await;
        assert_eq!(find(&mut eve, "error").await["code"], "not_friends");
    }
    assert_eq!(ada.settle().await, Vec::<Value>::new());
    let mut dan = world.user("Dan@example.org").await;
    assert_eq!(find(&mut ada, "presence").await["email"], "Dan@example.org");
    assert_eq!(find(&mut dan, "presence").await["email"], ADA);
}
