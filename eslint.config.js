import js from "@eslint/js";
import globals from "globals";

/** What a page must never do with what others sent: text goes in as text. */
const noMarkupFromStrings = [
  { selector: "MemberExpression[property.name=/^(innerHTML|outerHTML)$/]", message: "Text of others goes in with textContent." },
  { selector: "CallExpression[callee.property.name=/^(insertAdjacentHTML|write|setHTMLUnsafe)$/]", message: "Text of others goes in with textContent." },
];
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
    files: ["assets/js/call/**/*.js"],
    rules: {
      "no-restricted-globals": ["error", "document"],
      "no-restricted-imports": ["error", { patterns: ["**/ui/*", "**/dom.js", "**/pages/*"] }],
    },
  },
  {
    files: ["tests/browser/**/*.js", "eslint.config.js"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules: { ...shared, "max-lines-per-function": "off", "no-restricted-syntax": "off" },
  },
];
