/**
 * Texts in the browser's language. A page loads the shared texts and those of its own part, in one language.
 */

/**
 * @typedef {typeof import("./texts/en/shared.js").default & typeof import("./texts/en/start.js").default
 *   & typeof import("./texts/en/home.js").default & typeof import("./texts/en/call.js").default
 *   & typeof import("./texts/en/trouble.js").default} Texts
 * @typedef {keyof Texts} TextKey
 * @typedef {Record<string, string | number>} Values
 */

const LANGUAGES = ["en", "de"];
/** The part of the texts that a page needs, if not the one for the pages before signing in. @type {Record<string, string>} */
const PARTS = { home: "home", room: "call", friendcall: "call" };

/**
 * Returns the first of the user's languages that is available.
 * @param {readonly string[]} wanted as in navigator.languages
 * @returns {string}
 */
export function chooseLanguage(wanted) {
  const bases = wanted.map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  return bases.find((base) => LANGUAGES.includes(base)) ?? "en";
}

const language = chooseLanguage(navigator.languages);
/** @type {Texts} */
const catalogue = /** @type {any} */ ({});

/**
 * Loads a part of the texts.
 * @param {string} part
 */
export async function loadTexts(part) {
  Object.assign(catalogue, (await import(`./texts/${language}/${part}.js`)).default);
}

await Promise.all(["shared", PARTS[document.body.dataset.page ?? ""] ?? "start"].map(loadTexts));

/**
 * Returns a text with its placeholders filled in: t("friends.call", { name: "Ada" }).
 * @param {TextKey} key
 * @param {Values} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  return catalogue[key].replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Whether this page has that text; the server may use error codes newer than the page.
 * @param {string} key
 * @returns {key is TextKey}
 */
export function isTextKey(key) {
  return Object.hasOwn(catalogue, key);
}

/** Translates everything marked with data-text, data-label or data-placeholder. */
export function translatePage() {
  if (language === "en") return;
  document.documentElement.lang = language;
  for (const [attribute, put] of PLACES) {
    for (const node of document.querySelectorAll(`[data-${attribute}]`)) {
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

/**
 * @param {number} milliseconds
 * @returns {string} m:ss or h:mm:ss
 */
export function duration(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
