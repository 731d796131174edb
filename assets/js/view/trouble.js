/** Says in words what stands in the way of a call, and reports it to the site's owner. Loaded only when something does. */
import { api } from "../api.js";
import { loadTexts, t } from "../i18n.js";
import { diagnose } from "../call/diagnosis.js";
import { roomOf } from "../text.js";

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

/**
 * @param {import("../call/peer.js").Peer} peer to whom no way has been found
 * @returns {Promise<string>}
 */
export async function peerTrouble(peer) {
  const found = diagnose(await peer.evidence());
  report(found);
  return t("trouble.peer", { name: peer.name, why: t(`trouble.${found.failure}`) });
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
