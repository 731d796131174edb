import assert from "node:assert/strict";
import { test } from "node:test";
import { Files } from "../../../assets/js/call/files.js";
import { readWire } from "../../../assets/js/call/wire.js";

/** A fake data channel whose buffer takes a while to drain. */
class Channel extends EventTarget {
  binaryType = "blob";
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  most = 0;
  /** @type {Channel | undefined} */
  other;
  /** @param {Uint8Array} data */
  send(data) {
    this.bufferedAmount += data.byteLength;
    this.most = Math.max(this.most, this.bufferedAmount);
    const copy = data.slice().buffer;
    setTimeout(() => {
      this.bufferedAmount -= data.byteLength;
      this.other?.dispatchEvent(new MessageEvent("message", { data: copy }));
      if (this.bufferedAmount <= this.bufferedAmountLowThreshold) this.dispatchEvent(new Event("bufferedamountlow"));
    }, 0);
  }
}

function pair() {
  const [a, b] = [new Channel(), new Channel()];
  a.other = b;
  b.other = a;
  /** @type {Files[]} */
  const sides = [];
  const connect = (/** @type {number} */ to) => (/** @type {unknown} */ message) => {
    const read = readWire(JSON.stringify(message));
    if (read) setTimeout(() => sides[to]?.receive(read), 0);
    return true;
  };
  sides.push(new Files(/** @type {any} */ (a), connect(1)), new Files(/** @type {any} */ (b), connect(0)));
  const [one, other] = sides;
  assert.ok(one && other);
  return { a, b, one, other };
}

/**
 * @param {Files} files
 * @param {string} state
 * @returns {Promise<import("../../../assets/js/call/files.js").Transfer>}
 */
const reached = (files, state) => new Promise((resolve) => files.on("change", (transfer) => { if (transfer.state === state) resolve(transfer); }));

test("a file arrives intact, and the channel's buffer stays bounded", async () => {
  const { a, one, other } = pair();
  const content = new Uint8Array(5_000_000).map((_, index) => index % 251);
  const offered = reached(other, "offered");
  one.offer(new File([content], "x/../evil\u202e.html", { type: "text/html" }));
  const { id, name } = await offered;
  assert.equal(name, "x_.._evil.html");
  const done = reached(other, "done");
  other.take(id);
  const { blob } = await done;
  assert.equal(blob?.type, "application/octet-stream");
  assert.deepEqual(new Uint8Array(await blob.arrayBuffer()), content);
  assert.ok(a.most < 1_200_000, `${a.most} bytes waited`);
});

test("data without an accepted offer is ignored", async () => {
  const { b, one, other } = pair();
  const offered = reached(other, "offered");
  one.offer(new File(["hello"], "a.txt"));
  const transfer = await offered;
  b.dispatchEvent(new MessageEvent("message", { data: new Uint8Array([0, 0, 0, 1, 9, 9, 9, 9, 9]).buffer }));
  assert.equal(transfer.bytes, 0);
  const refused = reached(one, "refused");
  other.refuse(transfer.id);
  await refused;
});

test("a file larger than announced ends the transfer", async () => {
  const { b, other } = pair();
  other.receive({ type: "file-offer", id: 7, name: "a", size: 4 });
  other.take(7);
  const broken = reached(other, "broken");
  b.dispatchEvent(new MessageEvent("message", { data: new Uint8Array([0, 0, 0, 7, 1, 2, 3, 4, 5]).buffer }));
  await broken;
});

test("too many offers are declined without notifying the user", async () => {
  const { other } = pair();
  let shown = 0;
  other.on("change", () => { shown += 1; });
  for (let id = 1; id <= 50; id += 1) other.receive({ type: "file-offer", id, name: "a", size: 4 });
  assert.equal(shown, 32);
});

test("an empty file can be sent, and a closed channel breaks running transfers", async () => {
  const { b, other } = pair();
  other.receive({ type: "file-offer", id: 1, name: "empty", size: 0 });
  const done = reached(other, "done");
  other.take(1);
  await done;
  other.receive({ type: "file-offer", id: 2, name: "a", size: 4 });
  other.take(2);
  const broken = reached(other, "broken");
  b.dispatchEvent(new Event("close"));
  await broken;
});

test("either side ends a running transfer, and others of the same number go on", async () => {
  for (const sender of [true, false]) {
    const { one, other } = pair();
    // The first of each side have the same number.
    const [there, here] = [reached(other, "offered"), reached(one, "offered")];
    one.offer(new File([new Uint8Array(5_000_000)], "a"));
    other.offer(new File(["hello"], "b"));
    const [long, short] = [await there, await here];
    assert.equal(long.id, short.id);
    const running = reached(one, "running");
    other.take(long.id);
    await running;
    const ends = [reached(one, sender ? "broken" : "refused"), reached(other, sender ? "broken" : "refused")];
    if (sender) one.cancel(long.id);
    else other.refuse(long.id);
    await Promise.all(ends);
    const done = reached(one, "done");
    one.take(short.id);
    assert.equal(await (await done).blob?.text(), "hello");
    assert.equal(long.blob, undefined);
  }
});
