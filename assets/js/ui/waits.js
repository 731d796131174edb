/** Waits that the server asks for after too many attempts: they are shown, and then the form is sent again by itself. */
import { ApiError } from "../api.js";
import { element, within } from "../dom.js";
import { t } from "../i18n.js";
import { fields, showProblem } from "./form.js";

/** A longer wait is told and not waited out: nobody looks at the page for so long. The API's waits between tries are shorter. */
const LONGEST_WAIT_S = 330;
/** How long we wait if the gateway refuses, which does not say how long. */
const GATEWAY_WAIT_S = 15;

/** Waits if the server allows another attempt soon. @type {import("./form.js").TakeOver} */
export function waitOut(form, error, again) {
  const seconds = error instanceof ApiError && error.status === 429 ? error.retryAfter ?? GATEWAY_WAIT_S : Infinity;
  if (seconds > LONGEST_WAIT_S) return false;
  const end = Date.now() + seconds * 1000;
  showProblem(form, fields(form)[0], t("wait.for", { seconds }));
  // A timer is not read out each second.
  const left = element("p", { class: "quiet", attributes: { role: "timer" } });
  within(form, ".problem", HTMLElement).after(left);
  const show = () => {
    const rest = Math.ceil((end - Date.now()) / 1000);
    left.textContent = t("wait.left", { seconds: Math.max(0, rest) });
    const shown = form.closest("[hidden]") === null;
    if (rest <= 0 || !shown) stop();
    if (rest <= 0 && shown) again();
  };
  const stop = () => {
    clearInterval(timer);
    form.removeEventListener("submit", stop, { capture: true });
    left.remove();
  };
  const timer = setInterval(show, 1000);
  form.addEventListener("submit", stop, { capture: true });
  show();
  return true;
}
