/** How a page comes back to the signaling server: with its session alone, and with a ticket only if it must. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { SignalingLink } from "../../../assets/js/call/signaling.js";

/** @type {FakeSocket[]} */
let sockets = [];

/** A WebSocket whose server is the test. */
class FakeSocket extends EventTarget {
  static OPEN = 1;
  readyState = 0;
  /** @type {any[]} */
  sent = [];

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    sockets.push(this);
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }

  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {object} message */
  says(message) {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(message) }));
  }

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(new Event("close"));
  }
}

const welcome = { type: "welcome", peer: "a", resume: "key-one", heartbeat_s: 10, resumed: false };
/** Lets what was promised happen. */
const settle = async () => { for (let turn = 0; turn < 10; turn += 1) await Promise.resolve(); };

/** @type {SignalingLink} */
let link;
let tickets = 0;
/** @type {unknown} */
let refusal;

/** @returns {FakeSocket} the newest */
function newest() {
  const socket = sockets.at(-1);
  assert.ok(socket);
  return socket;
}

/** Lets time pass until another socket is opened. @param {number} [most] milliseconds */
async function next(most = 20_000) {
  const before = sockets.length;
  for (let passed = 0; passed < most && sockets.length === before; passed += 50) {
    mock.timers.tick(50);
    await settle();
  }
  assert.equal(sockets.length, before + 1);
  newest().open();
  return newest();
}

beforeEach(async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  Object.assign(globalThis, { WebSocket: FakeSocket });
  [sockets, tickets, refusal] = [[], 0, undefined];
  link = new SignalingLink(async () => {
    tickets += 1;
    if (refusal) throw refusal;
    return { url: `wss://example.org/${tickets}`, ticket: `ticket ${tickets}`, iceServers: [], ttl: 3600 };
  });
  link.start();
  await settle();
  newest().open();
  newest().says(welcome);
});
afterEach(() => { link.stop(); mock.timers.reset(); });

test("after a server said that it ends, a page comes back without a ticket and without a word", async () => {
  /** @type {string[]} */
  const states = [];
  link.on("state", (state) => states.push(state));
  newest().says({ type: "pong", resume: "key-two" });
  newest().says({ type: "draining", retry_ms: 1000 });
  mock.timers.tick(900);
  assert.equal(sockets.length, 1);
  const socket = await next(200);
  assert.deepEqual(socket.sent, [{ type: "hello", resume: "key-two" }]);
  assert.equal(socket.url, "wss://example.org/1");
  socket.says({ ...welcome, resume: "key-three" });
  assert.deepEqual(states, ["connecting", "open"]);
  assert.equal(tickets, 1);
});

test("a lost connection is resumed with the last number, and if that fails twice, a ticket tells where the server is", async () => {
  newest().says({ type: "missed", seq: 1, room: "r" });
  newest().close();
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const socket = await next();
    assert.deepEqual(socket.sent, [{ type: "hello", resume: "key-one", seen: 1 }]);
    socket.close();
  }
  const socket = await next();
  assert.deepEqual(socket.sent, [{ type: "hello", ticket: "ticket 2", resume: "key-one", seen: 1 }]);
  assert.equal(socket.url, "wss://example.org/2");
});

test("a server that cannot continue the session gets a ticket", async () => {
  newest().says({ type: "draining", retry_ms: 1000 });
  (await next()).says({ type: "error", code: "ticket_expired", message: "" });
  const socket = await next();
  assert.deepEqual(socket.sent, [{ type: "hello", ticket: "ticket 2" }]);
});

test("the API's Retry-After is heeded", async () => {
  newest().says({ type: "draining", retry_ms: 1000 });
  refusal = { status: 429, code: "rate_limited", message: "", retryAfter: 7 };
  (await next()).says({ type: "error", code: "ticket_expired", message: "" });
  for (let passed = 0; tickets < 2; passed += 50) {
    assert.ok(passed < 5000);
    mock.timers.tick(50);
    await settle();
  }
  refusal = undefined;
  for (let passed = 0; passed < 7000; passed += 50) {
    mock.timers.tick(50);
    await settle();
  }
  assert.equal(tickets, 2, "nothing is asked for seven seconds");
  assert.deepEqual((await next()).sent, [{ type: "hello", ticket: "ticket 3" }]);
});
