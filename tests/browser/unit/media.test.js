/** Switching between devices, on systems that open several at a time and on those that do not. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { LocalMedia } from "../../../assets/js/call/media.js";

/** A device's track, which is released when it stops. */
class Track extends EventTarget {
  kind = "video";
  enabled = true;
  muted = false;
  live = true;

  /** @param {string} deviceId */
  constructor(deviceId) {
    super();
    this.deviceId = deviceId;
  }

  getSettings() {
    return { deviceId: this.deviceId };
  }

  stop() {
    this.live = false;
  }
}

/**
 * Cameras of which only one can be open at a time.
 * @param {string[]} broken that cannot be opened at all
 */
function phone(broken = []) {
  /** @type {Track[]} */
  const opened = [];
  const getUserMedia = async (/** @type {any} */ { video }) => {
    const id = video.deviceId?.exact ?? "front";
    if (broken.includes(id) || opened.some(({ live }) => live)) throw new DOMException("busy", "NotReadableError");
    const track = new Track(id);
    opened.push(track);
    return { getTracks: () => [track] };
  };
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { mediaDevices: { getUserMedia } } });
  return opened;
}

afterEach(() => Reflect.deleteProperty(globalThis, "navigator"));

/** @param {LocalMedia} media */
const camera = (media) => /** @type {any} */ (media.track("camera"))?.deviceId;

test("a phone, which opens one camera at a time, switches to the other", async () => {
  const opened = phone();
  const media = new LocalMedia();
  assert.deepEqual(await media.open({ camera: true, microphone: false }), []);
  assert.equal(await media.choose("camera", "rear"), undefined);
  assert.equal(camera(media), "rear");
  assert.deepEqual(opened.map(({ deviceId, live }) => [deviceId, live]), [["front", false], ["rear", true]]);
});

test("a camera that another program uses leaves the old one on, and is reported", async () => {
  phone(["rear"]);
  const media = new LocalMedia();
  await media.open({ camera: true, microphone: false });
  assert.deepEqual(await media.choose("camera", "rear"), { kind: "camera", trouble: "busy" });
  assert.equal(camera(media), "front");
  assert.equal(/** @type {any} */ (media.track("camera")).live, true);
});

test("a device that the system silences, as for a phone call, is told as off until it is back", async () => {
  phone();
  const media = new LocalMedia();
  await media.open({ camera: true, microphone: false });
  /** @type {boolean[]} */
  const told = [];
  media.on("change", () => told.push(media.state.camera));
  const track = /** @type {any} */ (media.track("camera"));
  for (const [muted, event] of /** @type {const} */ ([[true, "mute"], [false, "unmute"]])) {
    track.muted = muted;
    track.dispatchEvent(new Event(event));
  }
  assert.deepEqual(told, [false, true]);
});
