/** The roles of DTLS in later offers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withStereo } from "../../../assets/js/call/connection.js";
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

test("only the sound of a screen asks for stereo, once", () => {
  const sound = (/** @type {string} */ more) => `m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 ${more}minptime=10;useinbandfec=1\r\na=fmtp:63 111/111\r\n`;
  const of = (/** @type {string} */ more) => `v=0\r\n${sound("")}m=video 9\r\na=fmtp:111 x\r\nm=video 9\r\n${sound(more)}m=application 9\r\n`;
  const stereo = of("stereo=1;");
  assert.equal(withStereo(of("")), stereo);
  assert.equal(withStereo(stereo), stereo);
  const firefox = of("stereo=1;maxplaybackrate=48000;");
  assert.equal(withStereo(firefox), firefox);
  const other = "v=0\r\nm=audio 9\r\nm=audio 9\r\na=rtpmap:0 PCMU/8000\r\na=fmtp:0 x\r\n";
  assert.equal(withStereo(other), other);
});
