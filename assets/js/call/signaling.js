/**
 * The connection to the signaling server: hello, heartbeat, resume, and reconnecting with jitter.
 * It knows nothing of calls or pages. While it is disconnected, send() returns false and the caller decides what to do.
 */
import { Emitter } from "../emitter.js";

/**
 * @typedef {import("../api.js").Ticket} Ticket
 * @typedef {"connecting" | "open" | "waiting" | "closed"} LinkState
 * @typedef {import("../protocol.js").ServerMessage} Message
 * @typedef {import("../protocol.js").ClientMessage} ClientMessage
 * @typedef {"ticket" | "socket" | "hello" | "directory"} Stage what an attempt waits for: the API, the WebSocket, the
 *   server's welcome, or its database
 * @typedef {{
 *   state: LinkState, late: { stage: Stage, error?: unknown },
 *   welcome: { peer: string, resumed: boolean },
 *   message: Message,
 *   ticket: Ticket,
 *   refused: { code: string, message: string },
 * }} LinkEvents
 *   late: there is no session after a while; where the last attempt failed, or where the first one still waits, and the
 *   last error of the API
 */

/** A satellite needs four round trips of 2.5 s until the welcome. */
const HELLO_LIMIT_MS = 20_000;
const LATE_MS = 8000;
/** Codes of errors after which coming back cannot help. @type {Set<string>} */
const FINAL = new Set(["forbidden", "room_not_found", "signed_out"]);

/** The wait before reconnecting: it grows up to a limit, with jitter so that clients do not all return at once. */
const FIRST_MS = 500;
const CEILING_MS = 10_000;
/** How often we come back with the session alone before we ask for a ticket, which also tells the server's address. */
const ALONE = 3;

/**
 * Returns a delay with full jitter: any time between zero and the growing limit.
 * @param {number} attempt 0 for the first try after a loss
 * @param {() => number} [random]
 * @returns {number} milliseconds
 */
export function backoff(attempt, random = Math.random) {
  return Math.round(random() * Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(attempt, 10)));
}

/** @extends {Emitter<LinkEvents>} */
export class SignalingLink extends Emitter {
  /** @type {LinkState} */
  state = "closed";
  /** Our id on the server; a new one if the session could not be resumed. */
  peer = "";
  /** With this the server lets us resume the session, and the next server lets us in. */
  #resume = "";
  #url = "";
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #heartbeat;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #late;
  /** @type {Stage} */
  #stage = "ticket";
  /** @type {Stage | undefined} */
  #failed;
  /** @type {unknown} */
  #error;
  #attempt = 0;
  #answered = true;
  /** Distinguishes late answers to an abandoned attempt from those to the current one. */
  #generation = 0;
  /** Number of the last server message seen, for a resume without loss or duplicate. */
  #seen = 0;
  #fetchTicket;
  #opening;
  /** Whether what opens a session was sent with hello. */
  #opened = false;

  /**
   * @param {() => Promise<Ticket>} fetchTicket asks the API for a fresh one-use ticket
   * @param {() => ClientMessage[]} [opening] what to send in each new session; it does not wait for the welcome
   */
  constructor(fetchTicket, opening = () => []) {
    super();
    this.#fetchTicket = fetchTicket;
    this.#opening = opening;
  }

  start() {
    if (this.state !== "closed") return;
    this.#attempt = 0;
    void this.#connect();
  }

  /** Ends the session for good, with a `bye`. */
  stop() {
    this.send({ type: "bye" });
    this.#drop();
    this.#resume = "";
    this.#setState("closed");
  }

