import assert from "node:assert/strict";
import { test } from "node:test";
import german from "../../../assets/js/texts/de/call.js";
import english from "../../../assets/js/texts/en/call.js";
import { EMOJI, emojiOf, fingerprintOf, Verification } from "../../../assets/js/call/verification.js";

const A = "aa:01";
const B = "bb:02";
const M = "cc:03";

/**
 * @param {boolean} begins
 * @param {string | undefined} ours
 * @param {string | undefined} theirs
 */
function side(begins, ours, theirs) {
  /** @type {import("../../../assets/js/call/wire.js").WireMessage[]} */
  const out = [];
  const made = new Verification({ begins, send: (message) => out.push(message), fingerprints: () => ({ ours, theirs }) });
  return { made, out };
}

/**
 * @param {ReturnType<typeof side>} one
 * @param {ReturnType<typeof side>} other
 */
async function talk(one, other) {
  await one.made.start();
  await other.made.start();
  for (let round = 0; round < 6; round += 1) {
    for (const [from, to] of [[one, other], [other, one]]) {
      for (const message of from?.out.splice(0) ?? []) await to?.made.receive(message);
    }
  }
}

test("64 different emoji, each with its own word in every language", () => {
  assert.equal(new Set(EMOJI).size, 64);
  for (const texts of [english, german]) assert.equal(new Set(texts["verify.words"].split(" ")).size, 64);
});

test("both sides see the same four emoji", async () => {
  const one = side(true, A, B);
  const other = side(false, B, A);
  await talk(one, other);
  assert.equal(one.made.code.state, "ready");
  assert.deepEqual(one.made.code, other.made.code);
  assert.equal(one.made.theirs, B);
});

test("the codes differ if somebody intercepts the call", async () => {
  // 24 bits could agree by chance once in 16 million; two calls never do.
  const first = [side(true, A, M), side(false, M, A)];
  const second = [side(true, M, B), side(false, B, M)];
  for (const [one, other] of [first, second]) if (one && other) await talk(one, other);
  assert.notDeepEqual(first[0]?.made.code, second[1]?.made.code);
});

test("a nonce that does not match its commitment fails the check", async () => {
  const other = side(false, B, A);
  await other.made.receive({ type: "commit", hash: "00".repeat(32) });
  await other.made.receive({ type: "reveal", nonce: "11".repeat(32) });
  assert.equal(other.made.code.state, "broken");
});

test("nothing is revealed before the other side answers, and a second answer is ignored", async () => {
  const one = side(true, A, B);
  await one.made.start();
  assert.deepEqual(one.out.map(({ type }) => type), ["commit"]);
  await one.made.receive({ type: "nonce", nonce: "22".repeat(32) });
  const { code } = one.made;
  await one.made.receive({ type: "nonce", nonce: "33".repeat(32) });
  assert.deepEqual(one.made.code, code);
});

test("the code depends on every input, but not on the order of the fingerprints", async () => {
  assert.deepEqual(await emojiOf(A, B, "1", "2"), await emojiOf(B, A, "1", "2"));
  const codes = await Promise.all([emojiOf(A, B, "1", "2"), emojiOf(A, M, "1", "2"), emojiOf(A, B, "9", "2"), emojiOf(A, B, "1", "9")]);
  assert.equal(new Set(codes.map((code) => code.join(""))).size, 4);
});

test("a description with two certificates has no fingerprint", () => {
  const line = (/** @type {string} */ value) => `a=fingerprint:sha-256 ${value}\r\n`;
  assert.equal(fingerprintOf(line("AA:BB") + line("aa:bb")), "aa:bb");
  assert.equal(fingerprintOf(line("AA:BB") + line("AA:CC")), undefined);
  assert.equal(fingerprintOf("a=fingerprint:sha-1 AA:BB\r\n"), undefined);
  assert.equal(fingerprintOf(undefined), undefined);
});

test("a missing fingerprint fails the check", async () => {
  const one = side(true, A, undefined);
  await talk(one, side(false, B, A));
  assert.equal(one.made.code.state, "broken");
});
