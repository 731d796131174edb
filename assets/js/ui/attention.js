/**
 * Getting attention: sounds, a changing title and, if allowed, a desktop notification; and who asks for it. Sounds are generated with
 * WebAudio, so nothing is downloaded; they stay silent until the browser allows playback.
 */

const BLINK_MS = 1000;
/** The title of the page itself, and how many want to change it. */
let title = "";
let wanting = 0;

/**
 * @param {string} text
 * @returns {() => void} restores the title and closes the notification
 */
export function attract(text) {
  if (wanting === 0) title = document.title;
  wanting += 1;
  let shown = false;
  const timer = setInterval(() => {
    shown = !shown;
    document.title = shown ? `🔔 ${text}` : title;
  }, BLINK_MS);
  document.title = `🔔 ${text}`;
  const notification = notify(text);
  return () => {
    clearInterval(timer);
    wanting -= 1;
    document.title = title;
    notification?.close();
  };
}

/** @param {string} text @returns {Notification | undefined} */
export function notify(text) {
  if (!("Notification" in window) || Notification.permission !== "granted" || document.visibilityState === "visible") return undefined;
  try {
    const notification = new Notification("PeerSync", { body: text, icon: new URL("../../favicon.svg", import.meta.url).href, tag: "peersync" });
    notification.addEventListener("click", () => { window.focus(); notification.close(); });
    return notification;
  } catch {
    return undefined;
  }
}

/** @type {AudioContext | undefined} */
let shared;

function context() {
  shared ??= new AudioContext();
  if (shared.state === "suspended") void shared.resume().catch(() => undefined);
  return shared;
}

/**
 * Plays one soft note.
 * @param {AudioContext} audio
 * @param {number} pitch Hz
 * @param {number} at seconds from now
 * @param {number} length seconds
 * @param {number} loudness 0 to 1
 */
function note(audio, pitch, at, length, loudness) {
  const start = audio.currentTime + at;
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.type = "sine";
  tone.frequency.value = pitch;
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(loudness, start + 0.03);
  volume.gain.exponentialRampToValueAtTime(0.0001, start + length);
  tone.connect(volume).connect(audio.destination);
  tone.start(start);
  tone.stop(start + length);
}

/** Notes as [Hz, begins at s, lasts s]. @type {Record<string, Array<[number, number, number]>>} */
const TUNES = {
  incoming: [[659, 0, 0.5], [880, 0.18, 0.5], [1047, 0.36, 0.7], [880, 0.7, 0.8]],
  outgoing: [[440, 0, 0.9], [554, 0.02, 0.9]],
  joined: [[660, 0, 0.25], [880, 0.12, 0.35]],
  left: [[660, 0, 0.25], [494, 0.12, 0.35]],
  knock: [[330, 0, 0.14], [330, 0.2, 0.14]],
  message: [[988, 0, 0.18]],
};

/** @param {keyof typeof TUNES} name */
export function play(name) {
  try {
    const audio = context();
    for (const [pitch, at, length] of TUNES[name] ?? []) note(audio, pitch, at, length, 0.09);
  } catch {
    // No sound device: the page and its title also show the ring.
  }
}

/**
 * Repeats a tune until stopped.
 * @param {keyof typeof TUNES} name
 * @param {number} [everyMs]
 * @returns {() => void} stops it
 */
export function loop(name, everyMs = 2400) {
  play(name);
  const timer = setInterval(() => play(name), everyMs);
  return () => clearInterval(timer);
}

/** How long nothing more is shown of somebody who was refused. */
const PAUSE_MS = 60_000;

/**
 * Who wants something from the user: one entry for each person, however often they ask, and a pause after a refusal. It knows
 * neither what they want nor how that is shown.
 */
export class Callers {
  /** What each person asks with, the oldest first. @type {Map<string, Set<string>>} */
  #asking = new Map();
  /** Who was refused just now. @type {Map<string, ReturnType<typeof setTimeout>>} */
  #refused = new Map();
  #show;

  /** @param {(who: string, asking: string[]) => void} show called with nothing when that person no longer asks */
  constructor(show) {
    this.#show = show;
  }

  /**
   * @param {string} who
   * @param {string} id of what they ask with: it ends by itself
   */
  add(who, id) {
    this.#asking.set(who, (this.#asking.get(who) ?? new Set()).add(id));
    this.#tell(who);
  }

  /** @param {string} id that has ended @returns {string | undefined} whose it was */
  end(id) {
    for (const [who, ids] of this.#asking) {
      if (!ids.delete(id)) continue;
      this.#tell(who);
      return who;
    }
    return undefined;
  }

  /** @param {string} who @returns {string[]} what they asked with */
  refuse(who) {
    const ids = [...(this.#asking.get(who) ?? [])];
    this.#asking.delete(who);
    this.#show(who, []);
    clearTimeout(this.#refused.get(who));
    this.#refused.set(who, setTimeout(() => { this.#refused.delete(who); this.#tell(who); }, PAUSE_MS));
    return ids;
  }

  /** Nobody asks any more, or whoever does says so again. */
  clear() {
    for (const who of [...this.#asking.keys()]) {
      this.#asking.delete(who);
      this.#show(who, []);
    }
  }

  /** @param {string} who */
  #tell(who) {
    const ids = [...(this.#asking.get(who) ?? [])];
    if (ids.length === 0) this.#asking.delete(who);
    if (ids.length === 0 || !this.#refused.has(who)) this.#show(who, ids);
  }
}
