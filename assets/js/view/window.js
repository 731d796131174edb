/** Full screen, picture in picture, and how a length of time is written. */

/** The whole page, not the call alone: menus and messages belong to it too. */
export function toggleFullScreen() {
  if (document.fullscreenElement) exitFullScreen();
  else void document.documentElement.requestFullscreen?.().catch(() => undefined);
}

export function exitFullScreen() {
  if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
}

/** @param {HTMLVideoElement | undefined} video */
export async function togglePictureInPicture(video) {
  try {
    if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else await video?.requestPictureInPicture?.();
  } catch {
    // The video has no picture yet, or the browser wants a click: nothing is lost.
  }
}

/**
 * @param {number} milliseconds
 * @returns {string} m:ss or h:mm:ss
 */
export function duration(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
