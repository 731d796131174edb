//! Random sequences from random clients over real sockets, against a small model of rooms, rings, blocks and resumed
//! sessions. After each step every client must have received exactly the messages that the model predicts, in its order:
//! so whatever somebody sends, nobody hears what is not for them.
//!
//! `PEERSYNC_FUZZ_CASES=2000 cargo test -p peersync-signal model` runs longer; the default is 48 sequences.

mod expected;

use std::time::Duration;

use peersync_signal::Limits;
use peersync_signal::limits::Pace;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use self::expected::{Model, Place};
use crate::client::{Came, Client};
use crate::world::{World, guest, user};

/// Ada and Bob have two tabs each and are friends, as are Bob and Cat; two guests have a ticket for the first room.
const USERS: [&str; 3] = ["ada@example.org", "bob@example.org", "cat@example.org"];
const NAMES: [&str; 7] = ["ada", "ada", "bob", "bob", "cat", "guest 1", "guest 2"];
const USER_OF: [Option<usize>; 7] = [Some(0), Some(0), Some(1), Some(1), Some(2), None, None];
const CAPACITY: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Join(usize, usize),
    Leave(usize),
    Signal(usize, usize),
    Ring(usize, usize, usize),
    Cancel(usize),
    Accept(usize, usize),
    Reject(usize, usize),
    Lock(usize, bool),
    Admit(usize, usize, bool),
    /// A message that the server must refuse.
    Rubbish(usize, usize),
    /// A signal with the fields that only the server may set.
    Forge(usize, usize),
    /// The connection breaks.
    Lose(usize),
    /// The client comes back with its key.
    Resume(usize),
    /// Two users become friends, or one blocks the other.
    Befriend(usize, usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let (client, room, user) = (0..NAMES.len(), 0..2_usize, 0..USERS.len());
    // Mostly locked, so that others knock.
    let locked = prop::sample::select(vec![true, true, false]);
    prop_oneof![
        8 => (client.clone(), room.clone()).prop_map(|(who, room)| Step::Join(who, room)),
        1 => client.clone().prop_map(Step::Leave),
        2 => (client.clone(), client.clone()).prop_map(|(from, to)| Step::Signal(from, to)),
        5 => (client.clone(), user.clone(), room.clone()).prop_map(|(who, user, room)| Step::Ring(who, user, room)),
        1 => client.clone().prop_map(Step::Cancel),
        2 => (client.clone(), room.clone()).prop_map(|(who, room)| Step::Accept(who, room)),
        1 => (client.clone(), room).prop_map(|(who, room)| Step::Reject(who, room)),
        5 => (client.clone(), locked).prop_map(|(who, locked)| Step::Lock(who, locked)),
        3 => (client.clone(), client.clone(), any::<bool>())
            .prop_map(|(who, whom, admit)| Step::Admit(who, whom, admit)),
        2 => (client.clone(), 0..8_usize).prop_map(|(who, kind)| Step::Rubbish(who, kind)),
        1 => (client.clone(), client.clone()).prop_map(|(from, to)| Step::Forge(from, to)),
        1 => client.clone().prop_map(Step::Lose),
        2 => client.prop_map(Step::Resume),
        1 => (user.clone(), user, any::<bool>()).prop_map(|(one, other, yes)| Step::Befriend(one, other, yes)),
    ]
}

/// Removes what is not compared: numbers, which the client checks, and messages of errors.
fn bare(mut message: Value) -> Value {
    let fields = message.as_object_mut().unwrap();
    fields.remove("seq");
    if fields["type"] == "error" {
        fields.remove("message");
    }
    if fields["type"] == "signal" {
        fields.remove("to");
    }
    message
}

async fn start() -> (World, Vec<Client>, Model) {
    // What is limited over time has tests of its own; here everything may happen at once.
    let free = Pace { burst: 1_000_000, every: Duration::from_millis(1) };
    let limits = Limits {
        burst: 1_000_000,
        knocks: free,
        knocks_of_network: free,
        refusals: free,
        rings: free,
        friends_changed: free,
        pause: Duration::ZERO,
        directory_cache: Duration::ZERO,
        ..Limits::default()
    };
    let world = World::with_capacity(limits, u32::try_from(CAPACITY).unwrap()).await;
    world.database.connect(USERS[0], USERS[1], "accepted").await;
    world.database.connect(USERS[1], USERS[2], "accepted").await;
    world.database.connect(USERS[0], USERS[2], "rejected").await;
    let owner = "owner@example.org";
    let ids = [world.database.room(owner, false).await, world.database.room(owner, false).await];
    let mut clients = Vec::new();
    for (name, user) in NAMES.iter().zip(USER_OF) {
        clients.push(match user {
            Some(user) => world.user(USERS[user]).await,
            None => world.guest(name, &ids[0]).await,
        });
    }
    // Twice: clients that settled first are told about later ones.
    for _ in 0..2 {
        for client in &mut clients {
            client.settle().await;
        }
    }
    let peers = clients.iter().map(|client| client.peer.clone()).collect();
    let out = vec![Vec::new(); NAMES.len()];
    let place = vec![Place::Outside; NAMES.len()];
    let ringing = vec![Vec::new(); NAMES.len()];
    let friends = [[false, true, false], [true, false, true], [false, true, false]];
    let (rooms, rings, lost) = (Default::default(), Vec::new(), vec![false; NAMES.len()]);
    (world, clients, Model { ids, peers, place, rooms, rings, ringing, friends, lost, out })
}

