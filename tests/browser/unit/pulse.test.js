/** When a connection counts as silent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pulse } from "../../../assets/js/call/quality.js";

test("nothing is known of a connection on which nothing has arrived", () => {
  const pulse = new Pulse();
  for (const now of [0, 1000, 5000]) assert.equal(pulse.read(undefined, now), "unknown");
});

test("a connection is silent if nothing new arrives for three quarters of a second, and flows again with the next packet", () => {
  const pulse = new Pulse();
  assert.equal(pulse.read(20, 0), "flowing");
  assert.equal(pulse.read(40, 250), "flowing");
  assert.equal(pulse.read(40, 750), "flowing");
  assert.equal(pulse.read(40, 1000), "silent");
  assert.equal(pulse.read(60, 1250), "flowing");
});

test("what is forgotten because it is long ago does not count as silence", () => {
  const pulse = new Pulse();
  pulse.read(20, 0);
  assert.equal(pulse.read(undefined, 10_000), "unknown");
  assert.equal(pulse.read(20, 10_250), "flowing");
});
