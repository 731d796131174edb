/** "Check your email": the step between requesting a link and being signed in. */
import { api } from "../api.js";
import { byId, element } from "../dom.js";
import { t } from "../i18n.js";
import { forgetAsked, rememberAsked } from "../asked.js";
import { goTo } from "../session.js";
import { onSubmit } from "./form.js";
import { waitOut } from "./waits.js";

/**
 * @param {string} email
 * @param {import("../api.js").Mailed} answer of /signup or /login
 * @param {string} next page to go to when signed in
 */
export function showSent(email, answer, next) {
  rememberAsked({ email, next, match: String(answer.match) });
  byId("ask", HTMLElement).hidden = true;
  const sent = byId("sent", HTMLElement);
  sent.hidden = false;
  const text = byId("sent-text", HTMLElement);
  text.textContent = answer.mailSent ? t("mail.text", { email }) : t("mail.failed");
  text.after(element("p", { class: "quiet", text: t("mail.match", { number: answer.match }) }));
  byId("sent-title", HTMLElement).focus();
  onSubmit(byId("code-form", HTMLFormElement), async (values) => {
    await api.verify({ email, code: (values.code ?? "").replace(/\D/g, "") });
    finishSignIn(next);
  }, waitOut);
}

/** @param {string} next */
export function finishSignIn(next) {
  forgetAsked();
  localStorage.setItem("peersync.signed-in", "yes");
  goTo(next);
}
