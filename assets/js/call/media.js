/**
 * Our own camera, microphone and screen. Nothing is opened except by a method called from a click; a camera that is
 * turned off is released, so that its light goes out.
 */
import { Emitter } from "../emitter.js";
import { keep, kept } from "../storage.js";

/**
 * @typedef {import("./connection.js").Role} Role
 * @typedef {"camera" | "microphone"} Kind
 * @typedef {"refused" | "none" | "busy" | "insecure" | "unknown"} Trouble
 * @typedef {{ kind: Kind, trouble: Trouble }} Problem
 */

const CHOICE_KEY = "peersync.devices";
const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const AUDIO = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
/** Sound of a screen is music rather than speech, and must not bring the others' own voices back to them. */
const SCREEN_AUDIO = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, restrictOwnAudio: true, channelCount: { ideal: 2 } };
const SCREEN = { video: { frameRate: { ideal: 15, max: 30 } }, audio: SCREEN_AUDIO, systemAudio: "include", selfBrowserSurface: "exclude", surfaceSwitching: "include" };

/**
 * @param {unknown} error of getUserMedia
 * @returns {Trouble}
 */
export function troubleOf(error) {
  switch (/** @type {{ name?: string } | undefined} */ (error)?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "refused";
    case "NotFoundError":
    case "OverconstrainedError":
      return "none";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    case "TypeError":
      return "insecure";
    default:
      return "unknown";
  }
}

/**
 * Whether a picture is shown to its owner as in a mirror: not that of a camera which looks away from them.
 * @param {MediaStreamTrack | undefined} camera
 */
export function isMirror(camera) {
  return camera?.getSettings().facingMode !== "environment";
}

/** @extends {Emitter<{ change: Role, lost: Kind }>} */
export class LocalMedia extends Emitter {
  /** @type {Map<Role, MediaStreamTrack>} */
  #tracks = new Map();
  /** While muted, the microphone stays open but silent, so that unmuting is instant. */
  muted = false;

  /** @param {Role} role @returns {MediaStreamTrack | undefined} */
  track(role) {
    return this.#tracks.get(role);
  }

  /** @returns {import("./wire.js").MediaState} */
  get state() {
    return {
      microphone: this.#live("microphone") && !this.muted,
      camera: this.#live("camera"),
      screen: this.#tracks.has("screen"),
    };
  }

