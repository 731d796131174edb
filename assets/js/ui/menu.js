/** A small menu under a button: arrow keys, Escape, a click elsewhere closes it. */
import { element } from "../dom.js";

/** @typedef {{ text: string, run: () => void, bad?: boolean, checked?: boolean }} Item */

/** @type {(() => void) | undefined} */
let closeOpen;

/**
 * @param {HTMLElement} anchor the button that opened it
 * @param {Item[]} items
 */
export function openMenu(anchor, items) {
  const wasHere = anchor.getAttribute("aria-expanded") === "true";
  closeOpen?.();
  if (wasHere) return;
  const menu = element("div", { class: "menu", attributes: { role: "menu" } });
  const close = () => {
    closeOpen = undefined;
    anchor.setAttribute("aria-expanded", "false");
    menu.remove();
    document.removeEventListener("pointerdown", outside);
  };
  const outside = (/** @type {Event} */ event) => {
    if (event.target instanceof Node && !menu.contains(event.target) && !anchor.contains(event.target)) close();
  };
  menu.append(...items.map((item) => itemButton(item, () => { close(); anchor.focus(); item.run(); })));
  menu.addEventListener("keydown", (event) => onKey(event, menu, () => { close(); anchor.focus(); }));
  (anchor.closest("dialog, main") ?? document.body).append(menu);
  place(menu, anchor);
  anchor.setAttribute("aria-haspopup", "menu");
  anchor.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside);
  closeOpen = close;
  menu.querySelector("button")?.focus();
}

/**
 * @param {Item} item
 * @param {() => void} run
 */
function itemButton(item, run) {
  const role = item.checked === undefined ? "menuitem" : "menuitemradio";
  const node = element("button", { class: item.bad ? "bad" : "", text: item.text, attributes: { type: "button", role }, on: { click: run } });
  if (item.checked !== undefined) node.setAttribute("aria-checked", String(item.checked));
  return node;
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement} menu
 * @param {() => void} close
 */
function onKey(event, menu, close) {
  const items = [...menu.querySelectorAll("button")];
  const at = items.findIndex((item) => item === document.activeElement);
  /** @type {Record<string, number>} */
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 };
  const to = moves[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items[to % items.length]?.focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    event.stopPropagation();
    close();
  }
}

/**
 * Places the menu beside the button, inside the window. Positions are set through the CSSOM, which the CSP allows.
 * @param {HTMLElement} menu
 * @param {HTMLElement} anchor
 */
function place(menu, anchor) {
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.max(8, Math.min(box.right - width, innerWidth - width - 8));
  const below = box.bottom + 6 + height < innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - height - 6)}px`;
}
