import assert from "node:assert/strict";
import { test } from "node:test";
import { LARGEST_FILE, LONGEST_MESSAGE, readCandidate, readDescription, readWire } from "../../../assets/js/call/wire.js";

/** @param {unknown} message */
const read = (message) => readWire(JSON.stringify(message));

test("only known message types are accepted, field by field", () => {
  assert.deepEqual(read({ type: "state", microphone: true, camera: 1, screen: false, extra: "x" }), { type: "state", microphone: true, camera: false, screen: false });
  for (const type of ["constructor", "__proto__", "toString", "nonsense", "", 3, null]) assert.equal(read({ type }), undefined, String(type));
  for (const raw of ["null", "[]", "7", "{", "\"x\""]) assert.equal(readWire(raw), undefined, raw);
  assert.equal(readWire(new ArrayBuffer(8)), undefined);
});

test("a message that is too long is not parsed", () => {
  assert.equal(readWire(JSON.stringify({ type: "chat", text: "x".repeat(LONGEST_MESSAGE) })), undefined);
  const chat = read({ type: "chat", text: "x".repeat(10_000) });
  assert.equal(chat?.type === "chat" && chat.text.length, 4000);
});

test("an empty chat line is dropped", () => {
  assert.equal(read({ type: "chat", text: " \u202e \n" }), undefined);
  assert.equal(read({ type: "chat", text: {} }), undefined);
});

test("files: ids are numbers, sizes have a limit, names are safe", () => {
  assert.deepEqual(read({ type: "file-offer", id: 1, name: "a/../b\u202e.txt", size: 5 }), { type: "file-offer", id: 1, name: "a_.._b.txt", size: 5 });
  for (const size of [-1, 1.5, LARGEST_FILE + 1, "5", null]) assert.equal(read({ type: "file-offer", id: 1, name: "a", size }), undefined, String(size));
  for (const id of [-1, 2 ** 32, "1", 0.5]) assert.equal(read({ type: "file-take", id }), undefined, String(id));
});

test("descriptions are only offers or answers", () => {
  assert.deepEqual(readDescription({ type: "offer", sdp: "v=0", more: 1 }), { type: "offer", sdp: "v=0" });
  for (const wrong of [{ type: "rollback", sdp: "v=0" }, { type: "offer", sdp: "" }, { type: "offer" }, "offer", null]) assert.equal(readDescription(wrong), undefined);
});

test("candidates keep only the known fields", () => {
  assert.deepEqual(readCandidate({ candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "ab", x: 1 }), { candidate: "candidate:1", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "ab" });
  assert.equal(readCandidate({ candidate: "x".repeat(2000) }), undefined);
  assert.equal(readCandidate(null), undefined);
});

test("nonces and commitments are 32 bytes in hex", () => {
  assert.ok(read({ type: "commit", hash: "ab".repeat(32) }));
  assert.equal(read({ type: "commit", hash: "ab".repeat(31) }), undefined);
  assert.equal(read({ type: "reveal", nonce: "XY".repeat(32) }), undefined);
});
