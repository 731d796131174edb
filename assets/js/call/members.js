/**
 * Who is in the room according to the server, matched with our connections.
 *
 * After a server outage people come back with new ids, although their connections never broke. The next server tells which id
 * they had at the one before. It does not know if they came with a new ticket, so they also tell each other
 * their new ids over the data channel; we connect to an unknown id only if nobody claims it. Anybody can claim anything, so
 * a claim counts only if the server knows the id by the same name and address, and only until the id sends a description
 * with another certificate: that is somebody else, who gets a connection of their own. If it is our turn to make the offer,
 * somebody whose id was claimed would wait for it without end, and so asks for it.
 */
import { fingerprintOf } from "./verification.js";

/**
 * @typedef {import("./peer.js").Peer} Peer
 * @typedef {import("./peer.js").Person} Person
 * @typedef {import("./negotiation.js").Signal} Signal
 * @typedef {{ person: Person, initiator: boolean, signals: Signal[], timer: ReturnType<typeof setTimeout> }} Stranger
 */

/** How long an unknown id waits while there is a connection whose owner the server does not list. */
const GRACE_MS = 1500;
/** How long a broken connection is kept if the server does not list its owner. */
const LOST_MS = 4000;
const MOST_SIGNALS = 64;
/** How long somebody waits for a newcomer's offer before asking for it, and between two times. */
const ASK_MS = 5000;

export class Members {
  /** @type {Set<Peer>} */
  peers = new Set();
  /** @type {Map<string, Stranger>} */
  #strangers = new Map();
  /** The ids that somebody announced as theirs. @type {Map<Peer, string>} */
  #claims = new Map();
  /** Those who knock at the locked room, by their ids. @type {Map<string, Person>} */
  #knocks = new Map();
  #meet;
  #remove;
  #door;

  /**
   * @param {(person: Person, initiator: boolean) => Peer} meet makes a connection
   * @param {(peer: Peer) => void} remove
   * @param {{ admit: (id: string) => void, ask: (person: Person) => void }} door lets in who knocks, or asks whether to
   */
  constructor(meet, remove, door) {
    this.#meet = meet;
    this.#remove = remove;
    this.#door = door;
  }

  /** @param {string} id @returns {Peer | undefined} */
  find(id) {
    return [...this.peers].find((peer) => peer.listed && peer.person.id === id);
  }

  /** How long an unknown id may still be claimed, in milliseconds. */
  get grace() {
    return [...this.peers].some((peer) => !peer.listed && peer.status !== "closed") ? GRACE_MS : 0;
  }

