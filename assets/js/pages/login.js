/** Signing in: requesting an email, and the page that its link opens. */
import { api, ApiError } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { nextPage, recallAsked } from "../asked.js";
import { onSubmit } from "../ui/form.js";
import { waitOut } from "../ui/waits.js";
import { finishSignIn, showSent } from "../ui/mailed.js";

export function start() {
  const token = takeToken();
  if (token) {
    confirm(token);
    return;
  }
  if (new URLSearchParams(location.search).has("out")) byId("lead", HTMLElement).textContent = t("login.out");
  onSubmit(byId("login-form", HTMLFormElement), async (values) => {
    const email = values.email ?? "";
    showSent(email, await api.login(email), nextPage(location.search));
  }, waitOut);
}

/** Takes the token from the fragment and removes it from the address bar and the history at once. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (token) history.replaceState(null, "", "login.html");
  return token;
}

/**
 * Mail scanners open links too, so only a click uses the token.
 * @param {string} token
 */
function confirm(token) {
  byId("ask", HTMLElement).hidden = true;
  byId("confirm", HTMLElement).hidden = false;
  byId("confirm-title", HTMLElement).focus();
  onSubmit(byId("confirm-form", HTMLFormElement), async (values) => {
    try {
      await api.verify({ token, ...(values.match ? { match: values.match } : {}) });
    } catch (error) {
      // Not the browser that asked for the link: the number shown there proves that it is the same person.
      if (error instanceof ApiError && error.code === "match") byId("match-field", HTMLElement).hidden = false;
      throw error;
    }
    finishSignIn(recallAsked()?.next ?? "home.html");
  }, waitOut);
}
