/** What went wrong, in the user's words. */
import { ApiError } from "../api.js";
import { isTextKey, t } from "../i18n.js";

/**
 * @param {unknown} error
 * @returns {string}
 */
export function errorText(error) {
  if (!(error instanceof ApiError)) return t("error.unknown");
  if (error.status === 429) return t("error.slow", { seconds: error.retryAfter ?? 60 });
  const key = `error.${error.code}`;
  if (isTextKey(key)) return t(key);
  return error.status >= 500 || error.message === "" ? t("error.unknown") : error.message;
}
