/** People as they are shown: avatar, name, what is known about them, and rows of lists. */
import { element } from "../dom.js";
import { t } from "../i18n.js";

const TONES = 6;

/**
 * Returns initials and a colour that stays the same for the same person.
 * @param {string} name
 * @param {string} key distinguishes two people with the same name
 */
export function face(name, key = name) {
  const node = element("span", { class: "face", attributes: { "aria-hidden": "true" } });
  dressFace(node, name, key);
  return node;
}

/**
 * @param {HTMLElement} node
 * @param {string} name
 * @param {string} [key]
 */
export function dressFace(node, name, key = name) {
  node.textContent = initials(name);
  let sum = 0;
  for (const character of key) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  node.dataset.tone = String(sum % TONES);
}

/**
 * Returns what is said beside the name of somebody in a call: that anybody may have chosen it, and what tells them apart from
 * others of that name. Nothing beside that of a friend.
 * @param {import("../call/peer.js").Person} person
 */
export function mark({ kind, email, number }) {
  const words = kind === "guest" || kind === "stranger" ? t(`who.${kind}`) : number > 1 ? email ?? "" : "";
  return number > 1 && !email ? `${words} ${number}`.trim() : words;
}

/** @param {import("../call/peer.js").Person} person @returns {string} the name with its mark, for a sentence */
export function named(person) {
  const words = mark(person);
  return words ? `${person.name} (${words})` : person.name;
}

/** @param {string} name */
function initials(name) {
  const letters = name.split(/\s+/).map((word) => [...word][0] ?? "").filter((letter) => /\p{L}|\p{N}/u.test(letter));
  const first = letters[0] ?? "?";
  const last = letters.length > 1 ? letters.at(-1) ?? "" : "";
  return (first + last).toLocaleUpperCase();
}

/**
 * @param {{ name: string, email?: string, detail?: string }} who
 * @param {Node[]} actions
 * @returns {HTMLLIElement}
 */
export function personRow(who, actions) {
  const name = element("b", { text: who.name, attributes: { dir: "auto" } });
  const detail = element("span", { text: who.detail ?? who.email ?? "" });
  return element("li", { class: "person" }, [
    face(who.name, who.email ?? who.name),
    element("div", { class: "who" }, [name, detail]),
    ...actions,
  ]);
}
