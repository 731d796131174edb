/** Keeps the screen on during a call, where the browser can: nobody touches a telephone that they look at. */

/** @returns {() => void} lets it go dark again */
export function stayAwake() {
  /** @type {WakeLockSentinel | undefined} */
  let lock;
  let wanted = true;
  const ask = async () => {
    // The browser takes it back whenever the page is hidden.
    if (!wanted || document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
    lock = await navigator.wakeLock.request("screen").catch(() => undefined);
    if (!wanted) void lock?.release();
  };
  const again = () => void ask();
  document.addEventListener("visibilitychange", again);
  again();
  return () => {
    wanted = false;
    document.removeEventListener("visibilitychange", again);
    void lock?.release().catch(() => undefined);
  };
}
