/** Works out from what the browser reports why two people find no way to each other. */

/**
 * @typedef {"none" | "host" | "srflx" | "relay"} Reach the farthest-reaching kind of address that a side has
 * @typedef {"no_answer" | "no_addresses" | "relay_budget" | "no_relay" | "no_way_out" | "their_network" | "blocked"} Failure
 * @typedef {{
 *   report: { forEach(each: (entry: any) => void): void }, errors: string[], servers: number, answered: boolean,
 * }} Evidence
 *   report: of getStats(); errors: code and text of what STUN and TURN servers refused; servers: how many there are;
 *   answered: whether the other side has sent a description
 */

/** What the relay says when its traffic of the month is used up. */
const BUDGET = /traffic of this month/;

/**
 * @param {Evidence} evidence
 * @returns {{ failure: Failure, local: Reach, remote: Reach }}
 */
export function diagnose({ report, errors, servers, answered }) {
  const [local, remote] = [reach(report, "local-candidate"), reach(report, "remote-candidate")];
  return { failure: failure(), local, remote };

  /** @returns {Failure} */
  function failure() {
    if (!answered) return "no_answer";
    if (local === "none") return "no_addresses";
    if (errors.some((error) => BUDGET.test(error))) return "relay_budget";
    if (servers === 0) return "no_relay";
    if (local === "host") return "no_way_out";
    return remote === "none" || remote === "host" ? "their_network" : "blocked";
  }
}

/**
 * @param {import("./connection.js").Connection} connection
 * @returns {Promise<Evidence>}
 */
export async function evidence({ pc, errors }) {
  const servers = pc.getConfiguration().iceServers?.length ?? 0;
  return { report: await pc.getStats(), errors: [...errors], servers, answered: pc.remoteDescription !== null };
}

/**
 * @param {Evidence["report"]} report
 * @param {string} side
 * @returns {Reach}
 */
function reach(report, side) {
  /** @type {Set<string>} */
  const kinds = new Set();
  report.forEach((entry) => { if (entry.type === side) kinds.add(entry.candidateType); });
  if (kinds.has("relay")) return "relay";
  if (kinds.has("srflx") || kinds.has("prflx")) return "srflx";
  return kinds.has("host") ? "host" : "none";
}
