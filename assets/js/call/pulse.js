/**
 * Notices that nothing arrives any more, seconds before the browser says so: sound comes fifty times a second, even if
 * nobody speaks.
 */

/** How often to look, in milliseconds. */
export const LOOK_MS = 250;
/** How long nothing may have arrived. Bad networks pause for some hundred milliseconds. */
const SILENT_MS = 750;

/** @typedef {"flowing" | "silent" | "unknown"} Flow unknown: nothing has arrived so far */

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
