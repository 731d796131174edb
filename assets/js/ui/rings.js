/** Incoming calls: a dialog with sound, on every connected page. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { CALL_KEY, goTo } from "../session.js";
import { cleanLine, LONGEST_NAME } from "../text.js";
import { attract, Callers, loop, notify } from "./attention.js";
import { toast } from "./notices.js";
import { face } from "./people.js";

/** The server ends a ring; this limit applies if the server went away meanwhile. */
const LONGEST_RING_MS = 60_000;

/** @typedef {{ rooms: string[], end: () => void }} Card */

export class Rings {
  /** Rings are known by their rooms, and callers by their addresses. */
  #callers = new Callers((email, rooms) => this.#show(email, rooms));
  /** @type {Map<string, Card>} by address */
  #cards = new Map();
  /** @type {Map<string, string>} by address */
  #names = new Map();
  #link;
  #nameOf;
  #inCall;

  /**
   * @param {import("../call/signaling.js").SignalingLink} link
   * @param {(email: string) => string} nameOf
   * @param {{ inCall?: boolean }} [where]
   */
  constructor(link, nameOf, where = {}) {
    this.#link = link;
    this.#nameOf = nameOf;
    this.#inCall = where.inCall ?? false;
    // A new session is told about the rings under way.
    link.on("welcome", ({ resumed }) => { if (!resumed) this.#callers.clear(); });
  }

  /** @param {import("../call/signaling.js").Message} message @returns {boolean} whether it was about a ring */
  receive(message) {
    switch (message.type) {
      case "rung":
        this.#names.set(message.from, cleanLine(message.name, LONGEST_NAME) || this.#nameOf(message.from));
        this.#callers.add(message.from, message.room);
        return true;
      case "accepted":
        this.#answered(message);
        return true;
      case "missed":
        this.#missed(message.room);
        return true;
      case "rejected":
        this.#refuse(this.#callers.end(message.room));
        return true;
      case "error":
        if (message.about === "accept" && message.code !== "ring_over") toast(t("ring.unavailable"), { kind: "warn" });
        return false;
      default:
        return false;
    }
  }

  /**
   * @param {string} email
   * @param {string[]} rooms
   */
  #show(email, rooms) {
    const card = this.#cards.get(email);
    if (rooms.length === 0) card?.end();
    else if (card) card.rooms = rooms;
    else this.#cards.set(email, this.#open(email, rooms));
  }

  /**
   * @param {string} email
   * @param {string[]} rooms
   * @returns {Card}
   */
  #open(email, rooms) {
    const name = this.#name(email);
    const text = t("ring.incoming", { name });
    const dialog = element("dialog", { class: "dialog ring", attributes: { "aria-label": text } });
    const stopSound = loop("incoming");
    const stopTitle = attract(text);
    const timer = setTimeout(() => { for (const room of card.rooms) this.#missed(room); }, LONGEST_RING_MS);
    const end = () => { clearTimeout(timer); stopSound(); stopTitle(); dialog.close(); dialog.remove(); this.#cards.delete(email); };
    /** @type {Card} */
    const card = { rooms, end };
    const accept = button(t("common.accept"), () => this.#accept(card), { class: "primary", icon: "phone" });
    const reject = () => this.#refuse(email);
    dialog.append(face(name, email), element("h2", { text }), element("p", { class: "quiet small", text: email }),
      element("p", { class: "quiet", text: t(this.#inCall ? "ring.busy" : "ring.more") }),
      element("div", { class: "row stretch" }, [button(t("common.reject"), reject, { class: "danger", icon: "leave" }), accept]));
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); reject(); });
    document.body.append(dialog);
    dialog.showModal();
    accept.focus();
    return card;
  }

  /** @param {string} email */
  #name(email) {
    return this.#names.get(email) ?? email;
  }

  /** @param {Card} card of which the newest ring counts */
  #accept({ rooms }) {
    // The server answers "accepted" only to the tab that was first. The click is the consent to camera and
    // microphone, which is passed on to the call page.
    if (!this.#link.send({ type: "accept", room: rooms.at(-1) ?? "" })) toast(t("ring.unavailable"), { kind: "warn" });
  }

  /** Refuses all rings of somebody. @param {string | undefined} email */
  #refuse(email) {
    for (const room of email ? this.#callers.refuse(email) : []) this.#link.send({ type: "reject", room });
  }

  /** @param {import("../protocol.js").Accepted} message */
  #answered({ room, peer }) {
    const email = this.#callers.end(room);
    if (!email) return;
    if (peer !== this.#link.peer) {
      toast(t("ring.elsewhere"));
      return;
    }
    for (const other of this.#cards.get(email)?.rooms ?? []) this.#link.send({ type: "reject", room: other });
    sessionStorage.setItem(CALL_KEY, JSON.stringify({ to: email, name: this.#name(email), room, at: Date.now() }));
    goTo(`friendcall.html#room=${encodeURIComponent(room)}&to=${encodeURIComponent(email)}`);
  }

  /** @param {string} room */
  #missed(room) {
    const email = this.#callers.end(room);
    if (!email) return;
    const name = this.#name(email);
    const text = (/** @type {number} */ count) => t(count > 1 ? "ring.missed.many" : "ring.missed", { name, count });
    toast(text, { kind: "warn", keep: true, key: email });
    notify(text(1));
  }
}
