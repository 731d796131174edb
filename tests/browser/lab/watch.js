/**
 * What the lab asks a page. These functions run in the page, and `watch` before its own scripts, so none uses anything
 * outside itself.
 */

/**
 * @typedef {{ type: string, protocol: string, relayProtocol: string, url: string, address: string }} End
 *   one end of a candidate pair, as getStats() describes candidates; empty texts for what a browser does not tell
 * @typedef {{ state: string, frames: number, local: End | null, remote: End | null }} Connection
 */

/** Keeps all peer connections, and makes the video small: encoding it takes most of a core otherwise. */
export function watch() {
  const own = /** @type {any} */ (window);
  own.connections = [];
  own.problems = [];
  const Native = RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    /** @param {RTCConfiguration} [configuration] */
    constructor(configuration) {
      super(configuration);
      own.connections.push(this);
      own.iceServers = configuration?.iceServers;
      this.addEventListener("icecandidateerror", (event) => own.problems.push(`${event.url}: ${event.errorCode} ${event.errorText}`));
    }
  };
  const devices = navigator.mediaDevices;
  const native = devices?.getUserMedia.bind(devices);
  const small = { width: 320, height: 180, frameRate: 15 };
  if (native) {
    devices.getUserMedia = (wanted) => native(wanted?.video ? { ...wanted, video: typeof wanted.video === "object" ? { ...wanted.video, ...small } : small } : wanted);
  }
}

/**
 * Returns every open connection to somebody: the frames decoded so far, and the selected candidate pair. The pages prepare
 * further ones for whoever comes next.
 * @returns {Promise<Connection[]>}
 */
export async function connections() {
  const all = /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections);
  /** @param {any} candidate */
  const end = (candidate) => candidate && {
    type: candidate.candidateType, protocol: candidate.protocol ?? "", relayProtocol: candidate.relayProtocol ?? "",
    url: candidate.url ?? "", address: candidate.address ?? "",
  };
  /** @param {RTCPeerConnection} connection */
  const read = async (connection) => {
    const report = await connection.getStats();
    let frames = 0;
    /** @type {any} */
    let pair;
    report.forEach((entry) => {
      if (entry.type === "inbound-rtp") frames += entry.framesDecoded ?? 0;
      // Chromium names the pair in the transport; Firefox marks it.
      if (entry.type === "transport") pair ??= report.get(entry.selectedCandidatePairId);
      if (entry.type === "candidate-pair" && entry.selected) pair = entry;
    });
    return {
      state: connection.connectionState, frames,
      local: end(pair && report.get(pair.localCandidateId)) ?? null, remote: end(pair && report.get(pair.remoteCandidateId)) ?? null,
    };
  };
  // Firefox refuses descriptions and statistics of a closed connection.
  const open = all.filter((connection) => connection.connectionState !== "closed" && connection.remoteDescription);
  const found = await Promise.all(open.map((connection) => read(connection).catch(() => undefined)));
  return found.filter((one) => one !== undefined);
}

/** Starts to note the longest time without a new picture of anybody. */
export function watchPictures() {
  const own = /** @type {any} */ (window);
  /** @type {Map<RTCPeerConnection, number>} */
  const counted = new Map();
  let last = performance.now();
  let busy = false;
  own.longestGap = 0;
  clearInterval(own.watching);
  own.watching = setInterval(async () => {
    if (busy) return;
    busy = true;
    let moved = false;
    for (const connection of own.connections) {
      if (connection.connectionState === "closed") continue;
      let frames = 0;
      const report = await connection.getStats().catch(() => new Map());
      report.forEach((/** @type {any} */ entry) => { if (entry.type === "inbound-rtp") frames += entry.framesDecoded ?? 0; });
      moved ||= frames > (counted.get(connection) ?? 0);
      counted.set(connection, frames);
    }
    const now = performance.now();
    own.longestGap = Math.max(own.longestGap, now - last);
    if (moved) last = now;
    busy = false;
  }, 50);
}

/**
 * What a person would see if something is wrong, for the message of a failed test.
 * @returns {unknown}
 */
export function surroundings() {
  const own = /** @type {any} */ (window);
  return {
    page: location.href, text: document.body?.innerText.replace(/\s+/g, " ").slice(0, 600), ice: own.iceServers, problems: own.problems,
    states: own.connections?.map((/** @type {RTCPeerConnection} */ one) => `${one.connectionState} ${one.iceConnectionState} ${one.iceGatheringState} ${one.signalingState}`),
  };
}
