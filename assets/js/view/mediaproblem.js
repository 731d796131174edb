/** Why there is no camera or microphone, and what to do about it in this browser. */
import { t } from "../i18n.js";

/**
 * @param {string} userAgent
 * @returns {"firefox" | "safari" | "chrome"}
 */
export function browserKind(userAgent) {
  if (/firefox|fxios/i.test(userAgent)) return "firefox";
  if (/chrom(e|ium)|crios|edg/i.test(userAgent)) return "chrome";
  return /safari/i.test(userAgent) ? "safari" : "chrome";
}

/**
 * @param {import("../call/media.js").Problem[]} problems one or two
 * @param {string} [userAgent]
 * @returns {string}
 */
export function problemText(problems, userAgent = navigator.userAgent) {
  const troubles = new Set(problems.map(({ trouble }) => trouble));
  if (troubles.has("refused")) return `${t("media.refused")} ${t(`media.refused.${browserKind(userAgent)}`)}`;
  if (troubles.has("insecure")) return t("media.insecure");
  if (troubles.has("busy") || troubles.has("unknown")) return t("media.busy");
  if (problems.length > 1) return t("media.none");
  return t(problems[0]?.kind === "camera" ? "media.nocamera" : "media.nomicrophone");
}