  /**
   * Called when the server lists somebody.
   * @param {Person} person
   * @param {boolean} initiator whether we make the first offer: we came later
   */
  add(person, initiator) {
    this.#knocks.delete(person.id);
    const known = this.owner(person);
    if (known) {
      this.#recognise(known, person);
      return;
    }
    if (this.#strangers.has(person.id)) return;
    const { grace } = this;
    const stranger = { person, initiator, signals: [], timer: setTimeout(() => this.#introduce(person.id), grace) };
    this.#strangers.set(person.id, stranger);
    if (grace === 0) this.#introduce(person.id);
  }

  /** @param {string} id that no existing peer claimed */
  #introduce(id) {
    const stranger = this.#strangers.get(id);
    if (!stranger) return;
    clearTimeout(stranger.timer);
    this.#strangers.delete(id);
    // Their old connection, if it is dead already, must not remain beside the new one.
    for (const peer of [...this.peers]) {
      if (!peer.listed && peer.status !== "connected" && isSame(peer.person, stranger.person)) this.drop(peer);
    }
    const peer = this.#meet(stranger.person, stranger.initiator);
    this.peers.add(peer);
    for (const signal of stranger.signals) peer.receive(signal);
    if (!stranger.initiator) this.#ask(peer);
  }

  /** Asks for an offer until there is one, or nobody who could make it. @param {Peer} peer */
  #ask(peer) {
    setTimeout(() => {
      if (!this.peers.has(peer) || peer.fingerprint !== undefined) return;
      if (peer.listed) peer.askForOffer();
      this.#ask(peer);
    }, ASK_MS);
  }

  /**
   * Returns who has that id at the server, or credibly claims to have it.
   * @param {Person} person as the server describes them
   * @returns {Peer | undefined}
   */
  owner(person) {
    const peers = [...this.peers];
    return peers.find((peer) => [person.id, person.was].includes(peer.person.id))
      ?? peers.find((peer) => this.#claims.get(peer) === person.id && isSame(peer.person, person));
  }

  /**
   * @param {Peer} peer
   * @param {Person} person as the server describes them
   */
  #recognise(peer, person) {
    // They may have given this connection up meanwhile, and ask for another one.
    this.#claims.set(peer, person.id);
    peer.person = { ...peer.person, id: person.id };
    peer.listed = true;
    peer.flush();
  }

  /**
   * Called when somebody announces their new id over the data channel.
   * @param {Peer} peer
   * @param {string} id
   */
  moved(peer, id) {
    if (peer.person.id === id || this.find(id)) return;
    this.#claims.set(peer, id);
    this.#readmit(id);
    const stranger = this.#strangers.get(id);
    if (!stranger || this.owner(stranger.person) !== peer) return;
    clearTimeout(stranger.timer);
    this.#strangers.delete(id);
    this.#recognise(peer, stranger.person);
    for (const signal of stranger.signals) this.signal(id, signal);
  }

  /**
   * Called when somebody knocks. Those to whom we are connected lost the server and came back: they are let in.
   * @param {Person} person
   */
  knock(person) {
    this.#knocks.set(person.id, person);
    if (this.#readmit(person.id)) return;
    setTimeout(() => { if (this.#knocks.get(person.id) === person) this.#door.ask(person); }, this.grace);
  }

  /**
   * @param {string} id that may be one of somebody who knocks
   * @returns {boolean} whether it is one of somebody to whom we are connected
   */
  #readmit(id) {
    const person = this.#knocks.get(id);
    if (!person || !this.owner(person)) return false;
    this.#knocks.delete(id);
    this.#door.admit(id);
    return true;
  }

  /**
   * Somebody claimed the id of another one, who turns up.
   * @param {Peer} peer
   * @param {Signal} signal of the other one: an offer, or the request for one
   */
  #disown(peer, signal) {
    const { person } = peer;
    peer.person = { ...person, id: "" };
    this.#claims.delete(peer);
    peer.listed = false;
    this.watch(peer);
    const asked = asksForOffer(signal);
    const other = this.#meet(person, asked);
    this.peers.add(other);
    if (!asked) other.receive(signal);
  }

  /** @param {string} id that the server no longer lists */
  left(id) {
    const stranger = this.#strangers.get(id);
    clearTimeout(stranger?.timer);
    this.#strangers.delete(id);
    this.#knocks.delete(id);
    const peer = this.find(id);
    if (!peer) return;
    peer.listed = false;
    this.watch(peer);
  }

  /**
   * Called with the complete list of the server.
   * @param {Person[]} people
   */
  list(people) {
    this.#knocks.clear();
    for (const peer of this.peers) peer.listed = false;
    for (const person of people) this.add(person, true);
    for (const peer of this.peers) this.watch(peer);
  }

  /**
   * Keeps somebody whom the server does not list for as long as the connection works.
   * @param {Peer} peer
   */
  watch(peer) {
    if (peer.listed || peer.status === "connected") return;
    setTimeout(() => {
      if (!peer.listed && peer.status !== "connected") this.drop(peer);
    }, LOST_MS);
  }

  /**
   * @param {string} id
   * @param {Signal} signal
   */
  signal(id, signal) {
    const peer = this.find(id) ?? [...this.peers].find((one) => one.person.id === id);
    if (peer) {
      if (peer.fingerprint === undefined && goesOn(signal)) {
        peer.askForOffer();
        return;
      }
      const another = "description" in signal ? fingerprintOf(signal.description.sdp) !== peer.fingerprint : asksForOffer(signal);
      if (another && this.#claims.get(peer) === id) this.#disown(peer, signal);
      else if (!asksForOffer(signal)) peer.receive(signal);
      return;
    }
    const stranger = this.#strangers.get(id);
    if (stranger && stranger.signals.length < MOST_SIGNALS) stranger.signals.push(signal);
  }

  /** @param {Peer} peer */
  drop(peer) {
    this.#claims.delete(peer);
    if (this.peers.delete(peer)) this.#remove(peer);
  }
}

/** Whether it is an offer for a connection that exists, and so one that we have given up if we know no other side. @param {Signal} signal */
function goesOn(signal) {
  return "description" in signal && signal.description.type === "offer" && /^a=setup:(active|passive)/m.test(signal.description.sdp ?? "");
}

/** @param {Signal} signal */
function asksForOffer(signal) {
  if (!("candidate" in signal)) return false;
  const { candidate, sdpMid, sdpMLineIndex } = signal.candidate;
  // Browsers name the section for which an empty one is the last.
  return candidate === "" && sdpMid === undefined && sdpMLineIndex === undefined;
}

/**
 * @param {Person} one
 * @param {Person} other
 */
function isSame(one, other) {
  return one.name === other.name && one.email === other.email && one.kind === other.kind;
}
