/**
 * A call: the room on the signaling server, and a connection to everybody in it. The server brings people together;
 * after that, media and negotiation no longer depend on it.
 */
import { Emitter } from "../emitter.js";
import { bestStep } from "./adapt.js";
import { connect } from "./connection.js";
import { Members } from "./members.js";
import { Peer } from "./peer.js";
import { refreshIn, watchWaking } from "./renewal.js";
import { SignalingLink } from "./signaling.js";
import { readCandidate, readDescription } from "./wire.js";
import { cleanLine, LONGEST_NAME } from "../text.js";

/**
 * @typedef {import("./media.js").LocalMedia} LocalMedia
 * @typedef {import("./peer.js").Person} Person
 * @typedef {import("./signaling.js").Message} Message
 * @typedef {import("../protocol.js").Member} Member
 * @typedef {import("./signaling.js").Ticket} Ticket
 * @typedef {{
 *   link: import("./signaling.js").LinkState, late: import("./signaling.js").LinkEvents["late"], joined: { locked: boolean }, locked: boolean,
 *   peer: Peer, gone: Peer, knock: Person, door: string, knocking: null, refused: { code: string, message: string }, message: Message,
 * }} CallEvents
 *   link: the connection to the server; late: it does not come about; door: nobody with that id knocks any more;
 *   refused: we were not let in; message: about something else, such as rings
 * @typedef {{
 *   room: string, fetchTicket: () => Promise<Ticket>, media: LocalMedia, certificate?: RTCCertificate, signedIn: boolean,
 *   expects?: (person: Person) => boolean,
 * }} CallOptions
 *   expects: whether somebody gets pictures, sound and messages without being asked about; by default everybody does
 */

/** How long a connection to the server is kept for somebody who does not enter. */
const IDLE_MS = 60_000;
/** Errors of the server after which we stay outside. @type {Set<string>} */
const NOT_IN = new Set(["room_full", "room_not_found", "not_admitted", "forbidden", "too_many"]);
/** Refusals that end a running call: the room, or being signed in, is over for everybody. @type {Set<string>} */
const OVER = new Set(["room_not_found", "signed_out"]);
/** How long we wait before we ask again, if the server's database does not answer. */
const AGAIN_MS = 3000;

/** @extends {Emitter<CallEvents>} */
export class Call extends Emitter {
  /** Whether we are in the room, or were before the server went away. */
  inside = false;
  locked = false;
  link;
  members;
  #options;
  /** @type {RTCIceServer[] | undefined} */
  #iceServers;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #refreshing;
  /** @type {Array<() => void>} */
  #ends = [];
  /** Whether somebody wants to be in the room, and not only prepares for it. */
  #wanted = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;
  /** A connection whose offer is made before it is known to whom it goes. @type {import("./connection.js").Connection | undefined} */
  #ahead;

  /** @param {CallOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.link = new SignalingLink(options.fetchTicket, () => (this.#wanted ? [{ type: "join", room: this.room }] : []));
    this.members = new Members(
      (person, initiator) => this.#meet(person, initiator), (peer) => { peer.close(); this.emit("gone", peer); },
      { admit: (id) => this.admit(id, true), ask: (who) => this.emit("knock", who) },
    );
  }

  get room() {
    return this.#options.room;
  }

  /** @returns {Peer[]} */
  get peers() {
    return [...this.members.peers];
  }

  /** Those who get what we send. @returns {Peer[]} */
  get audience() {
    return this.peers.filter(({ approved }) => approved);
  }

