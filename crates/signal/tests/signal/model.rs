//! Random sequences from random clients over real sockets, against a small model of rooms and rings. After each step
//! every client must have received exactly the messages that the model predicts, in its order.

use peersync_signal::Limits;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::client::Client;
use crate::world::World;

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
}

fn step() -> impl Strategy<Value = Step> {
    let (client, room, user) = (0..NAMES.len(), 0..2_usize, 0..USERS.len());
    // Mostly locked, so that others knock.
    let locked = prop::sample::select(vec![true, true, false]);
    prop_oneof![
        8 => (client.clone(), room.clone()).prop_map(|(who, room)| Step::Join(who, room)),
        1 => client.clone().prop_map(Step::Leave),
        2 => (client.clone(), client.clone()).prop_map(|(from, to)| Step::Signal(from, to)),
        5 => (client.clone(), user, room.clone()).prop_map(|(who, user, room)| Step::Ring(who, user, room)),
        1 => client.clone().prop_map(Step::Cancel),
        2 => (client.clone(), room.clone()).prop_map(|(who, room)| Step::Accept(who, room)),
        1 => (client.clone(), room).prop_map(|(who, room)| Step::Reject(who, room)),
        5 => (client.clone(), locked).prop_map(|(who, locked)| Step::Lock(who, locked)),
        3 => (client.clone(), client, any::<bool>()).prop_map(|(who, whom, admit)| Step::Admit(who, whom, admit)),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Outside,
    In(usize),
    Knocking(usize),
}

#[derive(Clone, Debug, Default)]
struct Room {
    members: Vec<usize>,
    knocking: Vec<usize>,
    locked: bool,
    invited: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Ring {
    callee: usize,
    room: usize,
    callers: Vec<usize>,
    first: usize,
}

/// The expected state.
struct Model {
    ids: [String; 2],
    peers: Vec<String>,
    place: Vec<Place>,
    rooms: [Room; 2],
    rings: Vec<Ring>,
    /// Whom each client rings, in the order in which it began.
    ringing: Vec<Vec<usize>>,
    out: Vec<Vec<Value>>,
}

impl Model {
    fn tell(&mut self, who: usize, message: Value) {
        self.out[who].push(message);
    }

    fn tell_user(&mut self, user: usize, message: &Value) {
        (0..NAMES.len()).filter(|who| USER_OF[*who] == Some(user)).for_each(|who| self.tell(who, message.clone()));
    }

    fn refuse(&mut self, who: usize, code: &str, about: &str) {
        self.tell(who, json!({ "type": "error", "code": code, "about": about }));
    }

    fn member(&self, of: usize, seen_by: usize) -> Value {
        let mut member = json!({ "peer": self.peers[of], "name": NAMES[of] });
        match (USER_OF[of], USER_OF[seen_by]) {
            (None, _) => member["guest"] = true.into(),
            (Some(one), Some(other)) if one.abs_diff(other) < 2 => member["email"] = USERS[one].into(),
            _ => {}
        }
        member
    }

    fn with_type(&self, kind: &str, mut value: Value) -> Value {
        value["type"] = kind.into();
        value
    }

    fn knock(&self, of: usize, seen_by: usize, room: usize) -> Value {
        let mut knock = self.with_type("knock", self.member(of, seen_by));
        knock["room"] = self.ids[room].clone().into();
        knock
    }

    fn tell_joined(&mut self, who: usize, room: usize) {
        let others: Vec<_> = self.rooms[room].members.iter().copied().filter(|other| *other != who).collect();
        let peers: Vec<_> = others.iter().map(|other| self.member(*other, who)).collect();
        let locked = self.rooms[room].locked;
        self.tell(who, json!({ "type": "joined", "room": self.ids[room], "peers": peers, "locked": locked }));
        for waiting in self.rooms[room].knocking.clone() {
            let knock = self.knock(waiting, who, room);
            self.tell(who, knock);
        }
    }

    fn enter(&mut self, who: usize, room: usize) {
        self.rooms[room].knocking.retain(|waiting| *waiting != who);
        for other in self.rooms[room].members.clone() {
            let message = self.with_type("peer-joined", self.member(who, other));
            self.tell(other, message);
        }
        self.rooms[room].members.push(who);
        self.place[who] = Place::In(room);
        self.tell_joined(who, room);
    }

    fn let_all_in(&mut self, room: usize) {
        while self.rooms[room].members.len() < CAPACITY
            && let Some(waiting) = self.rooms[room].knocking.first().copied()
        {
            self.enter(waiting, room);
        }
    }

    fn leave(&mut self, who: usize) {
        let (Place::In(room) | Place::Knocking(room)) = self.place[who] else { return };
        self.cancel(who);
        self.place[who] = Place::Outside;
        self.rooms[room].members.retain(|member| *member != who);
        self.rooms[room].knocking.retain(|waiting| *waiting != who);
        for member in self.rooms[room].members.clone() {
            self.tell(member, json!({ "type": "peer-left", "peer": self.peers[who] }));
        }
        if self.rooms[room].members.is_empty() {
            self.rooms[room].locked = false;
            if self.rooms[room].knocking.is_empty() {
                self.rooms[room] = Room::default();
            }
            self.let_all_in(room);
        }
    }

    fn join(&mut self, who: usize, room: usize) {
        if USER_OF[who].is_none() && room != 0 {
            return self.refuse(who, "forbidden", "join");
        }
        if self.place[who] == Place::In(room) {
            return self.tell_joined(who, room);
        }
        if self.place[who] == Place::Knocking(room) {
            return;
        }
        self.leave(who);
        let invited = USER_OF[who].is_some_and(|user| self.rooms[room].invited.contains(&user));
        if self.rooms[room].members.len() >= CAPACITY {
            self.refuse(who, "room_full", "join");
        } else if self.rooms[room].locked && !invited {
            self.rooms[room].knocking.push(who);
            self.place[who] = Place::Knocking(room);
            for member in self.rooms[room].members.clone() {
                let knock = self.knock(who, member, room);
                self.tell(member, knock);
            }
            let knock = self.knock(who, who, room);
            self.tell(who, knock);
        } else {
            self.enter(who, room);
        }
    }

    fn signal(&mut self, from: usize, to: usize) {
        match (self.place[from], self.place[to]) {
            (Place::In(one), Place::In(other)) if one == other => {
                let from = self.peers[from].clone();
                self.tell(to, json!({ "type": "signal", "from": from, "candidate": { "candidate": "x" } }));
            }
            (Place::In(_), _) => self.refuse(from, "no_such_peer", "signal"),
            _ => self.refuse(from, "not_in_room", "signal"),
        }
    }

    fn ring(&mut self, who: usize, callee: usize, room: usize) {
        let Some(caller) = USER_OF[who] else { return self.refuse(who, "forbidden", "ring") };
        if caller.abs_diff(callee) != 1 {
            return self.refuse(who, "not_friends", "ring");
        }
        if self.place[who] != Place::In(room) {
            return self.refuse(who, "not_in_room", "ring");
        }
        let id = self.ids[room].clone();
        if let Some(ring) = self.rings.iter_mut().find(|ring| ring.callee == callee && ring.room == room) {
            if !ring.callers.contains(&who) {
                ring.callers.push(who);
                self.ringing[who].push(callee);
            }
        } else {
            self.rings.push(Ring { callee, room, callers: vec![who], first: caller });
            self.ringing[who].push(callee);
            let name = NAMES[who];
            self.tell_user(callee, &json!({ "type": "rung", "from": USERS[caller], "name": name, "room": id }));
        }
        self.tell(who, json!({ "type": "ringing", "to": USERS[callee], "room": id, "online": true }));
    }

    fn cancel(&mut self, who: usize) {
        // A caller is in one room only.
        for callee in std::mem::take(&mut self.ringing[who]) {
            let at = self.rings.iter().position(|ring| ring.callee == callee && ring.callers.contains(&who)).unwrap();
            let room = self.ids[self.rings[at].room].clone();
            self.rings[at].callers.retain(|caller| *caller != who);
            self.tell(who, json!({ "type": "missed", "room": room, "to": USERS[callee] }));
            if self.rings[at].callers.is_empty() {
                let ring = self.rings.remove(at);
                self.tell_user(callee, &json!({ "type": "missed", "room": room, "from": USERS[ring.first] }));
            }
        }
    }

    fn answer(&mut self, who: usize, room: usize, accept: bool) {
        let kind = if accept { "accept" } else { "reject" };
        let Some(user) = USER_OF[who] else { return self.refuse(who, "forbidden", kind) };
        let Some(at) = self.rings.iter().position(|ring| ring.callee == user && ring.room == room) else {
            return self.refuse(who, "ring_over", kind);
        };
        let ring = self.rings.remove(at);
        if accept && !self.rooms[room].invited.contains(&user) {
            self.rooms[room].invited.push(user);
        }
        let (kind, id) = (format!("{kind}ed"), self.ids[room].clone());
        for caller in ring.callers {
            self.ringing[caller].retain(|callee| *callee != user);
            self.tell(caller, json!({ "type": kind, "room": id, "from": USERS[user] }));
        }
        self.tell_user(user, &json!({ "type": kind, "room": id, "peer": self.peers[who] }));
    }

    fn lock(&mut self, who: usize, locked: bool) {
        let Place::In(room) = self.place[who] else { return self.refuse(who, "not_in_room", "room-lock") };
        self.rooms[room].locked = locked;
        for member in self.rooms[room].members.clone() {
            let (room, by) = (self.ids[room].clone(), self.peers[who].clone());
            self.tell(member, json!({ "type": "room-lock", "room": room, "locked": locked, "by": by }));
        }
        if !locked {
            self.let_all_in(room);
        }
    }

    fn admit(&mut self, who: usize, whom: usize, admit: bool) {
        let Place::In(room) = self.place[who] else { return self.refuse(who, "not_in_room", "room-admit") };
        if self.place[whom] != Place::Knocking(room) {
            self.refuse(who, "no_such_peer", "room-admit");
        } else if !admit {
            self.leave(whom);
            self.refuse(whom, "not_admitted", "join");
        } else if self.rooms[room].members.len() >= CAPACITY {
            self.refuse(who, "room_full", "room-admit");
        } else {
            self.enter(whom, room);
        }
    }

    /// Applies a step. Returns the client that does it, and the message that it sends.
    fn take(&mut self, step: &Step) -> (usize, Value) {
        match *step {
            Step::Join(who, room) => {
                self.join(who, room);
                (who, json!({ "type": "join", "room": self.ids[room] }))
            }
            Step::Leave(who) => {
                self.leave(who);
                (who, json!({ "type": "leave" }))
            }
            Step::Signal(from, to) => {
                self.signal(from, to);
                (from, json!({ "type": "signal", "to": self.peers[to], "candidate": { "candidate": "x" } }))
            }
            Step::Ring(who, user, room) => {
                self.ring(who, user, room);
                (who, json!({ "type": "ring", "to": USERS[user], "room": self.ids[room] }))
            }
            Step::Cancel(who) => {
                self.cancel(who);
                (who, json!({ "type": "ring-cancel" }))
            }
            Step::Accept(who, room) => {
                self.answer(who, room, true);
                (who, json!({ "type": "accept", "room": self.ids[room] }))
            }
            Step::Reject(who, room) => {
                self.answer(who, room, false);
                (who, json!({ "type": "reject", "room": self.ids[room] }))
            }
            Step::Lock(who, locked) => {
                self.lock(who, locked);
                (who, json!({ "type": "room-lock", "locked": locked }))
            }
            Step::Admit(who, whom, admit) => {
                self.admit(who, whom, admit);
                (who, json!({ "type": "room-admit", "peer": self.peers[whom], "admit": admit }))
            }
        }
    }
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
    let limits = Limits { burst: 1_000_000, ..Limits::default() };
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
    (world, clients, Model { ids, peers, place, rooms: Default::default(), rings: Vec::new(), ringing, out })
}

async fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let (_world, mut clients, mut model) = start().await;
    for (number, step) in steps.iter().enumerate() {
        let (who, message) = model.take(step);
        clients[who].send(message).await;
        // The acting client settles first: after its pong everything is queued for the others.
        let mut order: Vec<_> = (0..clients.len()).collect();
        order.swap(0, who);
        for other in order {
            let got: Vec<_> = clients[other].settle().await.into_iter().map(bare).collect();
            let expected = std::mem::take(&mut model.out[other]);
            prop_assert_eq!(got, expected, "client {} after step {} of {:?}", other, number, steps);
        }
    }
    Ok(())
}

#[test]
fn rooms_and_rings_match_the_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let steps = proptest::collection::vec(step(), 20..80);
    runner.run(&steps, |steps| runtime.block_on(run(&steps))).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_rings_are_missed_in_the_order_in_which_their_caller_began_them() {
    // Client 3 rings the first user before the third, whom client 2 has rung already.
    let (join, ring) = (|who| Step::Join(who, 1), |who, callee| Step::Ring(who, callee, 1));
    run(&[join(2), join(3), ring(2, 2), ring(3, 0), ring(3, 2), Step::Cancel(3)]).await.unwrap();
}
