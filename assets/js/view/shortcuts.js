/** Keyboard shortcuts of a call. They can be turned off, for those who speak their text into the computer. */
/** @typedef {"mute" | "camera" | "share" | "chat" | "full" | "pip" | "verify" | "help"} Shortcut */

export const OFF_KEY = "peersync.shortcuts";

/** @type {Record<string, Shortcut>} */
export const KEYS = { m: "mute", v: "camera", s: "share", c: "chat", f: "full", p: "pip", e: "verify", "?": "help" };

/**
 * A dialog that was just closed keeps the focus until the next picture is drawn; what is typed meanwhile is not for it.
 * @param {EventTarget | null} target
 * @returns {boolean} whether keys go into a text or move within a control there
 */
function takesKeys(target) {
  if (!(target instanceof Element) || target.closest("dialog:not([open])")) return false;
  return target.closest("input, textarea, select, dialog, [role=menu], [contenteditable]") !== null;
}

/**
 * @param {(shortcut: Shortcut) => void} act
 * @param {(talking: boolean) => void} talk space held and released
 * @returns {() => void} stops listening
 */
export function startShortcuts(act, talk) {
  let held = false;
  const down = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || takesKeys(event.target) || localStorage.getItem(OFF_KEY) === "off") return;
    const onButton = event.target instanceof Element && event.target.closest("button, a") !== null;
    if (event.key === " " && !onButton) {
      event.preventDefault();
      if (!event.repeat) { held = true; talk(true); }
      return;
    }
    const shortcut = KEYS[event.key.toLowerCase()];
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
