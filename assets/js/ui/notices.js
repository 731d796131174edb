/** Short messages: shown in a corner and read out, or for screen readers only; and what went wrong, in the user's words. */
import { ApiError } from "../api.js";
import { button, element } from "../dom.js";
import { isTextKey, t } from "../i18n.js";

const SHOWN_MS = 7000;
/** How many messages are shown at once: the oldest give way. */
const MOST = 5;
/** How many messages each key has had since the user dismissed one. @type {Map<string, number>} */
const counts = new Map();

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
 * @param {string | ((count: number) => string)} text
 * @param {{ kind?: "info" | "warn" | "bad", keep?: boolean, action?: { text: string, run: () => void }, key?: string }} [how]
 *   key: messages of the same one are one message, whose text is told how many they are
 * @returns {() => void} takes it away
 */
export function toast(text, how = {}) {
  const place = region("toasts", "toasts", "status");
  const notes = [...place.children].flatMap((one) => (one instanceof HTMLElement && !one.classList.contains("knock") ? [one] : []));
  const { key = "" } = how;
  const same = key ? notes.find((one) => one.dataset.key === key) : undefined;
  const count = (counts.get(key) ?? 0) + 1;
  if (key) counts.set(key, count);
  const note = element("div", { class: `toast ${how.kind ?? "info"}`, data: { key } }, [element("p", { text: typeof text === "string" ? text : text(count) })]);
  const remove = () => note.remove();
  if (how.action) {
    const { action } = how;
    note.append(button(action.text, () => { remove(); action.run(); }, { class: "small" }));
  }
  note.append(button(t("common.dismiss"), () => { counts.delete(key); remove(); }, { class: "plain round", icon: "close", iconOnly: true }));
  (same ?? (notes.length < MOST ? undefined : notes[0]))?.remove();
  place.append(note);
  if (!how.keep) setTimeout(remove, SHOWN_MS);
  return remove;
}

/**
 * @param {unknown} error
 * @returns {string}
 */
export function errorText(error) {
  // A script did not load: the page has been open for more than a day since its release was replaced. Browsers say it differently.
  if (!(error instanceof ApiError)) return t(/import|module script/.test(`${error}`) ? "error.reload" : "error.unknown");
  if (error.status === 429) return t("error.slow", { seconds: error.retryAfter ?? 60 });
  const key = `error.${error.code}`;
  if (isTextKey(key)) return t(key);
  return error.status >= 500 || error.message === "" ? t("error.unknown") : error.message;
}
