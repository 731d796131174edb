/** What went wrong, in the user's words. */
import { ApiError } from "../api.js";
import { isTextKey, t } from "../i18n.js";

/**
 * @param {unknown} error
 * @returns {string}
 */
export function errorText(error) {
  // A script did not load: the page has been open for more than a day since its release was replaced. Browsers say it differently.
  if (!(error instanceof ApiError)) return t(/import|module script/.test(`${error}`) ? "error.reload" : "error.unknown");
  if (error.status === 429) return t("error.slow", { seconds: error.retryAfter ?? 60 });
  const key = `error.${error.code}`;
  if (isTextKey(key)) return t(key);
  return error.status >= 500 || error.message === "" ? t("error.unknown") : error.message;
}
