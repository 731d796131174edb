/** People who knock at the locked room: anybody inside may let them in. Loaded when the first one does. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { announce } from "../ui/notices.js";
import { face, mark, named } from "../ui/people.js";
import { attract, Callers, play } from "../ui/attention.js";

/** @typedef {import("../call/peer.js").Person} Person */

export class Knocks {
  #call;
  #callers = new Callers((key, waiting) => this.#show(key, waiting));
  /** @type {Map<string, Person>} */
  #people = new Map();
  /** @type {Map<string, { update: (waiting: string[]) => void, end: () => void }>} */
  #cards = new Map();

  /** @param {import("../call/call.js").Call} call */
  constructor(call) {
    this.#call = call;
  }

  /** Removes all cards. */
  clear() {
    this.#callers.clear();
  }

  /** @param {string} id of somebody who does not knock any more */
  left(id) {
    this.#callers.end(id);
  }

  /** @param {Person} who */
  knock(who) {
    // Nothing tells apart two guests of the same name: they share a card, which says how many they are.
    const key = who.email ?? `${who.kind} ${who.name}`;
    this.#people.set(key, who);
    this.#callers.add(key, who.id);
  }

  /**
   * @param {string} key
   * @param {string[]} waiting
   */
  #show(key, waiting) {
    const who = this.#people.get(key);
    if (waiting.length === 0) {
      this.#cards.get(key)?.end();
      this.#people.delete(key);
      return;
    }
    if (!who) return;
    if (!this.#cards.has(key)) this.#cards.set(key, this.#open(key, who));
    this.#cards.get(key)?.update(waiting);
  }

  /**
   * @param {string} key
   * @param {Person} who
   */
  #open(key, who) {
    const text = t("room.knock", { name: who.name });
    const known = element("small", { class: "quiet" });
    /** Who has waited longest. */
    let first = "";
    const deny = () => { for (const id of this.#callers.refuse(key)) this.#call.admit(id, false); };
    const card = element("div", { class: "toast knock", attributes: { role: "group", "aria-label": text } }, [
      face(who.name, key), element("p", { text }, [known]),
      element("div", { class: "row" }, [button(t("room.deny"), deny), button(t("room.admit"), () => this.#call.admit(first, true), { class: "primary" })]),
    ]);
    const stop = attract(text);
    document.getElementById("toasts")?.append(card);
    play("knock");
    announce(t("room.knock", { name: named(who) }));
    return {
      update: (/** @type {string[]} */ waiting) => {
        first = waiting[0] ?? "";
        known.textContent = [mark(who) || (who.email ?? ""), waiting.length > 1 ? `× ${waiting.length}` : ""].join(" ").trim();
      },
      end: () => { stop(); card.remove(); this.#cards.delete(key); },
    };
  }
}
