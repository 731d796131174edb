import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Members } from "../../../assets/js/call/members.js";

const FINGERPRINT = "aa:bb";

/** @param {import("node:test").TestContext} context */
function room(context) {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  /** @type {any[]} */
  const met = [];
  /** @type {any[]} */
  const removed = [];
  /** @type {string[]} */
  const admitted = [];
  /** @type {string[]} */
  const asked = [];
  const members = new Members((person, initiator) => {
    /** @type {any} */
    const peer = { person, initiator, listed: true, status: "connected", fingerprint: FINGERPRINT, signals: [], flushed: 0 };
    peer.receive = (/** @type {unknown} */ signal) => peer.signals.push(signal);
    peer.flush = () => { peer.flushed += 1; };
    peer.asked = 0;
    peer.askForOffer = () => { peer.asked += 1; };
    met.push(peer);
    return peer;
  }, (peer) => removed.push(peer), { admit: (id) => admitted.push(id), ask: ({ id }) => asked.push(id) });
  return { members, met, removed, admitted, asked };
}
/** @param {string} id @param {string} name */
const guest = (id, name) => ({ id, name, kind: /** @type {const} */ ("guest"), number: 1 });
/** @param {string} fingerprint of the certificate */
const offerWith = (fingerprint) => ({ description: { type: /** @type {const} */ ("offer"), sdp: `v=0\r\na=fingerprint:sha-256 ${fingerprint}\r\n` } });
const bob = guest("b1", "Bob");
const offer = offerWith(FINGERPRINT);

test("the newcomer makes the offer", (context) => {
  const { members, met } = room(context);
  members.list([bob]);
  members.add(guest("c", "Cy"), false);
  assert.deepEqual(met.map((peer) => peer.initiator), [true, false]);
});

test("a connection survives the server forgetting its owner, and is matched to the new id", (context) => {
  const { members, met, removed } = room(context);
  members.list([bob]);
  members.list([]);
  mock.timers.tick(60_000);
  assert.equal(removed.length, 0);
  members.add(guest("b2", "Bob"), false);
  members.signal("b2", offer);
  assert.equal(met.length, 1);
  members.moved(met[0], "b2");
  mock.timers.tick(60_000);
  assert.equal(met.length, 1);
  assert.deepEqual(met[0].signals, [offer]);
  assert.equal(members.find("b2"), met[0]);
});

test("a new id may be announced before the server lists it", (context) => {
  const { members, met } = room(context);
  members.list([bob]);
  members.moved(met[0], "b2");
  members.left("b1");
  members.add(guest("b2", "Bob"), false);
  mock.timers.tick(60_000);
  assert.equal(met.length, 1);
  assert.equal(met[0].listed, true);
});

test("an unclaimed id is connected after a delay, with the signals received meanwhile", (context) => {
  const { members, met } = room(context);
  members.list([bob]);
  members.list([]);
  members.add(guest("c", "Cy"), false);
  members.signal("c", offer);
  assert.equal(met.length, 1);
  mock.timers.tick(1500);
  assert.equal(met.length, 2);
  assert.deepEqual(met[1].signals, [offer]);
});

test("nobody can take over the id of a present member", (context) => {
  const { members, met } = room(context);
  members.list([bob, guest("c", "Cy")]);
  members.moved(met[1], "b1");
  assert.equal(members.find("b1"), met[0]);
});

test("a member no longer listed by the server is removed when the connection fails", (context) => {
  const { members, met, removed } = room(context);
  members.list([bob]);
  members.left("b1");
  mock.timers.tick(60_000);
  assert.equal(removed.length, 0);
  met[0].status = "interrupted";
  members.watch(met[0]);
  mock.timers.tick(4000);
  assert.deepEqual(removed, met);
});

test("signals from unknown ids are not kept forever", (context) => {
  const { members, met } = room(context);
  members.list([bob]);
  members.list([]);
  members.add(guest("c", "Cy"), false);
  for (let count = 0; count < 1000; count += 1) members.signal("c", offer);
  mock.timers.tick(1500);
  assert.equal(met[1].signals.length, 64);
});

test("nobody who left can claim the id of a newcomer by another name or address", (context) => {
  const { members, met } = room(context);
  members.list([guest("e1", "Eve")]);
  members.left("e1");
  const claimed = [guest("c", "Cy"), { ...guest("f", "Eve"), kind: /** @type {const} */ ("friend"), email: "eve@example.org" }];
  for (const [index, newcomer] of claimed.entries()) {
    // Before the server lists the newcomer, and after.
    if (index === 0) members.moved(met[0], newcomer.id);
    members.add(newcomer, false);
    members.moved(met[0], newcomer.id);
    members.signal(newcomer.id, offer);
    mock.timers.tick(1500);
    assert.deepEqual(members.find(newcomer.id)?.person, newcomer);
  }
  assert.deepEqual(met.map(({ signals }) => signals.length), [0, 1, 1]);
});

test("a newcomer of the same name, whose id was claimed, gets a connection of their own with the first offer", (context) => {
  const { members, met } = room(context);
  members.list([guest("e1", "Cy")]);
  members.left("e1");
  members.add(guest("c", "Cy"), false);
  members.moved(met[0], "c");
  const theirs = offerWith("cc:dd");
  members.signal("c", theirs);
  assert.equal(met.length, 2);
  assert.equal(members.find("c"), met[1]);
  assert.deepEqual([met[0].signals, met[1].signals], [[], [theirs]]);
  assert.equal(met[0].listed, false);
});

