/** Calling someone to the tab: a changing title and, where allowed, a desktop notification. */

const BLINK_MS = 1000;

/**
 * @param {string} text
 * @returns {() => void} puts the title back and takes the notification away
 */
export function attract(text) {
  const title = document.title;
  let shown = false;
  const timer = setInterval(() => {
    shown = !shown;
    document.title = shown ? `🔔 ${text}` : title;
  }, BLINK_MS);
  document.title = `🔔 ${text}`;
  const notification = notify(text);
  return () => {
    clearInterval(timer);
    document.title = title;
    notification?.close();
  };
}

/** @param {string} text @returns {Notification | undefined} */
export function notify(text) {
  if (!("Notification" in window) || Notification.permission !== "granted" || document.visibilityState === "visible") return undefined;
  try {
    const notification = new Notification("PeerSync", { body: text, icon: "favicon.svg", tag: "peersync" });
    notification.addEventListener("click", () => { window.focus(); notification.close(); });
    return notification;
  } catch {
    return undefined;
  }
}
