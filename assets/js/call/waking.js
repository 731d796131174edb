/** Notices that the network came back, changed, or that the machine slept. */

const TICK_MS = 4000;
/** Timers of hidden tabs may be held back for a minute; longer than that was a sleep. */
const SLEPT_MS = 70_000;

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
  const network = () => onWake("network");
  const connection = /** @type {EventTarget | undefined} */ (Reflect.get(navigator, "connection"));
  addEventListener("online", online);
  connection?.addEventListener("change", network);
  return () => {
    clearInterval(timer);
    removeEventListener("online", online);
    connection?.removeEventListener("change", network);
  };
}
