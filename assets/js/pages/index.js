/** The landing page: whoever is signed in finds the way home. */
import { within } from "../dom.js";
import { t } from "../i18n.js";

/** A cookie that scripts cannot read says who is signed in; this note only says that somebody was. */
const SEEN_KEY = "peersync.signed-in";

export function start() {
  if (localStorage.getItem(SEEN_KEY) !== "yes") return;
  const first = within(document, ".hero .button.primary", HTMLAnchorElement);
  first.href = "home.html";
  first.textContent = t("index.home");
}
