/** The roles of DTLS in later offers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { roleOf, withRole } from "../../../assets/js/call/negotiation.js";

/** @param {string} setup @returns {any} */
const description = (setup) => ({ sdp: `v=0\r\nm=audio 9\r\na=setup:${setup}\r\na=mid:0\r\n` });

test("the first answer decides the role for good, whoever gave it", () => {
  const role = (/** @type {string} */ ours, /** @type {string} */ theirs) => roleOf({ currentLocalDescription: description(ours), currentRemoteDescription: description(theirs) });
  assert.equal(role("active", "actpass"), "active");
  assert.equal(role("passive", "actpass"), "passive");
  assert.equal(role("actpass", "active"), "passive");
  assert.equal(role("actpass", "passive"), "active");
  assert.equal(role("active", "passive"), "active");
  assert.equal(roleOf({ currentLocalDescription: null, currentRemoteDescription: null }), undefined);
});

test("a later offer keeps the role in every section; the first one leaves the choice", () => {
  const offer = "v=0\r\nm=audio 9\r\na=setup:actpass\r\nm=video 9\r\na=setup:actpass\r\n";
  assert.equal(withRole(offer, undefined), offer);
  assert.equal(withRole(offer, "passive"), "v=0\r\nm=audio 9\r\na=setup:passive\r\nm=video 9\r\na=setup:passive\r\n");
});
