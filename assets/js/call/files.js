/**
 * Files between two peers, over a data channel of their own so that a large one does not hold up other messages.
 * Nothing is received unless a click accepted it, and never more than was announced.
 */
import { Emitter } from "../emitter.js";
import { LARGEST_FILE } from "./wire.js";

const CHUNK_BYTES = 32 * 1024;
const HEADER_BYTES = 4;
/** The maximum number of bytes buffered in the channel: enough to keep it busy, few enough to cancel at once. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = 256 * 1024;
/** How many files of one person may wait or arrive at once: a folder of pictures. */
const MOST_OFFERS = 32;

/**
 * @typedef {"offered" | "running" | "done" | "refused" | "broken"} TransferState
 * @typedef {{ id: number, incoming: boolean, name: string, size: number, bytes: number, state: TransferState, blob?: Blob }} Transfer
 * @typedef {Transfer & { file?: File, parts: ArrayBuffer[] }} Held
 * @typedef {import("./wire.js").WireMessage} WireMessage
 */

/** @extends {Emitter<{ change: Transfer }>} */
export class Files extends Emitter {
  #channel;
  #send;
  /** @type {Map<number, Held>} */
  #out = new Map();
  /** @type {Map<number, Held>} */
  #in = new Map();
  #next = 1;
  #sending = Promise.resolve();

  /**
   * @param {RTCDataChannel} channel
   * @param {(message: WireMessage) => boolean} send over the conversation's channel
   */
  constructor(channel, send) {
    super();
    this.#channel = channel;
    this.#send = send;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW_WATER_BYTES;
    channel.addEventListener("message", ({ data }) => { if (data instanceof ArrayBuffer) this.#chunk(data); });
    channel.addEventListener("close", () => this.#broken());
  }

  /**
   * @param {File} file at most LARGEST_FILE bytes
   * @returns {Transfer | undefined} undefined if it is too large or the offer could not be sent
   */
  offer(file) {
    const id = this.#next;
    if (file.size > LARGEST_FILE || !this.#send({ type: "file-offer", id, name: file.name.slice(0, 1000), size: file.size })) return undefined;
    this.#next += 1;
    const transfer = { id, incoming: false, name: file.name, size: file.size, bytes: 0, state: /** @type {const} */ ("offered"), file, parts: [] };
    this.#out.set(id, transfer);
    return transfer;
  }

  /** @param {number} id of an incoming offer */
  take(id) {
    const transfer = this.#in.get(id);
    if (transfer?.state !== "offered") return;
    this.#send({ type: "file-take", id });
    if (transfer.size === 0) this.#complete(transfer);
    else this.#change(transfer, "running");
  }

  /** @param {number} id of an incoming file, which may be arriving already */
  refuse(id) {
    if (this.#in.get(id)?.state === "done") return;
    this.#send({ type: "file-refuse", id });
    this.#end(this.#in, id, "refused");
  }

  /** @param {number} id of an outgoing file */
  cancel(id) {
    this.#send({ type: "file-cancel", id });
    this.#end(this.#out, id, "broken");
  }

  /** @param {WireMessage} message */
  receive(message) {
    switch (message.type) {
      case "file-offer":
        this.#offered(message);
        return;
      case "file-take":
        this.#taken(message.id);
        return;
      case "file-refuse":
        this.#end(this.#out, message.id, "refused");
        return;
      case "file-cancel":
        this.#end(this.#in, message.id, "broken");
        return;
      default:
    }
  }

  /** @param {import("./wire.js").FileOfferMessage} offer */
  #offered({ id, name, size }) {
    const open = [...this.#in.values()].filter((transfer) => transfer.state === "offered" || transfer.state === "running");
    if (this.#in.has(id) || open.length >= MOST_OFFERS) {
      this.#send({ type: "file-refuse", id });
      return;
    }
    /** @type {Held} */
    const transfer = { id, incoming: true, name, size, bytes: 0, state: "offered", parts: [] };
    this.#in.set(id, transfer);
    this.emit("change", transfer);
  }

  /** @param {number} id */
  #taken(id) {
    const transfer = this.#out.get(id);
    if (transfer?.state !== "offered") return;
    this.#change(transfer, "running");
    this.#sending = this.#sending.then(() => this.#pump(transfer)).catch(() => {
      this.cancel(id);
    });
  }

  /** @param {Held} transfer */
  async #pump(transfer) {
    const { file, id } = transfer;
    if (!file) return;
    while (transfer.bytes < file.size && transfer.state === "running") {
      const part = new Uint8Array(await file.slice(transfer.bytes, transfer.bytes + CHUNK_BYTES).arrayBuffer());
      const frame = new Uint8Array(HEADER_BYTES + part.byteLength);
      new DataView(frame.buffer).setUint32(0, id);
      frame.set(part, HEADER_BYTES);
      if (this.#channel.bufferedAmount > HIGH_WATER_BYTES) await this.#drained();
      this.#channel.send(frame);
      transfer.bytes += part.byteLength;
      this.emit("change", transfer);
    }
    if (transfer.state === "running") this.#end(this.#out, id, "done");
  }

  /** @returns {Promise<void>} resolves when there is room again, or the channel is gone and the next send throws */
  #drained() {
    return new Promise((resolve) => {
      const done = () => {
        this.#channel.removeEventListener("bufferedamountlow", done);
        this.#channel.removeEventListener("close", done);
        resolve();
      };
      this.#channel.addEventListener("bufferedamountlow", done);
      this.#channel.addEventListener("close", done);
    });
  }

  /** @param {ArrayBuffer} frame */
  #chunk(frame) {
    if (frame.byteLength <= HEADER_BYTES) return;
    const transfer = this.#in.get(new DataView(frame).getUint32(0));
    if (transfer?.state !== "running") return;
    const part = frame.slice(HEADER_BYTES);
    if (transfer.bytes + part.byteLength > transfer.size) {
      this.#send({ type: "file-refuse", id: transfer.id });
      this.#end(this.#in, transfer.id, "broken");
      return;
    }
    transfer.parts.push(part);
    transfer.bytes += part.byteLength;
    if (transfer.bytes === transfer.size) this.#complete(transfer);
    else this.emit("change", transfer);
  }

  /**
   * Never uses the sender's type: a page or picture with a script must not run with our origin.
   * @param {Held} transfer
   */
  #complete(transfer) {
    transfer.blob = new Blob(transfer.parts, { type: "application/octet-stream" });
    transfer.parts = [];
    this.#change(transfer, "done");
  }

  #broken() {
    for (const all of [this.#in, this.#out]) for (const id of all.keys()) this.#end(all, id, "broken");
  }

  /**
   * @param {Map<number, Held>} all
   * @param {number} id
   * @param {TransferState} state
   */
  #end(all, id, state) {
    const transfer = all.get(id);
    if (!transfer || transfer.state === "done") return;
    transfer.parts = [];
    delete transfer.file;
    all.delete(id);
    this.#change(transfer, state);
  }

  /**
   * @param {Held} transfer
   * @param {TransferState} state
   */
  #change(transfer, state) {
    transfer.state = state;
    this.emit("change", transfer);
  }
}
