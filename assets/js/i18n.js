/** Texts in the language of the browser. English stands in the pages and in texts/en.js; the others replace it. */
import en from "./texts/en.js";

/** @typedef {keyof typeof en} TextKey */
/** @typedef {Record<string, string | number>} Values */

/** @type {Record<string, () => Promise<{ default: Record<TextKey, string> }>>} */
const OTHERS = { de: () => import("./texts/de.js") };

/**
 * The first of the user's languages that we have.
 * @param {readonly string[]} wanted as in navigator.languages
 * @returns {string}
 */
export function chooseLanguage(wanted) {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0] ?? "";
    if (base === "en" || base in OTHERS) return base;
  }
  return "en";
}

export const language = chooseLanguage(navigator.languages);
/** @type {Record<TextKey, string>} */
const catalogue = (await OTHERS[language]?.())?.default ?? en;

/**
 * A text with its places filled in: t("friends.call", { name: "Ada" }).
 * @param {TextKey} key
 * @param {Values} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const text = catalogue[key] ?? en[key];
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Whether the catalogue has that key; what the server calls an error may be newer than this page.
 * @param {string} key
 * @returns {key is TextKey}
 */
export function isTextKey(key) {
  return Object.hasOwn(en, key);
}

/** Puts the user's language into everything marked with data-text, data-label and data-placeholder. */
export function translatePage(root = document.documentElement) {
  if (language === "en") return;
  if (root === document.documentElement) root.lang = language;
  for (const [attribute, put] of PLACES) {
    for (const node of root.querySelectorAll(`[data-${attribute}]`)) {
      const key = node.getAttribute(`data-${attribute}`) ?? "";
      if (isTextKey(key)) put(node, t(key));
    }
  }
}

/** @type {Array<[string, (node: Element, text: string) => void]>} */
const PLACES = [
  ["text", (node, text) => { node.textContent = text; }],
  ["label", (node, text) => node.setAttribute("aria-label", text)],
  ["placeholder", (node, text) => node.setAttribute("placeholder", text)],
];

/** @param {number} time epoch milliseconds */
export function clockTime(time) {
  return new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(time);
}
