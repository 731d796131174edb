/** A call from the first click to the last: shared by rooms and calls between friends. */
import { byId } from "../dom.js";
import { Call } from "../call/call.js";
import { ownCertificate } from "../call/identity.js";
import { signIn } from "../session.js";
import { CallScreen } from "./callscreen.js";
import { removeLobby } from "./lobby.js";

/**
 * @typedef {{
 *   room: string, title: string, name: string, user: import("../api.js").User | undefined, link?: string,
 *   media: import("../call/media.js").LocalMedia, fetchTicket: () => Promise<import("../api.js").Ticket>,
 *   nameOf: (email: string) => string, onEnd: (running: Running) => void,
 *   expects?: import("../call/call.js").CallOptions["expects"], onMessage?: (message: import("../call/signaling.js").Message) => boolean, onLeaving?: () => void,
 * }} RunningOptions
 *   onLeaving: called while messages to the server can still be sent;
 *   onMessage: sees messages that are not about the room first; true if it handled the message
 */

export class Running {
  call;
  /** @type {CallScreen | undefined} */
  screen;
  #options;
  /** Incoming calls, once there is one. @type {Promise<import("../ui/rings.js").Rings> | undefined} */
  #rings;
  /** @type {(() => void) | undefined} */
  #awake;
  #bye = () => this.#goodbye();
  #meant = () => removeEventListener("beforeunload", this.#ask);
  /** Lets the browser ask before a call is left by accident, such as by its button to reload. */
  #ask = (/** @type {Event} */ event) => { if (this.call.peers.length > 0) event.preventDefault(); };

  /**
   * @param {RunningOptions} options
   * @param {RTCCertificate | undefined} certificate
   */
  constructor(options, certificate) {
    this.#options = options;
    const { room, media, fetchTicket, expects, user } = options;
    this.call = new Call({ room, media, fetchTicket, signedIn: user !== undefined, ...(certificate ? { certificate } : {}), ...(expects ? { expects } : {}) });
    this.call.on("message", (message) => { if (!options.onMessage?.(message)) void this.#ring(message); });
    this.call.on("refused", ({ code }) => { if (code === "signed_out") signIn(true); });
    addEventListener("pagehide", this.#bye);
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  /**
   * @param {RunningOptions} options
   * @returns {Promise<Running>}
   */
  static async prepare(options) {
    return new Running(options, options.user ? await ownCertificate(options.user.email) : undefined);
  }

  /** @param {import("../call/signaling.js").Message} message that may be about a ring */
  async #ring(message) {
    const { user, nameOf } = this.#options;
    if (user && message.type === "rung") this.#rings ??= import("../ui/rings.js").then(({ Rings }) => new Rings(this.call.link, nameOf, { inCall: true }));
    try {
      (await this.#rings)?.receive(message);
    } catch (error) {
      console.debug("rings:", error);
      this.#rings = undefined;
    }
  }

  /** Shows the call screen, once. */
  show() {
    if (this.screen) return this.screen;
    const { media, name, title, link } = this.#options;
    this.screen = new CallScreen({ call: this.call, media, name, title, ...(link ? { link } : {}), onLeave: () => this.end() });
    this.#awake = stayAwake();
    addEventListener("beforeunload", this.#ask);
    addEventListener("goto", this.#meant);
    document.body.classList.add("in-call");
    removeLobby();
    byId("main", HTMLElement).append(this.screen.node);
    return this.screen;
  }

  /** Ends what was only prepared. */
  discard() {
    removeEventListener("pagehide", this.#bye);
    this.#meant();
    this.#goodbye();
  }

  /** Leaves, releases the devices, and notifies the page. */
  end() {
    this.discard();
    this.#awake?.();
    this.#options.media.stop();
    this.screen?.close();
    document.body.classList.remove("in-call");
    this.#options.onEnd(this);
  }

  #goodbye() {
    this.#options.onLeaving?.();
    this.call.leave();
  }
}

/**
 * Keeps the screen on during a call, if the browser can: nobody touches a phone while watching it.
 * @returns {() => void} lets it turn off again
 */
function stayAwake() {
  /** @type {WakeLockSentinel | undefined} */
  let lock;
  let wanted = true;
  const ask = async () => {
    // The browser releases the lock whenever the page is hidden.
    if (!wanted || document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    lock = await navigator.wakeLock.request("screen").catch(() => undefined);
    if (!wanted) void lock?.release();
  };
  const again = () => void ask();
  document.addEventListener("visibilitychange", again);
  again();
  return () => {
    wanted = false;
    document.removeEventListener("visibilitychange", again);
    void lock?.release().catch(() => undefined);
  };
}
