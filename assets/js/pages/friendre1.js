/** Answering a friend request: by the mailed link without signing in, or signed in. */
import { api, ApiError } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { requireUser } from "../session.js";
import { cleanLine, LONGEST_NAME, sameAddress } from "../text.js";
import { errorText } from "../ui/notices.js";

/** @typedef {{ token: string } | { fromEmail: string }} Which */

/** Errors after which the link has nothing to answer any more. @type {Set<string>} */
const OVER = new Set(["no_request", "token"]);

export async function start() {
  const query = new URLSearchParams(location.hash.slice(1) || location.search);
  const token = query.get("token") ?? "";
  const from = query.get("from") ?? query.get("fromEmail") ?? "";
  if (!token && !from) {
    byId("question-text", HTMLElement).hidden = true;
    showProblem(t("request.broken"));
    return;
  }
  try {
    const asker = token ? await api.look(token) : await signedIn(from);
    // Until then the page can be loaded again.
    if (token) history.replaceState(null, "", "friendre1.html");
    if (asker) ask(asker, token ? { token } : { fromEmail: asker.email });
  } catch (error) {
    failed(error);
  }
}

/**
 * Returns who asks, as the server knows them.
 * @param {string} from
 * @returns {Promise<{ email: string, name: string } | undefined>} undefined while the page leads to signing in
 */
async function signedIn(from) {
  if (!(await requireUser())) return undefined;
  const asker = (await api.friendRequests()).find(({ email }) => sameAddress(email, from));
  if (!asker) throw new ApiError(404, "no_request", "");
  return asker;
}

/**
 * @param {{ email: string, name: string }} asker
 * @param {Which} which
 */
function ask({ email, name }, which) {
  byId("question-text", HTMLElement).textContent = t("request.from", { name: cleanLine(name, LONGEST_NAME) || email });
  byId("question-email", HTMLElement).textContent = email;
  for (const action of /** @type {const} */ (["accept", "reject"])) {
    const control = byId(action, HTMLButtonElement);
    control.disabled = false;
    control.addEventListener("click", () => void answer(action, which));
  }
}

/**
 * @param {"accept" | "reject"} action
 * @param {Which} which
 */
async function answer(action, which) {
  showProblem("");
  try {
    await api.respond({ ...which, action });
  } catch (error) {
    failed(error);
    return;
  }
  finish(t(action === "accept" ? "request.accepted" : "request.rejected"), t(action === "accept" ? "request.accepted.more" : "request.rejected.more"));
}

/** @param {unknown} error */
function failed(error) {
  if (error instanceof ApiError && OVER.has(error.code)) finish(t("request.over"), t("request.over.more"));
  else showProblem(errorText(error));
}

/** @param {string} text */
function showProblem(text) {
  byId("question-problem", HTMLElement).textContent = text;
}

/**
 * @param {string} title
 * @param {string} text
 */
function finish(title, text) {
  byId("question", HTMLElement).hidden = true;
  byId("done", HTMLElement).hidden = false;
  byId("done-title", HTMLElement).textContent = title;
  byId("done-text", HTMLElement).textContent = text;
  byId("done-title", HTMLElement).focus();
}
