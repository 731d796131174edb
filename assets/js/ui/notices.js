/** Short messages: shown in a corner and read out, or for screen readers only. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";

const SHOWN_MS = 7000;

/** @type {Map<string, HTMLElement>} */
const regions = new Map();

/**
 * A live region must be in the page before its text changes, or nothing is read out.
 * @param {string} id
 * @param {string} className
 * @param {string} role
 */
function region(id, className, role) {
  const known = regions.get(id);
  if (known?.isConnected) return known;
  const made = element("div", { id, class: className, attributes: { role, "aria-live": role === "alert" ? "assertive" : "polite" } });
  document.body.append(made);
  regions.set(id, made);
  return made;
}

/** Called when a page starts, so that the regions exist before the first message. */
export function prepareNotices() {
  region("announcements", "visually-hidden", "status");
  region("toasts", "toasts", "status");
}

/**
 * Reads a text out without showing it.
 * @param {string} text
 */
export function announce(text) {
  const place = region("announcements", "visually-hidden", "status");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

/**
 * @param {string} text
 * @param {{ kind?: "info" | "warn" | "bad", keep?: boolean, action?: { text: string, run: () => void } }} [how]
 * @returns {() => void} takes it away
 */
export function toast(text, how = {}) {
  const place = region("toasts", "toasts", "status");
  const note = element("div", { class: `toast ${how.kind ?? "info"}` }, [element("p", { text })]);
  const remove = () => note.remove();
  if (how.action) {
    const { action } = how;
    note.append(button(action.text, () => { remove(); action.run(); }, { class: "small" }));
  }
  note.append(button(t("common.dismiss"), remove, { class: "plain round", icon: "close", iconOnly: true }));
  place.append(note);
  if (!how.keep) setTimeout(remove, SHOWN_MS);
  return remove;
}
