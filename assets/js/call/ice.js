/** TURN credentials are short-lived: decides when to renew them, so that a tab that stays open can still be relayed. */

/** The lifetime if the server does not give one. */
const DEFAULT_LIFE_S = 3600;
const SHORTEST_MS = 30_000;
const LONGEST_MS = 12 * 3600 * 1000;

/**
 * TURN's REST convention puts the expiry time, in epoch seconds, and a colon at the front of the user name
 * (draft-uberti-behave-turn-rest). Other names may begin with digits too, such as Cloudflare's.
 * @param {RTCIceServer[]} servers
 * @returns {number | undefined} epoch milliseconds; undefined if no server needs credentials
 */
export function expiresAt(servers) {
  const ends = servers.filter((server) => server.credential !== undefined).map((server) => Number(/^(\d+):/.exec(server.username ?? "")?.[1]) * 1000);
  const known = ends.filter((end) => end > 0);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/**
 * Returns how long to wait before renewing: four fifths of the remaining time.
 * @param {{ iceServers: RTCIceServer[], ttl?: number }} ticket
 * @param {number} now epoch milliseconds
 * @returns {number | undefined} milliseconds; undefined if nothing expires
 */
export function refreshIn(ticket, now) {
  if (!ticket.iceServers.some((server) => server.credential !== undefined)) return undefined;
  const end = expiresAt(ticket.iceServers) ?? now + (ticket.ttl ?? DEFAULT_LIFE_S) * 1000;
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (end - now) * 0.8));
}
