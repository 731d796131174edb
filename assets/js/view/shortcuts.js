/** Keyboard shortcuts of a call. They can be turned off, for people who use speech input. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { keep, kept } from "../storage.js";

/** @typedef {"microphone" | "camera" | "screen" | "chat" | "full" | "pip" | "verify" | "help"} Shortcut */

const OFF_KEY = "peersync.shortcuts";

/** @type {Record<string, Shortcut>} */
const KEYS = { m: "microphone", v: "camera", s: "screen", c: "chat", f: "full", p: "pip", e: "verify", "?": "help" };

/**
 * A dialog that was just closed keeps the focus until the next frame; keys pressed until then are not for it.
 * @param {EventTarget | null} target
 * @returns {boolean} whether that element uses the keys itself, as text or to move within it
 */
function takesKeys(target) {
  if (!(target instanceof Element) || target.closest("dialog:not([open])")) return false;
  return target.closest("input, textarea, select, dialog, [role=menu], [contenteditable]") !== null;
}

/**
 * @param {(shortcut: Shortcut) => void} act
 * @param {(talking: boolean) => void} talk called when space is pressed and released
 * @returns {() => void} stops listening
 */
export function startShortcuts(act, talk) {
  let held = false;
  const down = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || takesKeys(event.target) || kept(OFF_KEY) === "off") return;
    const onButton = event.target instanceof Element && event.target.closest("button, a") !== null;
    if (event.key === " " && !onButton) {
      event.preventDefault();
      if (!event.repeat) { held = true; talk(true); }
      return;
    }
    // A key of another alphabet counts by its place.
    const shortcut = KEYS[event.key.toLowerCase()] ?? (event.key > "~" ? KEYS[event.code.slice(3).toLowerCase()] : undefined);
    if (!shortcut || event.repeat) return;
    event.preventDefault();
    act(shortcut);
  };
  const release = () => {
    if (held) talk(false);
    held = false;
  };
  const up = (/** @type {KeyboardEvent} */ event) => { if (event.key === " ") release(); };
  addEventListener("keydown", down);
  addEventListener("keyup", up);
  addEventListener("blur", release);
  return () => {
    removeEventListener("keydown", down);
    removeEventListener("keyup", up);
    removeEventListener("blur", release);
  };
}

/** The dialog that lists the shortcuts and turns them off. */
export function openShortcuts() {
  const title = element("h2", { id: "shortcuts-title", text: t("shortcuts.title") });
  const rows = Object.entries(KEYS).map(([key, shortcut]) => row(key.toUpperCase(), t(`shortcuts.${shortcut}`)));
  const box = element("input", { attributes: { type: "checkbox" } });
  box.checked = kept(OFF_KEY) !== "off";
  box.addEventListener("change", () => keep(OFF_KEY, box.checked ? undefined : "off"));
  const dialog = element("dialog", { class: "dialog", attributes: { "aria-labelledby": title.id } }, [
    title,
    element("dl", { class: "keys" }, [...rows, row(t("shortcuts.space"), t("shortcuts.talk"))]),
    element("label", { class: "check" }, [box, element("span", { text: t("shortcuts.use") })]),
    button(t("common.close"), () => dialog.close(), { class: "plain round corner", icon: "close", iconOnly: true }),
  ]);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * @param {string} key
 * @param {string} text
 */
function row(key, text) {
  return element("div", {}, [element("dt", {}, [element("kbd", { text: key })]), element("dd", { text })]);
}