  /** Connects to the server, before it is certain that somebody wants to enter: nobody in the room is told. */
  connect() {
    const { link } = this;
    if (this.#ends.length === 0) {
      this.#ends = [
        link.on("ticket", (ticket) => this.#useTicket(ticket)),
        link.on("welcome", (welcome) => this.#welcomed(welcome.peer, welcome.resumed)),
        link.on("message", (message) => this.#receive(message)),
        link.on("state", (state) => this.emit("link", state)),
        link.on("late", (how) => this.emit("late", how)),
        link.on("refused", (refusal) => this.#refused(refusal)),
        this.#options.media.on("change", (role) => { for (const peer of this.peers) peer.update(role); }),
        watchWaking((why) => this.#woke(why)),
      ];
    }
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => link.stop(), IDLE_MS);
    link.start();
  }

  /** Enters the room. */
  start() {
    this.#wanted = true;
    this.connect();
    clearTimeout(this.#idle);
    if (!this.link.send({ type: "join", room: this.room })) this.link.hurry();
    this.#offerAhead();
  }

  /** Leaves, and tells everybody. */
  leave() {
    this.link.send({ type: "leave" });
    for (const end of this.#ends) end();
    clearTimeout(this.#idle);
    clearTimeout(this.#refreshing);
    this.#takeAhead()?.pc.close();
    for (const peer of this.peers) this.members.drop(peer);
    this.inside = false;
    this.link.stop();
  }

  /** @param {boolean} locked @returns {boolean} whether the message could be sent to the server */
  lock(locked) {
    return this.link.send({ type: "room-lock", locked });
  }

  /**
   * @param {string} peer who knocks
   * @param {boolean} admit
   */
  admit(peer, admit) {
    return this.link.send({ type: "room-admit", peer, admit });
  }

  /** @param {string} text @returns {number} the number of people it was sent to */
  chat(text) {
    return this.audience.filter((peer) => peer.send({ type: "chat", text })).length;
  }

  /** @param {Ticket} ticket */
  #useTicket(ticket) {
    this.#iceServers = ticket.iceServers;
    for (const peer of this.peers) peer.setIceServers(ticket.iceServers);
    if (!this.#ahead?.offered) this.#takeAhead()?.pc.close();
    this.#offerAhead();
    clearTimeout(this.#refreshing);
    const wait = refreshIn(ticket, Date.now());
    if (wait !== undefined) this.#refreshing = setTimeout(() => void this.#refresh(), wait);
  }

  /** Fetches new TURN credentials; the connection to the server needs no new ticket and continues. */
  async #refresh() {
    try {
      this.#useTicket(await this.#options.fetchTicket());
    } catch {
      this.#refreshing = setTimeout(() => void this.#refresh(), 60_000);
    }
  }

  /**
   * @param {string} id ours
   * @param {boolean} resumed whether the server remembers us
   */
  #welcomed(id, resumed) {
    for (const peer of this.peers) {
      if (resumed) peer.flush();
      else peer.send({ type: "peer", peer: id });
    }
  }

  /** Makes an offer, so that it is ready once the server says who is there. */
  #offerAhead() {
    if (this.inside || !this.#iceServers) return;
    this.#ahead ??= connect(this.#configuration);
    // Gathering addresses asks the relay for a place, so it waits until somebody wants to enter.
    if (this.#wanted && !this.#ahead.offered) this.#ahead.offer();
  }

  #takeAhead() {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead;
  }

  /** @returns {RTCConfiguration} */
  get #configuration() {
    const { certificate } = this.#options;
    return { iceServers: this.#iceServers ?? [], bundlePolicy: "max-bundle", ...(certificate ? { certificates: [certificate] } : {}) };
  }

  /** @param {Message} message */
  #receive(message) {
    switch (message.type) {
      case "joined":
        this.#joined(message);
        return;
      case "peer-joined":
        this.members.add(this.#person(message), false);
        this.emit("door", message.peer);
        return;
      case "peer-left":
        this.members.left(message.peer);
        this.emit("door", message.peer);
        return;
      case "signal":
        this.#signal(message);
        return;
      case "knock":
        this.#knock(this.#person(message));
        return;
      case "room-lock":
        this.locked = message.locked;
        this.emit("locked", this.locked);
        return;
      case "error":
        this.#error(message);
        return;
      default:
        this.emit("message", message);
    }
  }

  /**
   * Cleans a name that came from somebody else: one line, no hidden characters, never empty.
   * @param {Member} member
   * @returns {Person}
   */
  #person({ peer, name, email, guest, was }) {
    const kind = email ? "friend" : guest ? "guest" : this.#options.signedIn ? "stranger" : "unknown";
    return { id: peer, name: cleanLine(name, LONGEST_NAME) || "?", kind, number: 1, ...(email ? { email } : {}), ...(was ? { was } : {}) };
  }

  /** @param {import("../protocol.js").Joined} message */
  #joined(message) {
    // A new server knows of no lock.
    if (this.locked && !message.locked) this.lock(true);
    this.inside = true;
    this.locked = message.locked;
    this.members.list(message.peers.map((peer) => this.#person(peer)));
    // Nobody was there.
    this.#takeAhead()?.pc.close();
    this.emit("joined", message);
  }

  /** @param {import("../protocol.js").Signal} message */
  #signal(message) {
    const description = readDescription(message.description);
    const candidate = readCandidate(message.candidate);
    if (description) this.members.signal(message.from, { description });
    else if (candidate) this.members.signal(message.from, { candidate });
  }

  /** @param {Person} who */
  #knock(who) {
    if (who.id === this.link.peer) {
      // Our own knock was forwarded. Those inside were inside before the server was replaced: who knows them lets them in.
      if (!this.inside) this.emit("knocking", null);
    } else this.members.knock(who);
  }

  /** @param {import("../protocol.js").Refusal} message */
  #error(message) {
    const { about, code } = message;
    if (about && about !== "join") this.emit("message", message);
    else if (code === "directory_unavailable") {
      // Those inside are told without having asked.
      if (about) setTimeout(() => this.link.send({ type: "join", room: this.room }), AGAIN_MS);
      this.emit("late", { stage: "directory" });
    } else if (NOT_IN.has(code)) this.#refused(message);
    else this.emit("message", message);
  }

  /** @param {{ code: string, message: string }} refusal */
  #refused(refusal) {
    // Otherwise a running call does not end because the server refuses us.
    if (OVER.has(refusal.code) || !this.peers.some((peer) => peer.status === "connected")) this.emit("refused", refusal);
  }

  /**
   * @param {Person} who
   * @param {boolean} initiator
   */
  #meet(who, initiator) {
    const { media, expects } = this.#options;
    const person = { ...who, number: unusedNumber(who, this.peers) };
    const peer = new Peer({
      person, initiator, approved: expects?.(who) ?? true, polite: this.link.peer < who.id, configuration: this.#configuration,
      connection: (initiator && this.#takeAhead()) || connect(this.#configuration),
      viaServer: (signal) => peer.listed && this.link.send({ type: "signal", to: peer.person.id, ...signal }),
      track: (role) => media.track(role), state: () => media.state, best: () => bestStep(this.members.peers.size),
    });
    peer.on("moved", (id) => this.members.moved(peer, id));
    peer.on("bye", () => this.members.drop(peer));
    peer.on("way", (way) => this.link.send({ type: "outcome", way }));
    peer.on("status", (status) => {
      this.members.watch(peer);
      if (status === "interrupted") this.#doubt();
    });
    this.emit("peer", peer);
    return peer;
  }

  /** Nothing comes from somebody. If nothing comes from anybody, it is our network, and the server is lost as well. */
  #doubt() {
    if (this.peers.every((peer) => peer.status === "interrupted")) this.link.renew();
    else this.link.probe();
  }

  /** @param {"online" | "network" | "slept"} why */
  #woke(why) {
    if (why === "slept") this.link.probe();
    else this.link.renew();
    for (const peer of this.peers) {
      if (why !== "slept" || peer.status !== "connected") peer.restart();
    }
  }
}

/**
 * Returns a number that tells apart people whom nothing else does: 1, or more if somebody present has it.
 * @param {Person} who
 * @param {Peer[]} peers
 */
function unusedNumber({ name, kind }, peers) {
  const used = peers.map(({ person }) => person).filter((one) => one.name === name && one.kind === kind).map(({ number }) => number);
  let number = 1;
  while (used.includes(number)) number += 1;
  return number;
}
