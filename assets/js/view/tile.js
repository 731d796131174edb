/** One video of the call: a person's camera, or a shared screen. */
import { element, icon } from "../dom.js";
import { t } from "../i18n.js";
import { announce, toast } from "../ui/notices.js";
import { face, mark } from "../ui/people.js";

/** @typedef {import("../call/peer.js").Peer} Peer */

/**
 * Creates a video that plays by itself. If the browser blocks the sound, one click plays all of them.
 * @param {string} label accessible name
 * @param {MediaStream} stream
 * @returns {HTMLVideoElement}
 */
export function player(label, stream) {
  const video = element("video", { attributes: { "aria-label": label, playsinline: "", autoplay: "" } });
  video.srcObject = stream;
  video.play().catch((error) => {
    if (error instanceof DOMException && error.name === "NotAllowedError") askToPlay();
  });
  return video;
}

let asking = false;

function askToPlay() {
  if (asking) return;
  asking = true;
  const playAll = () => {
    asking = false;
    for (const video of document.querySelectorAll("video")) void video.play().catch(() => undefined);
  };
  toast(t("call.sound.blocked"), { kind: "warn", keep: true, action: { text: t("call.sound.play"), run: playAll } });
}

/**
 * Sends the sound to the chosen speaker, if the browser supports it.
 * @param {HTMLVideoElement} video
 * @param {string | undefined} speaker device id
 */
export function playOn(video, speaker) {
  if (speaker && "setSinkId" in video) void video.setSinkId(speaker).catch(() => undefined);
}

export class PersonTile {
  node;
  video;
  #peer;
  #quality = element("span", { class: "bars", attributes: { role: "img" } });
  #muted = element("span", { class: "tile-muted", attributes: { role: "img" } }, [icon("mic-off")]);
  #status = element("p", { class: "tile-status" });
  /** Why there is no connection, if that is known. */
  #trouble = "";
  /** @type {Array<() => void>} */
  #ends;

  /** @param {Peer} peer */
  constructor(peer) {
    this.#peer = peer;
    this.video = player(peer.name, peer.camera);
    // A phone that is held upright: cropped to the tile, little more than a chin would be left of the face.
    this.video.addEventListener("resize", () => { this.node.dataset.tall = String(this.video.videoHeight > this.video.videoWidth); });
    this.#muted.setAttribute("aria-label", t("call.muted", { name: peer.name }));
    this.#quality.append(icon("signal"));
    this.node = element("li", { class: "tile", data: { off: "true" } }, [
      this.video, face(peer.name, peer.person.email ?? peer.name), this.#status,
      element("div", { class: "caption" }, [this.#muted, element("span", { class: "tile-name", text: peer.name, attributes: { dir: "auto" } }), marked(peer), this.#quality]),
    ]);
    this.#ends = [
      peer.on("remote", () => this.#show()), peer.on("status", () => this.#show()), peer.on("quality", () => this.#showQuality()),
      peer.on("way", (way) => way === "failed" && this.#explain()),
    ];
    this.#show();
    this.#showQuality();
  }

  /** Marks who is speaking. */
  listen() {
    this.node.dataset.talking = String(this.#peer.remote.microphone && this.#peer.loudness > 0.02);
  }

  remove() {
    for (const end of this.#ends) end();
    this.video.srcObject = null;
    this.node.remove();
  }

  async #explain() {
    try {
      this.#trouble = await (await import("./trouble.js")).peerTrouble(this.#peer);
      this.#show();
      announce(this.#status.textContent ?? "");
    } catch (error) {
      // The server is away too, and the page says so.
      console.debug("trouble:", error);
    }
  }

  #show() {
    const { remote, status, name, approved } = this.#peer;
    if (status === "connected") this.#trouble = "";
    this.node.dataset.off = String(!remote.camera);
    this.node.dataset.status = status;
    this.#muted.hidden = remote.microphone;
    this.#status.textContent = this.#trouble || (status === "connecting" ? t("call.connecting", { name }) : status === "interrupted" ? t("call.reconnecting", { name }) : approved ? "" : t("who.unsent"));
    this.#status.hidden = this.#status.textContent === "";
  }

  #showQuality() {
    const { quality } = this.#peer;
    this.#quality.dataset.level = quality.level;
    this.#quality.setAttribute("aria-label", t(`quality.${quality.level}`));
    this.#quality.title = qualityDetail(quality);
  }
}

/** @param {import("../call/quality.js").Quality} quality */
export function qualityDetail(quality) {
  const words = t(`quality.${quality.level}`);
  if (quality.level === "connecting" || quality.level === "lost") return words;
  return t("quality.detail", {
    quality: words, path: t(quality.relayed ? "quality.relayed" : "quality.direct"), over: quality.over || "?",
    rtt: quality.rttMs, loss: quality.lossPercent, down: rate(quality.downBps), up: rate(quality.upBps),
  });
}

/** What is known about the person, beside the name. @param {Peer} peer */
const marked = ({ person }) => element("span", { class: "mark-of", text: mark(person) });

/** @param {number} bitsPerSecond */
const rate = (bitsPerSecond) => `${Math.round(bitsPerSecond / 1000)} kbit/s`;

export class ScreenTile {
  node;
  video;

  /** @param {Peer} peer */
  constructor(peer) {
    const label = t("call.screen", { name: peer.name });
    this.video = player(label, peer.screen);
    const name = element("span", { class: "tile-name", text: label, attributes: { dir: "auto" } });
    this.node = element("li", { class: "tile screen" }, [this.video, element("div", { class: "caption" }, [icon("screen"), name, marked(peer)])]);
  }

  remove() {
    this.video.srcObject = null;
    this.node.remove();
  }
}