  /** Whether something comes out of that device: the system silences it during a phone call. @param {Kind} kind */
  #live(kind) {
    return this.#tracks.get(kind)?.muted === false;
  }

  /**
   * Opens both with one permission prompt; if that fails, each by itself, so that one missing device does not
   * cost the other.
   * @param {{ camera: boolean, microphone: boolean }} wanted
   * @returns {Promise<Problem[]>}
   */
  async open(wanted) {
    /** @type {Kind[]} */
    const kinds = [];
    if (wanted.microphone && !this.#tracks.has("microphone")) kinds.push("microphone");
    if (wanted.camera && !this.#tracks.has("camera")) kinds.push("camera");
    if (kinds.length === 2) {
      try {
        await this.#get(kinds);
        return [];
      } catch {
        // Opening each by itself shows which one failed.
      }
    }
    /** @type {Problem[]} */
    const problems = [];
    for (const kind of kinds) {
      try {
        await this.#get([kind]);
      } catch (error) {
        problems.push({ kind, trouble: troubleOf(error) });
      }
    }
    return problems;
  }

  /** @param {Kind[]} kinds */
  async #get(kinds) {
    const chosen = choices();
    const stream = await navigator.mediaDevices.getUserMedia({
      video: kinds.includes("camera") && { ...VIDEO, ...(chosen.camera ? { deviceId: { ideal: chosen.camera } } : { facingMode: "user" }) },
      audio: kinds.includes("microphone") && { ...AUDIO, ...(chosen.microphone ? { deviceId: { ideal: chosen.microphone } } : {}) },
    });
    for (const track of stream.getTracks()) this.#put(track.kind === "video" ? "camera" : "microphone", track);
  }

  /**
   * Switches the device during a call. The old one stays in use until the new one is open, unless the system opens only
   * one at a time, as phones do.
   * @param {Kind} kind
   * @param {string} deviceId
   * @returns {Promise<Problem | undefined>}
   */
  async choose(kind, deviceId) {
    rememberChoice(kind, deviceId);
    const before = this.#tracks.get(kind);
    if (!before) return undefined;
    let trouble = await this.#switch(kind, deviceId);
    if (trouble !== "busy") return trouble && { kind, trouble };
    const old = before.getSettings().deviceId ?? "";
    before.stop();
    trouble = await this.#switch(kind, deviceId);
    if (trouble && (await this.#switch(kind, old))) this.#drop(kind);
    return trouble && { kind, trouble };
  }

  /**
   * @param {Kind} kind
   * @param {string} deviceId
   * @returns {Promise<Trouble | undefined>}
   */
  async #switch(kind, deviceId) {
    const exact = { deviceId: { exact: deviceId } };
    try {
      const stream = await navigator.mediaDevices.getUserMedia(kind === "camera" ? { video: { ...VIDEO, ...exact } } : { audio: { ...AUDIO, ...exact } });
      const [track] = stream.getTracks();
      if (track) this.#put(kind, track);
      return undefined;
    } catch (error) {
      return troubleOf(error);
    }
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.muted = muted;
    const track = this.#tracks.get("microphone");
    if (track) track.enabled = !muted;
    this.emit("change", "microphone");
  }

  closeCamera() {
    this.#drop("camera");
  }

  /**
   * @returns {Promise<boolean>} false if the user cancelled
   */
  async shareScreen() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia(SCREEN);
    } catch (error) {
      if (troubleOf(error) === "refused") return false;
      throw error;
    }
    const [sound] = stream.getAudioTracks();
    const [picture] = stream.getVideoTracks();
    if (sound) this.#put("screenSound", sound);
    if (picture) {
      if ("contentHint" in picture) picture.contentHint = "detail";
      this.#put("screen", picture);
    }
    return true;
  }

  stopScreen() {
    this.#drop("screenSound");
    this.#drop("screen");
  }

  /** Releases everything. */
  stop() {
    for (const role of [...this.#tracks.keys()]) this.#drop(role);
  }

  /**
   * @param {Role} role
   * @param {MediaStreamTrack} track
   */
  #put(role, track) {
    const before = this.#tracks.get(role);
    if (role === "microphone") track.enabled = !this.muted;
    this.#tracks.set(role, track);
    // "ended" only comes from outside: unplugged, permission revoked, sharing stopped in the browser's own bar.
    track.addEventListener("ended", () => {
      if (this.#tracks.get(role) === track) this.#ended(role);
    });
    for (const event of ["mute", "unmute"]) {
      track.addEventListener(event, () => { if (this.#tracks.get(role) === track) this.emit("change", role); });
    }
    before?.stop();
    this.emit("change", role);
  }

  /** @param {Role} role */
  #ended(role) {
    if (role === "screen") {
      this.stopScreen();
      return;
    }
    this.#drop(role);
    if (role === "camera" || role === "microphone") this.emit("lost", role);
  }

  /** @param {Role} role */
  #drop(role) {
    const track = this.#tracks.get(role);
    if (!track) return;
    this.#tracks.delete(role);
    track.stop();
    this.emit("change", role);
  }
}

/** @returns {{ camera?: string, microphone?: string, speaker?: string }} the device ids chosen before */
export function choices() {
  try {
    return JSON.parse(kept(CHOICE_KEY) ?? "{}") ?? {};
  } catch {
    return {};
  }
}

/**
 * @param {Kind | "speaker"} kind
 * @param {string} deviceId
 */
export function rememberChoice(kind, deviceId) {
  keep(CHOICE_KEY, JSON.stringify({ ...choices(), [kind]: deviceId }));
}

/** @type {Record<string, Kind | "speaker">} */
const KINDS = { videoinput: "camera", audioinput: "microphone", audiooutput: "speaker" };

/**
 * @returns {Promise<Array<{ kind: Kind | "speaker", id: string, label: string }>>} labels are empty until permission is granted
 */
export async function listDevices() {
  const found = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return found.flatMap((device) => {
    const kind = KINDS[device.kind];
    return kind && device.deviceId !== "" ? [{ kind, id: device.deviceId, label: device.label }] : [];
  });
}

/** The number of samples in one measurement of the level. */
const SAMPLES = 1024;
/** The level below which sound counts as silence, in dBFS. */
const FLOOR_DB = -60;

/** Measures how loud a microphone is, for a meter. */
export class LevelMeter {
  /** @type {AudioContext | undefined} */
  #audio;
  /** @type {AnalyserNode | undefined} */
  #analyser;
  #samples = new Float32Array(SAMPLES);

  /** @param {MediaStreamTrack | undefined} track undefined stops measuring */
  watch(track) {
    void this.#audio?.close().catch(() => undefined);
    this.#audio = undefined;
    this.#analyser = undefined;
    if (!track) return;
    try {
      this.#audio = new AudioContext();
      this.#analyser = this.#audio.createAnalyser();
      this.#analyser.fftSize = SAMPLES;
      this.#audio.createMediaStreamSource(new MediaStream([track])).connect(this.#analyser);
    } catch {
      this.#analyser = undefined;
    }
  }

  /** @returns {number} from 0 for silence to 1 for full scale */
  get level() {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return loudness(this.#samples);
  }
}

/**
 * @param {Float32Array} samples between -1 and 1
 * @returns {number} 0 to 1, in equal steps of perceived loudness
 */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) || 1e-12);
  return Math.min(1, Math.max(0, 1 - decibels / FLOOR_DB));
}
