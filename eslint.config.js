import js from "@eslint/js";
import globals from "globals";

/** Text that others sent is never parsed as markup. */
const noMarkupFromStrings = [
  { selector: "MemberExpression[property.name=/^(innerHTML|outerHTML)$/]", message: "Set text from others with textContent." },
  { selector: "CallExpression[callee.property.name=/^(insertAdjacentHTML|write|setHTMLUnsafe)$/]", message: "Set text from others with textContent." },
];
/** The modules that talk to the server and to other browsers. */
const transport = ["call/**/*", "api", "emitter", "protocol", "session", "storage", "text"].map((name) => `assets/js/${name}.js`);
/** The modules that work on a page. */
const pages = ["home", "pages", "ui", "view", "dom.js", "i18n.js"];
const shared = {
  "no-restricted-syntax": ["error", ...noMarkupFromStrings],
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-new-func": "error",
  "no-var": "error",
  "prefer-const": "error",
  eqeqeq: ["error", "always"],
  "max-lines": ["error", { max: 400 }],
  "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
};

export default [
  js.configs.recommended,
  { files: ["assets/**/*.js"], languageOptions: { globals: globals.browser }, rules: shared },
  {
    // Transport knows nothing of pages: it can be tested and read without one.
    files: transport,
    rules: {
      "no-restricted-globals": ["error", "document"],
      "no-restricted-properties": ["error", ...["window", "globalThis", "self"].map((object) => ({ object, property: "document" }))],
      "no-restricted-imports": ["error", { patterns: [{ group: pages, message: "A transport module does not import from the pages." }] }],
      "no-restricted-syntax": ["error", ...noMarkupFromStrings, { selector: "ImportExpression", message: "A dynamic import escapes the rule about pages." }],
    },
  },
  {
    files: ["tests/browser/**/*.js", "eslint.config.js"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { ...shared, "max-lines-per-function": "off", "no-restricted-syntax": "off" },
  },
];
