/** The data channel on which two peers talk: small messages, checked, and not more of them than anybody can read. */
import { Emitter } from "../emitter.js";
import { readWire } from "./wire.js";

/** @typedef {import("./wire.js").WireMessage} WireMessage */

/** Token bucket: a burst, and then so many a second. An ICE restart comes with some dozens at once. */
const BURST = 200;
const PER_SECOND = 30;

/** @extends {Emitter<{ open: null, message: WireMessage, close: null }>} */
export class Conversation extends Emitter {
  #channel;
  #tokens = BURST;
  #last = 0;

  /** @param {RTCDataChannel} channel */
  constructor(channel) {
    super();
    this.#channel = channel;
    channel.addEventListener("open", () => this.emit("open", null));
    channel.addEventListener("close", () => this.emit("close", null));
    channel.addEventListener("message", ({ data, timeStamp }) => {
      const message = this.#allowed(timeStamp) ? readWire(data) : undefined;
      if (message) this.emit("message", message);
    });
  }

  get open() {
    return this.#channel.readyState === "open";
  }

  /**
   * @param {WireMessage} message
   * @returns {boolean} whether it is on its way
   */
  send(message) {
    if (!this.open) return false;
    try {
      this.#channel.send(JSON.stringify(message));
      return true;
    } catch {
      return false;
    }
  }

  /** @param {number} now milliseconds */
  #allowed(now) {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#last) / 1000) * PER_SECOND);
    this.#last = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
