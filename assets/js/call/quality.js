/** How a connection is doing, from the browser's statistics: a rating in everyday words, and whether anything arrives. */

/**
 * @typedef {"good" | "fair" | "poor" | "lost" | "connecting"} Level
 * @typedef {{ level: Level, rttMs: number, lossPercent: number, relayed: boolean, over: string, downBps: number, upBps: number }} Quality
 *   over: UDP, TCP or TLS, as far as the browser tells
 * @typedef {{
 *   rttMs: number, relayed: boolean, over: string, availableBps: number, atMs: number, downBytes: number, upBytes: number,
 *   received: number, lost: number, frozenS: number,
 *   sentLoss: number, limitedBy: string,
 * }} Sample values read from one report; counters grow from the start of the connection
 */

/** @type {Sample} */
export const FIRST_SAMPLE = { rttMs: 0, relayed: false, over: "", availableBps: 0, atMs: 0, downBytes: 0, upBytes: 0, received: 0, lost: 0, frozenS: 0, sentLoss: 0, limitedBy: "none" };

/** @param {unknown} value */
const number = (value) => typeof value === "number" && Number.isFinite(value) ? value : 0;

/**
 * @param {{ forEach(each: (entry: any) => void): void }} report of RTCPeerConnection.getStats()
 * @returns {Sample}
 */
export function readSample(report) {
  const sample = { ...FIRST_SAMPLE };
  /** @type {Map<string, any>} */
  const byId = new Map();
  report.forEach((entry) => byId.set(entry.id, entry));
  for (const entry of byId.values()) {
    if (entry.type === "transport") readPath(sample, byId, byId.get(entry.selectedCandidatePairId));
    else if (entry.type === "candidate-pair" && entry.selected) readPath(sample, byId, entry);
    else if (entry.type === "inbound-rtp") readInbound(sample, entry);
    else if (entry.type === "remote-inbound-rtp") sample.sentLoss = Math.max(sample.sentLoss, number(entry.fractionLost));
    else if (entry.type === "outbound-rtp" && entry.kind === "video" && entry.qualityLimitationReason) sample.limitedBy = entry.qualityLimitationReason;
  }
  return sample;
}

/**
 * @param {Sample} sample
 * @param {Map<string, any>} byId
 * @param {any} pair the candidate pair in use
 */
function readPath(sample, byId, pair) {
  if (!pair) return;
  sample.rttMs = Math.round(number(pair.currentRoundTripTime) * 1000);
  sample.availableBps = number(pair.availableOutgoingBitrate);
  sample.atMs = number(pair.timestamp);
  sample.downBytes = number(pair.bytesReceived);
  sample.upBytes = number(pair.bytesSent);
  // To a relay of ours it is the way to the relay that matters: it may be TLS where the other end has UDP.
  const near = byId.get(pair.localCandidateId);
  sample.over = String(near?.relayProtocol ?? near?.protocol ?? "").toUpperCase();
  sample.relayed = [pair.localCandidateId, pair.remoteCandidateId].some((id) => byId.get(id)?.candidateType === "relay");
}

/**
 * @param {Sample} sample
 * @param {any} entry
 */
function readInbound(sample, entry) {
  sample.received += number(entry.packetsReceived);
  sample.lost += Math.max(0, number(entry.packetsLost));
  sample.frozenS += number(entry.totalFreezesDuration);
}

/** Thresholds that people notice: ITU-T G.114 for delay (one way 150 ms and 400 ms), loss as in common practice. */
const FAIR = { rttMs: 300, lossPercent: 3, frozenS: 0.4 };
const POOR = { rttMs: 700, lossPercent: 9, frozenS: 1.2 };

/**
 * @param {Sample} before
 * @param {Sample} now
 * @returns {Quality}
 */
export function judge(before, now) {
  const received = Math.max(0, now.received - before.received);
  const lost = Math.max(0, now.lost - before.lost);
  const lossPercent = received + lost === 0 ? 0 : Math.round((lost / (received + lost)) * 1000) / 10;
  const frozenS = Math.max(0, now.frozenS - before.frozenS);
  const worst = Math.max(lossPercent, now.sentLoss * 100);
  const above = (/** @type {typeof FAIR} */ limit) => now.rttMs > limit.rttMs || worst > limit.lossPercent || frozenS > limit.frozenS;
  // Another pair, or the first sample: there is nothing to compare with.
  const seconds = before.atMs > 0 ? (now.atMs - before.atMs) / 1000 : 0;
  const rate = (/** @type {number} */ bytes) => (seconds > 0 ? Math.max(0, Math.round((bytes * 8) / seconds)) : 0);
  return {
    level: above(POOR) ? "poor" : above(FAIR) ? "fair" : "good", rttMs: now.rttMs, lossPercent, relayed: now.relayed, over: now.over,
    downBps: rate(now.downBytes - before.downBytes), upBps: rate(now.upBytes - before.upBytes),
  };
}

/** How often to look, in milliseconds. */
export const LOOK_MS = 250;
/** How long nothing may have arrived. Bad networks pause for some hundred milliseconds. */
const SILENT_MS = 750;

/** @typedef {"flowing" | "silent" | "unknown"} Flow unknown: nothing has arrived so far */

/**
 * Notices that nothing arrives any more, seconds before the browser says so: sound comes fifty times a second, even if
 * nobody speaks.
 */
export class Pulse {
  /** @type {number | undefined} */
  #stamp;
  #since = 0;

  /**
   * @param {number | undefined} stamp of what arrived last, on any clock; undefined if nothing did
   * @param {number} now milliseconds
   * @returns {Flow}
   */
  read(stamp, now) {
    if (stamp === undefined) {
      this.#stamp = undefined;
      return "unknown";
    }
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#since = now;
    }
    return now - this.#since < SILENT_MS ? "flowing" : "silent";
  }
}

/**
 * Returns the stamp of what arrived last over a connection.
 * @param {RTCPeerConnection} pc
 * @returns {number | undefined}
 */
export function newestStamp(pc) {
  const stamps = pc.getReceivers().flatMap((receiver) => receiver.getSynchronizationSources().map(({ timestamp }) => timestamp));
  return stamps.length > 0 ? Math.max(...stamps) : undefined;
}

/**
 * Returns what the selected pair of candidates has received. Sound that is not played has no stamps, but is received.
 * @param {RTCPeerConnection} pc
 * @returns {Promise<number>} bytes
 */
export async function receivedBytes(pc) {
  let bytes = 0;
  (await pc.getStats()).forEach((entry) => { if (entry.type === "inbound-rtp") bytes += Number(entry.bytesReceived ?? 0); });
  return bytes;
}
