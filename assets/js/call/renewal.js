/**
 * What makes a call renew the ways it goes: the network came back or changed, the machine slept, or the credentials for TURN,
 * which are short-lived, are about to expire, so that a tab that stays open can still be relayed.
 */

const TICK_MS = 4000;
/** Browsers may delay timers of hidden tabs by a minute; a longer gap was a sleep. */
const SLEPT_MS = 70_000;

/** @typedef {EventTarget & { type?: string, effectiveType?: string }} Connection if the browser supports it; type is known on phones */

/**
 * @param {(why: "online" | "network" | "slept") => void} onWake
 * @returns {() => void} stops watching
 */
export function watchWaking(onWake) {
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > SLEPT_MS) onWake("slept");
    last = now;
  }, TICK_MS);
  const online = () => onWake("online");
  const connection = /** @type {Connection | undefined} */ (Reflect.get(navigator, "connection"));
  // The event also fires for every new estimate of delay and rate, which is no reason to restart ICE.
  const kind = () => `${connection?.type} ${connection?.effectiveType}`;
  let known = kind();
  const network = () => {
    if (kind() !== known) onWake("network");
    known = kind();
  };
  addEventListener("online", online);
  connection?.addEventListener("change", network);
  return () => {
    clearInterval(timer);
    removeEventListener("online", online);
    connection?.removeEventListener("change", network);
  };
}

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