/// The client of a step, if it needs one that is connected.
fn actor(step: &Step) -> Option<usize> {
    match *step {
        Step::Join(who, _)
        | Step::Leave(who)
        | Step::Signal(who, _)
        | Step::Ring(who, ..)
        | Step::Cancel(who)
        | Step::Accept(who, _)
        | Step::Reject(who, _)
        | Step::Lock(who, _)
        | Step::Admit(who, ..)
        | Step::Rubbish(who, _)
        | Step::Forge(who, _)
        | Step::Lose(who) => Some(who),
        Step::Resume(_) | Step::Befriend(..) => None,
    }
}

/// Whether a user joins a room in which another tab of the same user is lost: that tab would end, which has a test of its own.
fn ends_a_ghost(model: &Model, step: &Step) -> bool {
    let Step::Join(who, room) = *step else { return false };
    let ghost = |other: usize| model.lost[other] && model.place[other] == Place::In(room);
    (0..NAMES.len()).any(|other| USER_OF[other].is_some() && USER_OF[other] == USER_OF[who] && ghost(other))
}

/// Changes the friendship of two users who have nothing to do with each other at the moment: what a block ends has tests of
/// its own. Returns false if they have.
async fn befriend(world: &World, clients: &mut [Client], model: &mut Model, pair: [usize; 2], friends: bool) -> bool {
    let [one, other] = pair;
    let involved = |user: usize| (0..NAMES.len()).filter(move |who| USER_OF[*who] == Some(user));
    let rings = model.rings.iter().any(|ring| [ring.callee, ring.first].iter().all(|user| pair.contains(user)));
    let apart = pair.iter().all(|user| involved(*user).all(|who| model.place[who] == Place::Outside));
    let lost = pair.iter().any(|user| involved(*user).any(|who| model.lost[who]));
    if one == other || rings || !apart || lost {
        return false;
    }
    world.database.connect(USERS[one], USERS[other], if friends { "accepted" } else { "blocked" }).await;
    (model.friends[one][other], model.friends[other][one]) = (friends, friends);
    for user in pair {
        let tab = involved(user).next().unwrap();
        clients[tab].send(json!({ "type": "friends-changed" })).await;
        clients[tab].settle().await;
    }
    true
}

/// Does one step. Returns the client that acted, if the step was possible.
async fn act(world: &World, clients: &mut [Client], model: &mut Model, step: &Step) -> Option<usize> {
    if actor(step).is_some_and(|who| model.lost[who]) || ends_a_ghost(model, step) {
        return None;
    }
    match *step {
        Step::Lose(who) => {
            // The server reads the close before anything else that it is sent, so that what follows is queued.
            let _ = clients[who].socket.close(None).await;
            while clients[who].came().await != Came::Gone {}
            model.lost[who] = true;
            None
        }
        Step::Resume(who) => {
            let bearer = USER_OF[who].map_or_else(|| guest(NAMES[who], &model.ids[0]), |at| user(USERS[at], None));
            let ticket = world.ticket_of(bearer, 0);
            clients[who].reconnect(world.address, &ticket, true).await;
            assert!(clients[who].resumed);
            model.lost[who] = false;
            Some(who)
        }
        Step::Befriend(one, other, friends) => {
            befriend(world, clients, model, [one, other], friends).await;
            None
        }
        _ => {
            let (who, message) = model.take(step);
            clients[who].send(message).await;
            Some(who)
        }
    }
}

async fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let (world, mut clients, mut model) = start().await;
    for (number, step) in steps.iter().enumerate() {
        let who = act(&world, &mut clients, &mut model, step).await;
        // The acting client settles first: after its pong everything is queued for the others.
        let mut order: Vec<_> = (0..clients.len()).collect();
        order.swap(0, who.unwrap_or(0));
        for other in order.into_iter().filter(|other| !model.lost[*other]) {
            let heard = clients[other].settle().await;
            for message in heard.iter().filter(|message| message["type"] == "presence" && message["online"] == true) {
                let of = USERS.iter().position(|email| message["email"] == *email).unwrap();
                let friends = USER_OF[other].is_some_and(|user| model.friends[user][of]);
                prop_assert!(
                    friends,
                    "client {} hears that {} is online after step {} of {:?}",
                    other,
                    of,
                    number,
                    steps
                );
            }
            let got: Vec<_> = heard.into_iter().filter(|message| message["type"] != "presence").map(bare).collect();
            // What came while the connection was lost is compared after the resume.
            let expected = std::mem::take(&mut model.out[other]);
            prop_assert_eq!(got, expected, "client {} after step {} of {:?}", other, number, steps);
        }
    }
    Ok(())
}

/// The number of sequences: `PEERSYNC_FUZZ_CASES`, or as many as take a few seconds.
fn cases() -> u32 {
    std::env::var("PEERSYNC_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48)
}

#[test]
fn rooms_and_rings_match_the_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: cases(), failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 20..80);
    runner.run(&steps, |steps| runtime.block_on(run(&steps))).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_rings_are_missed_in_the_order_in_which_their_caller_began_them() {
    // Client 3 rings the first user before the third, whom client 2 has rung already.
    let (join, ring) = (|who| Step::Join(who, 1), |who, callee| Step::Ring(who, callee, 1));
    run(&[join(2), join(3), ring(2, 2), ring(3, 0), ring(3, 2), Step::Cancel(3)]).await.unwrap();
}