  /** Reconnects at once if it was waiting: the network is back, or the machine woke up. */
  hurry() {
    if (this.state !== "waiting") return;
    clearTimeout(this.#timer);
    this.#attempt = 0;
    void this.#connect();
  }

  /** After a sleep the socket may look open but be dead: sends a ping, with a short timeout. */
  probe() {
    if (this.state === "open") this.#beat(5000);
    else this.hurry();
  }

  /** Connects again at once, and resumes: the connection looks open, but leads through a network that is gone. */
  renew() {
    if (this.state !== "open") {
      this.hurry();
      return;
    }
    this.#drop();
    void this.#connect();
  }

  /**
   * @param {ClientMessage} message
   * @returns {boolean} whether it was handed to an open connection
   */
  send(message) {
    if (this.state !== "open" || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  async #connect() {
    this.#generation += 1;
    const mine = this.#generation;
    this.#stage = "ticket";
    this.#setState("connecting");
    if (this.#resume && this.#attempt < ALONE) {
      this.#open(mine);
      return;
    }
    try {
      const ticket = await this.#fetchTicket();
      if (mine !== this.#generation) return;
      this.emit("ticket", ticket);
      this.#url = ticket.url;
      this.#open(mine, ticket.ticket);
    } catch (error) {
      if (mine !== this.#generation) return;
      this.#error = error;
      const { status = 0, code = "offline", message = "", retryAfter = 0 } = /** @type {any} */ (error) ?? {};
      if (status >= 400 && status < 500 && status !== 429 && status !== 408) {
        this.#end({ code, message });
      } else {
        this.#wait(backoff(this.#attempt) + retryAfter * 1000);
      }
    }
  }

  /**
   * @param {number} mine
   * @param {string} [ticket]
   */
  #open(mine, ticket) {
    this.#stage = "socket";
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const limit = setTimeout(() => this.#lost(mine), HELLO_LIMIT_MS);
    socket.addEventListener("open", () => {
      if (mine === this.#generation) this.#stage = "hello";
      // With a session to resume, it is not known yet whether a new one has to be opened.
      const opening = this.#resume ? [] : this.#opening();
      this.#opened = opening.length > 0;
      const hello = { type: "hello", ticket, resume: this.#resume || undefined, seen: this.#seen || undefined };
      for (const message of [hello, ...opening]) socket.send(JSON.stringify(message));
    });
    socket.addEventListener("message", (event) => {
      if (mine !== this.#generation || typeof event.data !== "string") return;
      if (this.state === "connecting") clearTimeout(limit);
      this.#receive(JSON.parse(event.data), mine);
    });
    socket.addEventListener("close", () => {
      clearTimeout(limit);
      this.#lost(mine);
    });
  }

  /**
   * @param {Message} message
   * @param {number} mine
   */
  #receive(message, mine) {
    this.#answered = true;
    const { seq } = /** @type {{ seq?: number }} */ (message);
    if (seq !== undefined) {
      if (seq <= this.#seen) return;
      this.#seen = seq;
    }
    switch (message.type) {
      case "welcome":
        this.#welcome(message);
        return;
      case "pong":
        this.#resume = message.resume ?? this.#resume;
        return;
      case "draining":
        // Another server takes over: nobody needs to know.
        this.#drop();
        this.#timer = setTimeout(() => void this.#connect(), message.retry_ms);
        return;
      case "error":
        if (this.state === "connecting" || message.code === "signed_out") this.#helloRefused(message, mine);
        else this.emit("message", message);
        return;
      default:
        this.emit("message", message);
    }
  }

  /** @param {import("../protocol.js").Welcome} message */
  #welcome(message) {
    const { resumed } = message;
    if (!resumed) this.#seen = 0;
    this.peer = message.peer;
    this.#resume = message.resume;
    this.#attempt = 0;
    this.#heartbeat = setInterval(() => this.#beat(), message.heartbeat_s * 1000);
    this.#setState("open");
    this.emit("welcome", { peer: this.peer, resumed });
    if (!resumed && !this.#opened) for (const first of this.#opening()) this.send(first);
    this.#opened = true;
  }

  /**
   * Starts a new session if the old one cannot be resumed; reports anything final.
   * @param {import("../protocol.js").Refusal} message
   * @param {number} mine
   */
  #helloRefused(message, mine) {
    this.#resume = "";
    if (FINAL.has(message.code)) this.#end(message);
    else this.#lost(mine);
  }

  /** @param {{ code: string, message: string }} refusal after which coming back cannot help */
  #end(refusal) {
    this.#drop();
    this.#setState("closed");
    this.emit("refused", refusal);
  }

  /** @param {number} [patience] time for the answer, in milliseconds; by default until the next heartbeat */
  #beat(patience) {
    if (!this.#answered && patience === undefined) {
      this.#lost(this.#generation);
      return;
    }
    this.#answered = false;
    const mine = this.#generation;
    this.send({ type: "ping" });
    if (patience !== undefined) setTimeout(() => { if (!this.#answered) this.#lost(mine); }, patience);
  }

  /** @param {number} mine */
  #lost(mine) {
    if (mine !== this.#generation || this.state === "closed" || this.state === "waiting") return;
    this.#drop();
    this.#wait(backoff(this.#attempt));
  }

  /** @param {number} delay */
  #wait(delay) {
    this.#attempt += 1;
    this.#failed = this.#stage;
    this.#setState("waiting");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), delay);
  }

  #drop() {
    this.#generation += 1;
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
    this.#socket?.close(1000);
    this.#socket = undefined;
  }

  /** @param {LinkState} state */
  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    if (state === "open" || state === "closed") {
      clearInterval(this.#late);
      this.#late = this.#failed = this.#error = undefined;
    } else {
      this.#late ??= setInterval(() => this.emit("late", { stage: this.#failed ?? this.#stage, error: this.#error }), LATE_MS);
    }
    this.emit("state", state);
  }
}
