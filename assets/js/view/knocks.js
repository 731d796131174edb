/** Somebody knocks at the locked room: anybody inside may let them in. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { announce } from "../ui/notices.js";
import { face } from "../ui/people.js";
import { attract, play } from "../ui/attention.js";

/** How long a knock is shown: the person may have left again. */
const SHOWN_MS = 60_000;

export class Knocks {
  #call;
  /** @type {Map<string, () => void>} */
  #open = new Map();

  /** @param {import("../call/call.js").Call} call */
  constructor(call) {
    this.#call = call;
  }

  /** @param {import("../call/peer.js").Person} who */
  show(who) {
    this.#open.get(who.id)?.();
    const text = t("room.knock", { name: who.name });
    const answer = (/** @type {boolean} */ admit) => () => { this.#call.admit(who.id, admit); this.#open.get(who.id)?.(); };
    const card = element("div", { class: "toast knock", attributes: { role: "group", "aria-label": text } }, [
      face(who.name, who.id), element("p", { text }),
      element("div", { class: "row" }, [button(t("room.deny"), answer(false)), button(t("room.admit"), answer(true), { class: "primary" })]),
    ]);
    const stop = attract(text);
    const timer = setTimeout(() => this.#open.get(who.id)?.(), SHOWN_MS);
    this.#open.set(who.id, () => { clearTimeout(timer); stop(); card.remove(); this.#open.delete(who.id); });
    document.getElementById("toasts")?.append(card);
    play("knock");
    announce(text);
  }

  close() {
    for (const end of [...this.#open.values()]) end();
  }
}
