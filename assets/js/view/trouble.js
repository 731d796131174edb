/** Says in words what stands in the way of a call, and reports it to the site's owner. Loaded only when something does. */
import { api } from "../api.js";
import { loadTexts, t } from "../i18n.js";
import { diagnose, evidence } from "../call/diagnosis.js";
import { roomOf } from "../text.js";
import { toast } from "../ui/notices.js";

await loadTexts("trouble");

/** What this page has reported: each failure once. @type {Set<string>} */
const reported = new Set();

/**
 * @param {"socket" | "hello"} stage where attempts to reach the server fail, although its API answers
 * @returns {string}
 */
export function serverTrouble(stage) {
  report({ failure: stage === "socket" ? "socket_refused" : "server_slow" });
  return t(`trouble.${stage}`);
}

/** Tells those in a call that the server's database does not answer, which concerns others. */
export function tellOutage() {
  toast(t("trouble.directory"), { key: "outage" });
}

/**
 * @param {import("../call/peer.js").Peer} peer to whom no way has been found
 * @returns {Promise<string>}
 */
export async function peerTrouble(peer) {
  const found = diagnose(await evidence(peer.connection));
  report(found);
  return t("trouble.peer", { name: peer.name, why: t(`trouble.${found.failure}`) });
}

/**
 * @param {string} userAgent
 * @returns {"firefox" | "safari" | "chrome"}
 */
function browserKind(userAgent) {
  if (/firefox|fxios/i.test(userAgent)) return "firefox";
  if (/chrom(e|ium)|crios|edg/i.test(userAgent)) return "chrome";
  return /safari/i.test(userAgent) ? "safari" : "chrome";
}

/**
 * @param {import("../call/media.js").Problem[]} problems one or two
 * @param {string} [userAgent]
 * @returns {string}
 */
export function deviceTrouble(problems, userAgent = navigator.userAgent) {
  const troubles = new Set(problems.map(({ trouble }) => trouble));
  if (troubles.has("refused")) return `${t("media.refused")} ${t(`media.refused.${browserKind(userAgent)}`)}`;
  if (troubles.has("insecure")) return t("media.insecure");
  if (troubles.has("busy") || troubles.has("unknown")) return t("media.busy");
  if (problems.length > 1) return t("media.none");
  return t(problems[0]?.kind === "camera" ? "media.nocamera" : "media.nomicrophone");
}

/**
 * Neither addresses nor names are sent. A guest's room shows that the guest belongs here.
 * @param {{ failure: string, local?: string, remote?: string }} what
 */
function report(what) {
  if (reported.has(what.failure)) return;
  reported.add(what.failure);
  const room = roomOf(location.hash);
  api.report({ ...what, ...(room ? { room } : {}) }).catch((error) => console.debug("report:", error));
}
