/** The landing page: leads signed-in users to their home page. */
import { within } from "../dom.js";
import { t } from "../i18n.js";
import { kept } from "../storage.js";

/** The session cookie cannot be read by scripts; this flag only records that somebody was signed in. */
const SEEN_KEY = "peersync.signed-in";

export function start() {
  if (kept(SEEN_KEY) !== "yes") return;
  const first = within(document, ".hero .button.primary", HTMLAnchorElement);
  first.href = "home.html";
  first.textContent = t("index.home");
}
