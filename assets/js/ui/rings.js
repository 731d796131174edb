/** Incoming calls: a dialog with sound, on every connected page. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { goTo } from "../session.js";
import { cleanLine, LONGEST_NAME } from "../text.js";
import { attract, loop, notify } from "./attention.js";
import { toast } from "./notices.js";
import { face } from "./people.js";

export const CALL_KEY = "peersync.call";
/** The server ends a ring; this limit applies if the server went away meanwhile. */
const LONGEST_RING_MS = 60_000;

/**
 * @typedef {{ from: string, name: string, room: string, dialog: HTMLDialogElement, end: () => void }} Ring
 */

export class Rings {
  /** @type {Map<string, Ring>} by room */
  #rings = new Map();
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
  }

  /** @param {import("../call/signaling.js").Message} message @returns {boolean} whether it was about a ring */
  receive(message) {
    switch (message.type) {
      case "rung":
        this.#rung(message);
        return true;
      case "accepted":
        this.#answered(message);
        return true;
      case "missed":
        this.#close(message.room, true);
        return true;
      case "rejected":
        this.#close(message.room, false);
        return true;
      case "error":
        if (message.about === "accept" && message.code !== "ring_over") toast(t("ring.unavailable"), { kind: "warn" });
        return false;
      default:
        return false;
    }
  }

  /** @param {import("../protocol.js").Rung} message */
  #rung(message) {
    if (this.#rings.has(message.room)) return;
    const email = message.from;
    const name = cleanLine(message.name, LONGEST_NAME) || this.#nameOf(email);
    const text = t("ring.incoming", { name });
    const dialog = element("dialog", { class: "dialog ring", attributes: { "aria-label": text } });
    const stopSound = loop("incoming");
    const stopTitle = attract(text);
    const timer = setTimeout(() => this.#close(message.room, true), LONGEST_RING_MS);
    /** @type {Ring} */
    const ring = {
      from: email, name, room: message.room, dialog,
      end: () => { clearTimeout(timer); stopSound(); stopTitle(); dialog.close(); dialog.remove(); },
    };
    const accept = button(t("common.accept"), () => this.#accept(ring), { class: "primary", icon: "phone" });
    const reject = button(t("common.reject"), () => this.#reject(ring), { class: "danger", icon: "leave" });
    dialog.append(face(name, email), element("h2", { text }), element("p", { class: "quiet", text: t(this.#inCall ? "ring.busy" : "ring.more") }),
      element("div", { class: "row stretch" }, [reject, accept]));
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); this.#reject(ring); });
    this.#rings.set(message.room, ring);
    document.body.append(dialog);
    dialog.showModal();
    accept.focus();
  }

  /** @param {Ring} ring */
  #accept(ring) {
    if (!this.#link.send({ type: "accept", room: ring.room })) {
      toast(t("ring.unavailable"), { kind: "warn" });
      return;
    }
    // The server answers "accepted" only to the tab that was first. The click is the consent to camera and
    // microphone, which is passed on to the call page.
  }

  /** @param {Ring} ring */
  #reject(ring) {
    this.#link.send({ type: "reject", room: ring.room });
    this.#remove(ring);
  }

  /** @param {import("../protocol.js").Accepted} message */
  #answered(message) {
    const ring = this.#rings.get(message.room);
    if (!ring) return;
    this.#remove(ring);
    if (message.peer !== this.#link.peer) {
      toast(t("ring.elsewhere"));
      return;
    }
    sessionStorage.setItem(CALL_KEY, JSON.stringify({ to: ring.from, name: ring.name, room: ring.room, at: Date.now() }));
    goTo(`friendcall.html#room=${encodeURIComponent(ring.room)}&to=${encodeURIComponent(ring.from)}`);
  }

  /**
   * @param {string} room
   * @param {boolean} missed
   */
  #close(room, missed) {
    const ring = this.#rings.get(room);
    if (!ring) return;
    this.#remove(ring);
    if (!missed) return;
    const text = t("ring.missed", { name: ring.name });
    toast(text, { kind: "warn", keep: true });
    notify(text);
  }

  /** @param {Ring} ring */
  #remove(ring) {
    this.#rings.delete(ring.room);
    ring.end();
  }
}
