/** A person in a list: avatar, name, a second line and actions. */
import { element } from "../dom.js";

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
