/**
 * Four emoji that are the same on both sides if, and only if, nobody intercepts the call.
 *
 * They are derived from both DTLS fingerprints and from a random number of each side. The side that begins commits to
 * its number before it sees the other's, so that an interceptor has a single try in 2^24; without that, fingerprints
 * that collide could be searched for in advance (the reasoning is ZRTP's, RFC 6189 section 4.4.1.1).
 */
import { Emitter } from "../emitter.js";

/** 64 pictures that are easy to tell apart at a glance and over the phone. */
export const EMOJI = [
  "🐶", "🐱", "🦁", "🐎", "🦄", "🐷", "🐘", "🐰", "🐼", "🐓", "🐧", "🐢", "🐟", "🐙", "🦋", "🌷",
  "🌳", "🌵", "🍄", "🌏", "🌙", "☁️", "🔥", "🍌", "🍎", "🍓", "🌽", "🍕", "🎂", "❤️", "😀", "🤖",
  "🎩", "👓", "🔧", "🎅", "👍", "☂️", "⌛", "⏰", "🎁", "💡", "📕", "✏️", "📎", "✂️", "🔒", "🔑",
  "🔨", "☎️", "🏁", "🚂", "🚲", "✈️", "🚀", "🏆", "⚽", "🎸", "🎺", "🔔", "⚓", "🎧", "📁", "📌",
];

/**
 * @typedef {{ state: "waiting" } | { state: "broken" } | { state: "ready", emoji: string[] }} Code
 * @typedef {import("./wire.js").WireMessage} WireMessage
 */

/** @param {string} text @returns {Promise<Uint8Array>} */
async function digest(text) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** @param {Uint8Array} bytes */
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * @param {string} one fingerprint
 * @param {string} other fingerprint; the order of the two does not matter
 * @param {string} beginner random number of the side that committed
 * @param {string} answerer random number of the other side
 * @returns {Promise<string[]>}
 */
export async function emojiOf(one, other, beginner, answerer) {
  const bytes = await digest(["PeerSync code 1", ...[one, other].sort(), beginner, answerer].join("\n"));
  const [a = 0, b = 0, c = 0] = bytes;
  const bits = (a << 16) | (b << 8) | c;
  return [18, 12, 6, 0].map((shift) => EMOJI[(bits >> shift) & 63] ?? "");
}

/**
 * Returns the SHA-256 fingerprint of a description. Several different ones would let it show one certificate and
 * use another, so they count as missing.
 * @param {string | undefined} sdp
 * @returns {string | undefined}
 */
export function fingerprintOf(sdp) {
  const lines = [...(sdp ?? "").matchAll(/^a=fingerprint:(\S+) ([0-9A-Fa-f:]+)\s*$/gm)];
  const found = new Set(lines.map(([, algorithm, value]) => `${algorithm} ${value}`.toLowerCase()));
  const [only] = found;
  return found.size === 1 && only?.startsWith("sha-256 ") ? only.slice(8) : undefined;
}

/** @extends {Emitter<{ code: Code }>} */
export class Verification extends Emitter {
  /** @type {Code} */
  code = { state: "waiting" };
  /** Fingerprint of the other side's certificate, once it is known. @type {string | undefined} */
  theirs;
  #begins;
  #send;
  #fingerprints;
  #nonce = hex(crypto.getRandomValues(new Uint8Array(32)));
  #commitment = "";
  #answered = false;

  /**
   * @param {{ begins: boolean, send: (message: WireMessage) => void,
   *   fingerprints: () => { ours: string | undefined, theirs: string | undefined } }} how
   */
  constructor({ begins, send, fingerprints }) {
    super();
    this.#begins = begins;
    this.#send = send;
    this.#fingerprints = fingerprints;
  }

  /** Starts the exchange; called when the channel is open. */
  async start() {
    if (this.#begins && crypto.subtle) this.#send({ type: "commit", hash: hex(await digest(this.#nonce)) });
  }

  /** @param {WireMessage} message @returns {Promise<void>} */
  async receive(message) {
    // Over plain HTTP there is no cryptography, and so no code.
    if (this.code.state !== "waiting" || !crypto.subtle) return;
    if (message.type === "commit" && !this.#begins && this.#commitment === "") {
      this.#commitment = message.hash;
      this.#send({ type: "nonce", nonce: this.#nonce });
    } else if (message.type === "nonce" && this.#begins && !this.#answered) {
      this.#answered = true;
      this.#send({ type: "reveal", nonce: this.#nonce });
      await this.#finish(this.#nonce, message.nonce);
    } else if (message.type === "reveal" && !this.#begins && this.#commitment !== "" && !this.#answered) {
      this.#answered = true;
      if (hex(await digest(message.nonce)) === this.#commitment) await this.#finish(message.nonce, this.#nonce);
      else this.#set({ state: "broken" });
    }
  }

  /**
   * @param {string} beginner
   * @param {string} answerer
   */
  async #finish(beginner, answerer) {
    const { ours, theirs } = this.#fingerprints();
    if (!ours || !theirs) {
      this.#set({ state: "broken" });
      return;
    }
    this.theirs = theirs;
    this.#set({ state: "ready", emoji: await emojiOf(ours, theirs, beginner, answerer) });
  }

  /** @param {Code} code */
  #set(code) {
    this.code = code;
    this.emit("code", code);
  }
}
