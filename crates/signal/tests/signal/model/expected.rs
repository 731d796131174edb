//! What the clients of the model must hear after each step.

use serde_json::{Value, json};

use super::{CAPACITY, NAMES, Step, USER_OF, USERS};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Outside,
    In(usize),
    Knocking(usize),
}

#[derive(Clone, Debug, Default)]
pub struct Room {
    pub members: Vec<usize>,
    pub knocking: Vec<usize>,
    pub locked: bool,
    pub invited: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Ring {
    pub callee: usize,
    pub room: usize,
    pub callers: Vec<usize>,
    pub first: usize,
}

/// The expected state.
pub struct Model {
    pub ids: [String; 2],
    pub peers: Vec<String>,
    pub place: Vec<Place>,
    pub rooms: [Room; 2],
    pub rings: Vec<Ring>,
    /// Whom each client rings, in the order in which it began.
    pub ringing: Vec<Vec<usize>>,
    /// Which users are friends.
    pub friends: [[bool; 3]; 3],
    /// Which clients have lost their connection.
    pub lost: Vec<bool>,
    pub out: Vec<Vec<Value>>,
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
        if USER_OF[of].is_none() {
            member["guest"] = true.into();
        }
        if let (Some(one), Some(other)) = (USER_OF[of], USER_OF[seen_by])
            && (one == other || self.friends[one][other])
        {
            member["email"] = USERS[one].into();
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
        if !self.friends[caller][callee] {
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
            // One person is one ring: another tab that rings to another room gives up its own.
            for other in (0..NAMES.len()).filter(|other| USER_OF[*other] == Some(caller)) {
                self.cancel_ring(other, callee);
            }
            self.rings.push(Ring { callee, room, callers: vec![who], first: caller });
            self.ringing[who].push(callee);
            let name = NAMES[who];
            self.tell_user(callee, &json!({ "type": "rung", "from": USERS[caller], "name": name, "room": id }));
        }
        self.tell(who, json!({ "type": "ringing", "to": USERS[callee], "room": id, "online": true }));
    }

    fn cancel(&mut self, who: usize) {
        // A caller is in one room only.
        for callee in self.ringing[who].clone() {
            self.cancel_ring(who, callee);
        }
    }

    fn cancel_ring(&mut self, who: usize, callee: usize) {
        let of_client = |ring: &Ring| ring.callee == callee && ring.callers.contains(&who);
        let Some(at) = self.rings.iter().position(of_client) else { return };
        let room = self.ids[self.rings[at].room].clone();
        self.ringing[who].retain(|other| *other != callee);
        self.rings[at].callers.retain(|caller| *caller != who);
        self.tell(who, json!({ "type": "missed", "room": room, "to": USERS[callee] }));
        if self.rings[at].callers.is_empty() {
            let ring = self.rings.remove(at);
            self.tell_user(callee, &json!({ "type": "missed", "room": room, "from": USERS[ring.first] }));
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

    /// Applies a step of a connected client. Returns the client that does it, and the message that it sends.
    pub fn take(&mut self, step: &Step) -> (usize, Value) {
        match *step {
            Step::Rubbish(who, kind) => {
                let (message, code, about) = rubbish(kind, &self.peers[who]);
                match about {
                    Some(about) => self.refuse(who, code, about),
                    None => self.tell(who, json!({ "type": "error", "code": code })),
                }
                (who, message)
            }
            Step::Forge(from, to) => {
                self.signal(from, to);
                let (to, victim) = (self.peers[to].clone(), self.peers[(from + 1) % NAMES.len()].clone());
                let candidate = json!({ "candidate": "x" });
                (from, json!({ "type": "signal", "to": to, "from": victim, "seq": 1, "candidate": candidate }))
            }
            Step::Lose(who) | Step::Resume(who) => unreachable!("client {who} sends nothing"),
            Step::Befriend(..) => unreachable!("nobody sends anything"),
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

/// A message that must be refused and harms nobody, with the code and the subject of the refusal.
fn rubbish(kind: usize, own: &str) -> (Value, &'static str, Option<&'static str>) {
    match kind % 8 {
        0 => (json!({ "type": "fly" }), "bad_message", None),
        1 => (json!([1, 2, 3]), "bad_message", None),
        2 => (json!({ "type": "join", "room": 7 }), "bad_message", None),
        3 => (json!({ "type": "hello", "ticket": own }), "hello_expected", Some("hello")),
        4 => (json!({ "type": "signal", "to": own }), "bad_message", Some("signal")),
        5 => (json!({ "type": "ring", "to": ["x"], "room": null }), "bad_message", None),
        6 => (json!({ "type": "room-admit", "peer": own, "admit": "yes" }), "bad_message", None),
        _ => (json!({ "type": "welcome", "peer": own, "resume": own }), "bad_message", None),
    }
}
