/** Answering a friend request from the mailed link, without signing in. */
import { api } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { errorText } from "../ui/problems.js";

export function start() {
  const query = new URLSearchParams(location.hash.slice(1) || location.search);
  const token = query.get("token") ?? "";
  const from = query.get("from") ?? query.get("fromEmail") ?? "";
  const name = query.get("name") ?? "";
  if (token) history.replaceState(null, "", "friendre1.html");
  if (name) byId("question-text", HTMLElement).textContent = t("request.from", { name });
  if (!token && !from) {
    byId("question-problem", HTMLElement).textContent = t("request.broken");
    for (const id of ["accept", "reject"]) byId(id, HTMLButtonElement).disabled = true;
    return;
  }
  byId("accept", HTMLButtonElement).addEventListener("click", () => void answer("accept", token, from));
  byId("reject", HTMLButtonElement).addEventListener("click", () => void answer("reject", token, from));
}

/**
 * @param {"accept" | "reject"} action
 * @param {string} token
 * @param {string} fromEmail
 */
async function answer(action, token, fromEmail) {
  const problem = byId("question-problem", HTMLElement);
  problem.textContent = "";
  try {
    await api.respond(token ? { token, action } : { fromEmail, action });
  } catch (error) {
    problem.textContent = errorText(error);
    return;
  }
  byId("question", HTMLElement).hidden = true;
  byId("done", HTMLElement).hidden = false;
  byId("done-title", HTMLElement).textContent = t(action === "accept" ? "request.accepted" : "request.rejected");
  byId("done-text", HTMLElement).textContent = t(action === "accept" ? "request.accepted.more" : "request.rejected.more");
  byId("done-title", HTMLElement).focus();
}
