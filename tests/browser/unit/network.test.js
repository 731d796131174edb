import assert from "node:assert/strict";
import { test } from "node:test";
import { adapt, begin, bestStep, STEPS } from "../../../assets/js/call/adapt.js";
import { expiresAt, refreshIn } from "../../../assets/js/call/renewal.js";
import { loudness, troubleOf } from "../../../assets/js/call/media.js";
import { backoff } from "../../../assets/js/call/signaling.js";
import { FIRST_SAMPLE, judge, readSample } from "../../../assets/js/call/quality.js";
import { diagnose } from "../../../assets/js/call/diagnosis.js";

/** @param {Partial<import("../../../assets/js/call/quality.js").Sample>} changes */
const sample = (changes) => ({ ...FIRST_SAMPLE, ...changes });

test("connection quality levels", () => {
  assert.equal(judge(FIRST_SAMPLE, sample({ rttMs: 40, received: 100 })).level, "good");
  assert.equal(judge(FIRST_SAMPLE, sample({ rttMs: 400, received: 100 })).level, "fair");
  assert.equal(judge(FIRST_SAMPLE, sample({ rttMs: 40, received: 90, lost: 10 })).level, "poor");
  assert.equal(judge(FIRST_SAMPLE, sample({ rttMs: 40, received: 90, lost: 10 })).lossPercent, 10);
  assert.equal(judge(FIRST_SAMPLE, sample({ sentLoss: 0.2 })).level, "poor");
  assert.equal(judge(FIRST_SAMPLE, sample({ frozenS: 0.6 })).level, "fair");
});

test("only changes since the last sample count", () => {
  const before = sample({ received: 1000, lost: 500, frozenS: 20 });
  assert.equal(judge(before, sample({ received: 1200, lost: 500, frozenS: 20 })).level, "good");
  assert.equal(judge(before, sample({ received: 0, lost: 0, frozenS: 0 })).lossPercent, 0);
});

