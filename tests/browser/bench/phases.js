/** Where the time from the click that joins to the first picture goes. */

/** The moments, in their order. @type {ReadonlyArray<string>} */
export const MOMENTS = ["devices", "socket", "welcome", "joined", "offer", "answer", "ice", "dtls", "packet", "frame"];

/**
 * Runs in the page before its own scripts: notes when each moment is reached for the first time, after the click.
 * @param {string} [label] what the button says that joins
 */
export function notePhases(label = "Join room") {
  const own = /** @type {any} */ (window);
  /** @type {Record<string, number>} */
  own.moments = {};
  /** @param {string} moment */
  const note = (moment) => { own.moments[moment] ??= performance.now(); };
  addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest("button, input[type=submit]");
    const says = button instanceof HTMLInputElement ? button.value : button?.textContent?.trim();
    if (says === label) own.clickedAt = performance.now();
  }, { capture: true });

  const devices = navigator.mediaDevices;
  const native = devices.getUserMedia.bind(devices);
  /** @type {Set<string>} */
  const ownTracks = new Set();
  devices.getUserMedia = async (wanted) => {
    const stream = await native(wanted);
    for (const track of stream.getTracks()) ownTracks.add(track.id);
    note("devices");
    return stream;
  };

  /** @type {Record<string, string>} */
  const received = { welcome: "welcome", joined: "joined" };
  window.WebSocket = class extends WebSocket {
    /** @param {string | URL} url @param {string | string[]} [protocols] */
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener("open", () => note("socket"));
      this.addEventListener("message", ({ data }) => {
        const moment = received[JSON.parse(data).type];
        if (moment) note(moment);
      });
    }
  };

  window.RTCPeerConnection = class extends RTCPeerConnection {
    /** @param {RTCConfiguration} [configuration] */
    constructor(configuration) {
      super(configuration);
      this.addEventListener("iceconnectionstatechange", () => { if (this.iceConnectionState === "connected") note("ice"); });
      this.addEventListener("connectionstatechange", () => { if (this.connectionState === "connected") void this.#watch(); });
    }

    async #watch() {
      note("dtls");
      while (own.moments.packet === undefined && this.connectionState === "connected") {
        const all = [...(await this.getStats()).values()];
        if (all.some(({ type, kind, packetsReceived }) => type === "inbound-rtp" && kind === "video" && packetsReceived > 0)) note("packet");
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
    }

    /** @override @param {RTCLocalSessionDescriptionInit} [description] */
    async setLocalDescription(description) {
      await super.setLocalDescription(description);
      if (this.localDescription?.type === "offer") note("offer");
    }

    /** @override @param {RTCSessionDescriptionInit} description */
    async setRemoteDescription(description) {
      if (description.type === "answer") note("answer");
      await super.setRemoteDescription(description);
    }
  };

  new MutationObserver(() => {
    for (const video of document.querySelectorAll("video")) {
      if (video.getAttribute("aria-label") === "You" || video.dataset.watched) continue;
      video.dataset.watched = "true";
      video.requestVideoFrameCallback(() => {
        const tracks = video.srcObject instanceof MediaStream ? video.srcObject.getVideoTracks() : [];
        if (!tracks.some(({ id }) => ownTracks.has(id))) note("frame");
      });
    }
  }).observe(document, { childList: true, subtree: true });
}

/**
 * Returns when each moment was reached, in milliseconds after the click. What was done before it is 0.
 * @param {import("playwright-core").Page} page
 * @returns {Promise<Record<string, number>>}
 */
export function phasesOf(page) {
  return page.evaluate((names) => {
    const { moments, clickedAt } = /** @type {any} */ (window);
    return Object.fromEntries(names.map((name) => [name, Math.max(0, (moments[name] ?? NaN) - clickedAt)]));
  }, [...MOMENTS]);
}
