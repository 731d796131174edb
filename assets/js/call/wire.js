/**
 * The messages between two peers over their data channel. Whatever arrives was written by somebody else: it is
 * checked, cut to size and copied field by field, so that nothing unexpected gets through.
 */
import { Emitter } from "../emitter.js";
import { cleanText, safeFileName } from "../text.js";

/** The maximum length of a message in characters; an offer with four media sections has about 10,000. */
export const LONGEST_MESSAGE = 65_536;
export const LONGEST_CHAT = 4000;
/** The maximum file size in bytes: a file is assembled in the receiver's memory. */
export const LARGEST_FILE = 256 * 1000 * 1000;

/**
 * @typedef {{ microphone: boolean, camera: boolean, screen: boolean }} MediaState what somebody is sending
 * @typedef {{ type: "state" } & MediaState} StateMessage
 * @typedef {{ type: "peer", peer: string }} PeerMessage the sender's present id at the signaling server
 * @typedef {{ type: "description", description: RTCSessionDescriptionInit }} DescriptionMessage
 * @typedef {{ type: "candidate", candidate: RTCIceCandidateInit }} CandidateMessage
 * @typedef {{ type: "chat", text: string }} ChatMessage
 * @typedef {{ type: "commit", hash: string }} CommitMessage see verification.js
 * @typedef {{ type: "nonce" | "reveal", nonce: string }} NonceMessage
 * @typedef {{ type: "file-offer", id: number, name: string, size: number }} FileOfferMessage
 * @typedef {{ type: "file-take" | "file-refuse" | "file-cancel", id: number }} FileMessage
 * @typedef {{ type: "bye" }} ByeMessage
 * @typedef {StateMessage | PeerMessage | DescriptionMessage | CandidateMessage | ChatMessage | CommitMessage | NonceMessage
 *   | FileOfferMessage | FileMessage | ByeMessage} WireMessage
 */

/** @typedef {{ [field: string]: unknown }} Raw */

/** @param {unknown} value @returns {value is Raw} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @param {unknown} value @param {number} longest @returns {value is string} */
const isText = (value, longest) => typeof value === "string" && value.length > 0 && value.length <= longest;
/** @param {unknown} value @returns {value is number} */
const isId = (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 0xffff_ffff;
/** @param {unknown} value @returns {value is string} */
const isHex = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);

/** @param {Raw} raw @returns {FileMessage | undefined} */
const file = (raw) => isId(raw.id) ? { type: /** @type {FileMessage["type"]} */ (raw.type), id: raw.id } : undefined;
/** @param {Raw} raw @returns {NonceMessage | undefined} */
const nonce = (raw) => isHex(raw.nonce) ? { type: /** @type {NonceMessage["type"]} */ (raw.type), nonce: raw.nonce } : undefined;

/** One reader for each type: the message as it may be used, or nothing. @type {Record<string, (raw: Raw) => WireMessage | undefined>} */
const READERS = {
  state: (raw) => ({ type: "state", microphone: raw.microphone === true, camera: raw.camera === true, screen: raw.screen === true }),
  peer: (raw) => isText(raw.peer, 128) ? { type: "peer", peer: raw.peer } : undefined,
  description: (raw) => {
    const description = readDescription(raw.description);
    return description && { type: "description", description };
  },
  candidate: (raw) => {
    const candidate = readCandidate(raw.candidate);
    return candidate && { type: "candidate", candidate };
  },
  chat: (raw) => {
    const text = cleanText(raw.text, LONGEST_CHAT);
    return text === "" ? undefined : { type: "chat", text };
  },
  commit: (raw) => isHex(raw.hash) ? { type: "commit", hash: raw.hash } : undefined,
  nonce,
  reveal: nonce,
  "file-offer": (raw) => isId(raw.id) && Number.isInteger(raw.size) && Number(raw.size) >= 0 && Number(raw.size) <= LARGEST_FILE
    ? { type: "file-offer", id: raw.id, name: safeFileName(raw.name), size: Number(raw.size) } : undefined,
  "file-take": file,
  "file-refuse": file,
  "file-cancel": file,
  bye: () => ({ type: "bye" }),
};

/**
 * @param {unknown} data as a data channel delivered it
 * @returns {WireMessage | undefined} undefined if it is not a valid message
 */
export function readWire(data) {
  if (typeof data !== "string" || data.length > LONGEST_MESSAGE) return undefined;
  try {
    const raw = JSON.parse(data);
    if (!isObject(raw) || typeof raw.type !== "string" || !Object.hasOwn(READERS, raw.type)) return undefined;
    return READERS[raw.type]?.(raw);
  } catch {
    return undefined;
  }
}

/** @param {unknown} value @returns {RTCSessionDescriptionInit | undefined} */
export function readDescription(value) {
  if (!isObject(value) || !isText(value.sdp, LONGEST_MESSAGE)) return undefined;
  return value.type === "offer" || value.type === "answer" ? { type: value.type, sdp: value.sdp } : undefined;
}

/** @param {unknown} value @returns {RTCIceCandidateInit | undefined} */
export function readCandidate(value) {
  if (!isObject(value) || typeof value.candidate !== "string" || value.candidate.length > 1024) return undefined;
  /** @type {RTCIceCandidateInit} */
  const candidate = { candidate: value.candidate };
  if (typeof value.sdpMid === "string") candidate.sdpMid = value.sdpMid.slice(0, 64);
  if (typeof value.sdpMLineIndex === "number") candidate.sdpMLineIndex = value.sdpMLineIndex;
  if (typeof value.usernameFragment === "string") candidate.usernameFragment = value.usernameFragment.slice(0, 256);
  return candidate;
}

/** Token bucket: a burst, then a steady rate per second. An ICE restart sends some dozens at once. */
const BURST = 200;
const PER_SECOND = 30;

/**
 * The data channel for messages: each is validated, and their rate is limited.
 * @extends {Emitter<{ open: null, message: WireMessage, close: null }>}
 */
export class PeerChannel extends Emitter {
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
   * @returns {boolean} whether it was handed to the channel
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
