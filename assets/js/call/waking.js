/** Detects that the network came back or changed, or that the machine slept. */

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