test("a claimed id that sends the same certificate keeps its connection", (context) => {
  const { members, met } = room(context);
  members.list([bob]);
  members.left("b1");
  members.add(guest("b2", "Bob"), false);
  members.moved(met[0], "b2");
  members.signal("b2", offer);
  assert.equal(met.length, 1);
  assert.deepEqual(met[0].signals, [offer]);
});

test("somebody whose id was claimed, and who waits for our offer, gets one as soon as they ask", (context) => {
  const { members, met, removed } = room(context);
  members.list([guest("e1", "Cy")]);
  // After a restart of the server we come later than Cy, and Eve, who called herself Cy, claims the id.
  members.list([guest("c", "Cy")]);
  members.moved(met[0], "c");
  mock.timers.tick(60_000);
  assert.equal(met.length, 1, "so far it could be the same person");
  members.signal("c", { candidate: { candidate: "" } });
  assert.deepEqual(met.map(({ initiator }) => initiator), [true, true]);
  assert.equal(members.find("c"), met[1]);
  // Eve keeps her connection, and cannot claim the id again.
  assert.deepEqual([removed, met[0].listed], [[], false]);
  members.moved(met[0], "c");
  members.signal("c", { candidate: { candidate: "" } });
  assert.equal(members.find("c"), met[1]);
  assert.deepEqual(met.map(({ signals }) => signals), [[], []]);
});

test("who waits for an offer asks for it every five seconds until it comes", (context) => {
  const { members, met } = room(context);
  members.add(bob, false);
  const [peer] = met;
  peer.fingerprint = undefined;
  peer.status = "connecting";
  mock.timers.tick(4999);
  assert.equal(peer.asked, 0);
  mock.timers.tick(1);
  mock.timers.tick(5000);
  assert.equal(peer.asked, 2);
  // Nobody is asked who is not there.
  peer.listed = false;
  mock.timers.tick(5000);
  assert.equal(peer.asked, 2);
  peer.listed = true;
  peer.fingerprint = FINGERPRINT;
  mock.timers.tick(60_000);
  assert.equal(peer.asked, 2);
});

test("who makes the offer asks for none", (context) => {
  const { members, met } = room(context);
  members.list([bob]);
  met[0].fingerprint = undefined;
  mock.timers.tick(60_000);
  assert.equal(met[0].asked, 0);
});

test("whom the server tells by the former id is recognised at once, without a word from them, and let in", (context) => {
  const { members, met, admitted, asked } = room(context);
  members.list([bob]);
  members.list([]);
  members.knock({ ...guest("b2", "Bob"), was: bob.id });
  assert.deepEqual([admitted, asked], [["b2"], []]);
  members.add({ ...guest("b2", "Bob"), was: bob.id }, false);
  assert.equal(met.length, 1);
  assert.deepEqual([members.find("b2"), met[0].flushed], [met[0], 1]);
});

test("the former id, which the server tells, counts more than what somebody else claims", (context) => {
  const { members, met } = room(context);
  members.list([guest("m1", "Bob"), bob]);
  members.moved(met[0], "b2");
  members.add({ ...guest("b2", "Bob"), was: bob.id }, false);
  assert.equal(members.find("b2"), met[1]);
});

test("one side has given the connection up when the other comes back: they make another one", (context) => {
  const late = room(context);
  late.members.list([bob]);
  late.met[0].status = "interrupted";
  late.members.list([{ ...guest("b2", "Bob"), was: bob.id }]);
  assert.equal(late.members.find("b2"), late.met[0]);
  late.members.signal("b2", { candidate: { candidate: "" } });
  assert.deepEqual(late.met.map((peer) => peer.initiator), [true, true]);
  mock.timers.tick(60_000);
  assert.deepEqual(late.removed, [late.met[0]]);
});

test("an offer that belongs to a connection which we have given up is not answered", (context) => {
  const { members, met } = room(context);
  members.list([]);
  members.add({ ...guest("a2", "Ada"), was: "a1" }, false);
  met[0].fingerprint = undefined;
  members.signal("a2", { description: { type: "offer", sdp: `${offer.description.sdp}a=setup:passive\r\n` } });
  assert.deepEqual([met[0].signals, met[0].asked], [[], 1]);
  members.signal("a2", { description: { type: "offer", sdp: `${offer.description.sdp}a=setup:actpass\r\n` } });
  members.signal("a2", { description: { type: "answer", sdp: `${offer.description.sdp}a=setup:active\r\n` } });
  assert.deepEqual([met[0].signals.length, met[0].asked], [2, 1]);
});

for (const order of ["before", "after"]) {
  test(`whoever comes back to a locked room is let in by a knock ${order} the announcement`, (context) => {
    const { members, met, admitted, asked } = room(context);
    members.list([bob]);
    members.list([]);
    const steps = [() => members.knock(guest("b2", "Bob")), () => members.moved(met[0], "b2")];
    for (const step of order === "before" ? steps : steps.reverse()) step();
    mock.timers.tick(60_000);
    assert.deepEqual([admitted, asked], [["b2"], []]);
  });
}

test("anybody else who knocks is asked about, unless they have gone, and a claim does not let in somebody of another name", (context) => {
  const { members, met, admitted, asked } = room(context);
  members.list([bob]);
  members.knock(guest("c", "Cy"));
  mock.timers.tick(0);
  assert.deepEqual(asked, ["c"]);
  members.list([]);
  members.knock(guest("d", "Dora"));
  members.knock(guest("e", "Eve"));
  members.left("d");
  members.moved(met[0], "e");
  mock.timers.tick(60_000);
  assert.deepEqual([admitted, asked], [[], ["c", "e"]]);
});
