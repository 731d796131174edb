/** The only module that looks up elements. A missing one throws by name, so page and script cannot drift apart. */

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type what it has to be, for example HTMLFormElement
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) {
    throw new Error(`The page has no ${type.name} with the id "${id}".`);
  }
  return found;
}

/**
 * @template {Element} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function within(parent, selector, type) {
  const found = parent.querySelector(selector);
  if (!(found instanceof type)) {
    throw new Error(`There is no ${type.name} for the selector "${selector}".`);
  }
  return found;
}

/**
 * @typedef {{
 *   class?: string, text?: string, id?: string, data?: Record<string, string>,
 *   attributes?: Record<string, string>, on?: Record<string, (event: Event) => void>,
 * }} Make
 */

/**
 * Creates an element. Text is always inserted as text, never as markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Make} [make]
 * @param {Array<Node | string>} [children]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, make = {}, children = []) {
  const node = document.createElement(tag);
  if (make.class) node.className = make.class;
  if (make.id) node.id = make.id;
  if (make.text !== undefined) node.textContent = make.text;
  for (const [name, value] of Object.entries(make.attributes ?? {})) node.setAttribute(name, value);
  for (const [name, value] of Object.entries(make.data ?? {})) node.dataset[name] = value;
  for (const [name, listener] of Object.entries(make.on ?? {})) node.addEventListener(name, listener);
  node.append(...children);
  return node;
}

let ids = 0;

/** @param {string} what @returns {string} an id that nothing else on the page has */
export function uniqueId(what) {
  ids += 1;
  return `${what}-${ids}`;
}

const SVG = "http://www.w3.org/2000/svg";
/** Relative to this script, and so of its release. */
const ICONS = new URL("../icons.svg", import.meta.url).href;

/**
 * Creates an icon from icons.svg; it is hidden from screen readers, because the control around it has a name.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * @param {SVGSVGElement} svg made by icon() or written in the page
 * @param {string} name
 */
export function setIcon(svg, name) {
  within(svg, "use", SVGUseElement).setAttribute("href", `${ICONS}#${name}`);
}

/**
 * @param {string} text the button's accessible name
 * @param {(event: Event) => void} onClick
 * @param {{ class?: string, icon?: string, iconOnly?: boolean }} [look]
 * @returns {HTMLButtonElement}
 */
export function button(text, onClick, look = {}) {
  const node = element("button", {
    class: `button ${look.class ?? ""}`.trim(),
    attributes: { type: "button" },
    on: { click: onClick },
  });
  if (look.icon) node.append(icon(look.icon));
  if (look.iconOnly) {
    node.setAttribute("aria-label", text);
    node.title = text;
  } else {
    node.append(text);
  }
  return node;
}
