/**
 * Who is in the room according to the server, matched with our connections.
 *
 * After a server outage people come back with new ids, although their connections never broke. They tell each other
 * their new ids over the data channel; we connect to an unknown id only if nobody claims it.
 */

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

export class Members {
  /** @type {Set<Peer>} */
  peers = new Set();
  /** @type {Map<string, Stranger>} */
  #strangers = new Map();
  #meet;
  #remove;

  /**
   * @param {(person: Person, initiator: boolean) => Peer} meet makes a connection
   * @param {(peer: Peer) => void} remove
   */
  constructor(meet, remove) {
    this.#meet = meet;
    this.#remove = remove;
  }

  /** @param {string} id @returns {Peer | undefined} */
  find(id) {
    return [...this.peers].find((peer) => peer.listed && peer.person.id === id);
  }

  /**
   * Called when the server lists somebody.
   * @param {Person} person
   * @param {boolean} initiator whether we make the first offer: we came later
   */
  add(person, initiator) {
    const known = [...this.peers].find((peer) => peer.person.id === person.id);
    if (known) {
      known.listed = true;
      known.flush();
      return;
    }
    if (this.#strangers.has(person.id)) return;
    const wait = [...this.peers].some((peer) => !peer.listed && peer.status !== "closed") ? GRACE_MS : 0;
    const stranger = { person, initiator, signals: [], timer: setTimeout(() => this.#introduce(person.id), wait) };
    this.#strangers.set(person.id, stranger);
    if (wait === 0) this.#introduce(person.id);
  }

  /** @param {string} id that no existing peer claimed */
  #introduce(id) {
    const stranger = this.#strangers.get(id);
    if (!stranger) return;
    clearTimeout(stranger.timer);
    this.#strangers.delete(id);
    // Their old connection, if it is dead already, must not remain beside the new one.
    for (const peer of [...this.peers]) {
      if (!peer.listed && peer.status !== "connected" && peer.name === stranger.person.name) this.drop(peer);
    }
    const peer = this.#meet(stranger.person, stranger.initiator);
    this.peers.add(peer);
    for (const signal of stranger.signals) peer.receive(signal);
  }

  /**
   * Called when somebody announces their new id over the data channel.
   * @param {Peer} peer
   * @param {string} id
   */
  moved(peer, id) {
    if (peer.person.id === id || this.find(id)) return;
    peer.person = { ...peer.person, id };
    const stranger = this.#strangers.get(id);
    if (!stranger) return;
    clearTimeout(stranger.timer);
    this.#strangers.delete(id);
    peer.listed = true;
    for (const signal of stranger.signals) peer.receive(signal);
    peer.flush();
  }

  /** @param {string} id that the server no longer lists */
  left(id) {
    const stranger = this.#strangers.get(id);
    clearTimeout(stranger?.timer);
    this.#strangers.delete(id);
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
      peer.receive(signal);
      return;
    }
    const stranger = this.#strangers.get(id);
    if (stranger && stranger.signals.length < MOST_SIGNALS) stranger.signals.push(signal);
  }

  /** @param {Peer} peer */
  drop(peer) {
    if (this.peers.delete(peer)) this.#remove(peer);
  }
}
