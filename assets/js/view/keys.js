/** The list of keyboard shortcuts, and turning them off. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { KEYS, OFF_KEY } from "./shortcuts.js";

export function openShortcuts() {
  const title = element("h2", { id: "shortcuts-title", text: t("shortcuts.title") });
  const rows = Object.entries(KEYS).map(([key, shortcut]) => row(key.toUpperCase(), t(`shortcuts.${shortcut}`)));
  const box = element("input", { attributes: { type: "checkbox" } });
  box.checked = localStorage.getItem(OFF_KEY) !== "off";
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem(OFF_KEY);
    else localStorage.setItem(OFF_KEY, "off");
  });
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
