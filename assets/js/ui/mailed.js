/** "Look into your mailbox": the step between asking for a link and being signed in. */
import { api } from "../api.js";
import { byId, element } from "../dom.js";
import { t } from "../i18n.js";
import { forgetAsked, goTo, rememberAsked } from "../session.js";
import { onSubmit } from "./form.js";

/**
 * @param {string} email
 * @param {Record<string, unknown>} answer of /signup or /login
 * @param {string} next page to go to when signed in
 */
export function showSent(email, answer, next) {
  const match = typeof answer.match === "string" || typeof answer.match === "number" ? String(answer.match) : undefined;
  rememberAsked({ email, next, ...(match ? { match } : {}) });
  byId("ask", HTMLElement).hidden = true;
  const sent = byId("sent", HTMLElement);
  sent.hidden = false;
  const failed = answer.mailSent === false || answer.mail_sent === false || answer.mail === "failed" || answer.mail === "none";
  const text = byId("sent-text", HTMLElement);
  text.textContent = failed ? t("mail.failed") : t("mail.text", { email });
  if (match) text.after(element("p", { class: "quiet", text: t("mail.match", { number: match }) }));
  byId("sent-title", HTMLElement).focus();
  onSubmit(byId("code-form", HTMLFormElement), async (values) => {
    await api.verify({ email, code: (values.code ?? "").replace(/\D/g, "") });
    finishSignIn(next);
  });
}

/** @param {string} next */
export function finishSignIn(next) {
  forgetAsked();
  localStorage.setItem("peersync.signed-in", "yes");
  goTo(next);
}