test("a browser's report is read even if fields are missing", () => {
  const report = new Map(Object.entries({
    T: { id: "T", type: "transport", selectedCandidatePairId: "P" },
    P: { id: "P", type: "candidate-pair", timestamp: 5000, currentRoundTripTime: 0.12, availableOutgoingBitrate: 5e5, bytesReceived: 9, bytesSent: 8, localCandidateId: "L", remoteCandidateId: "R" },
    L: { id: "L", type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tls" },
    V: { id: "V", type: "inbound-rtp", kind: "video", packetsReceived: 10, packetsLost: -2, totalFreezesDuration: 1 },
    A: { id: "A", type: "inbound-rtp", kind: "audio", packetsReceived: 5, packetsLost: 1 },
    O: { id: "O", type: "remote-inbound-rtp", fractionLost: 0.25 },
  }));
  assert.deepEqual(readSample(report), {
    rttMs: 120, relayed: true, over: "TLS", availableBps: 5e5, atMs: 5000, downBytes: 9, upBytes: 8,
    received: 15, lost: 1, frozenS: 1, sentLoss: 0.25, limitedBy: "none",
  });
  assert.deepEqual(readSample(new Map()), FIRST_SAMPLE);
});

test("rates are bits per second between two samples, and nothing without two", () => {
  const before = sample({ atMs: 1000, downBytes: 1000, upBytes: 500, over: "UDP" });
  const now = judge(before, sample({ atMs: 3000, downBytes: 251_000, upBytes: 25_500, over: "UDP" }));
  assert.deepEqual([now.downBps, now.upBps, now.over], [1_000_000, 100_000, "UDP"]);
  for (const first of [FIRST_SAMPLE, sample({ atMs: 3000 }), sample({ atMs: 1000, downBytes: 9e9, upBytes: 9e9 })]) {
    assert.deepEqual([judge(first, sample({ atMs: 3000, downBytes: 1000 })).downBps, judge(first, sample({ atMs: 3000 })).upBps], [0, 0]);
  }
});

test("a diagnosis says which side lacks what", () => {
  const side = (/** @type {string} */ type, /** @type {string[]} */ kinds) => kinds.map((candidateType) => ({ type, candidateType }));
  /**
   * @param {string[]} local
   * @param {string[]} remote
   * @param {object} [other]
   */
  const of = (local, remote, other = {}) => diagnose({
    report: [...side("local-candidate", local), ...side("remote-candidate", remote), { type: "transport" }], errors: [], servers: 1, answered: true, ...other,
  });
  const budget = { errors: ["701 STUN allocate request timed out.", "508 The relay's traffic of this month is used up"] };
  assert.equal(of(["host"], [], { answered: false }).failure, "no_answer");
  assert.equal(of([], ["host"]).failure, "no_addresses");
  assert.equal(of(["host", "srflx"], ["host"], budget).failure, "relay_budget");
  assert.equal(of(["host"], ["host"], { servers: 0 }).failure, "no_relay");
  assert.equal(of(["host"], ["relay"]).failure, "no_way_out");
  assert.equal(of(["host", "relay"], []).failure, "their_network");
  assert.deepEqual(of(["host", "srflx"], ["host"]), { failure: "their_network", local: "srflx", remote: "host" });
  assert.deepEqual(of(["host", "prflx", "relay"], ["srflx"]), { failure: "blocked", local: "relay", remote: "srflx" });
});

test("a bad network lowers quality step by step only if it lasts, down to the lowest", () => {
  let now = begin(0);
  now = adapt(now, sample({ sentLoss: 0.3 }), 0);
  assert.equal(now.step, 0);
  for (let count = 0; count < 50; count += 1) now = adapt(now, sample({ sentLoss: 0.3 }), 0);
  assert.equal(now.step, STEPS.length - 1);
});

test("a good network raises quality step by step, more slowly after each failure", () => {
  let now = { step: 2, good: 0, bad: 0, patience: 5 };
  const good = sample({ availableBps: 5e6 });
  for (let count = 0; count < 5; count += 1) now = adapt(now, good, 0);
  assert.equal(now.step, 1);
  for (let count = 0; count < 2; count += 1) now = adapt(now, sample({ availableBps: 1e5 }), 0);
  assert.equal(now.step, 2);
  for (let count = 0; count < 9; count += 1) now = adapt(now, good, 0);
  assert.equal(now.step, 2);
  now = adapt(now, good, 0);
  assert.equal(now.step, 1);
});

test("more people get smaller videos at once", () => {
  assert.equal(adapt(begin(0), FIRST_SAMPLE, bestStep(3)).step, bestStep(3));
  assert.ok(bestStep(3) > bestStep(1));
});

test("the reconnect delay grows, has jitter, and is capped", () => {
  assert.equal(backoff(0, () => 0.999_999) <= 500, true);
  assert.equal(backoff(50, () => 1), 10_000);
  assert.equal(backoff(3, () => 0), 0);
});

test("TURN credentials are renewed before they expire", () => {
  const now = 1_700_000_000_000;
  const turn = (/** @type {string} */ username) => [{ urls: "turn:x", username, credential: "c" }, { urls: "stun:x" }];
  assert.equal(expiresAt(turn("1700003600:ada")), 1_700_003_600_000);
  assert.equal(refreshIn({ iceServers: turn("1700003600:ada") }, now), 2_880_000);
  assert.equal(refreshIn({ iceServers: turn("ada"), ttl: 600 }, now), 480_000);
  assert.equal(refreshIn({ iceServers: turn("63e2b5d759f8eb9f"), ttl: 600 }, now), 480_000, "digits without a colon are no time");
  assert.equal(refreshIn({ iceServers: turn("1600000000:ada") }, now), 30_000);
  assert.equal(refreshIn({ iceServers: [{ urls: "stun:x" }] }, now), undefined);
});

test("the level meter ranges from silence to full scale", () => {
  assert.equal(loudness(new Float32Array(64)), 0);
  assert.equal(loudness(new Float32Array(64).fill(1)), 1);
  const half = loudness(new Float32Array(64).fill(0.03));
  assert.ok(half > 0.3 && half < 0.7, String(half));
});

test("every getUserMedia error maps to a reason", () => {
  const reasons = { NotAllowedError: "refused", NotFoundError: "none", NotReadableError: "busy", TypeError: "insecure", Strange: "unknown" };
  for (const [name, reason] of Object.entries(reasons)) assert.equal(troubleOf({ name }), reason, name);
});
