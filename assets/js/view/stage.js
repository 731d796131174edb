/** All videos of a call: people, shared screens, the self-view, and the text shown while nobody has joined yet. */
import { element } from "../dom.js";
import { t } from "../i18n.js";
import { choices } from "../call/media.js";
import { playOn, PersonTile, ScreenTile } from "./tile.js";
import { SelfView } from "./selfview.js";

/** @typedef {import("../call/peer.js").Peer} Peer */

const LISTEN_MS = 200;

export class Stage {
  node;
  self;
  #tiles = element("ul", { class: "tiles", attributes: { role: "list", "aria-label": t("call.people") } });
  #empty = element("div", { class: "alone" });
  #note = element("p", { attributes: { role: "status" } });
  /** @type {Map<Peer, { tile: PersonTile, screen?: ScreenTile, end: () => void }>} */
  #people = new Map();
  #listening;

  /**
   * @param {import("../call/media.js").LocalMedia} media
   * @param {string} name ours
   */
  constructor(media, name) {
    this.self = new SelfView(media, name);
    this.node = element("div", { class: "stage" }, [this.#tiles, this.#empty, this.self.node]);
    this.#listening = setInterval(() => { for (const { tile } of this.#people.values()) tile.listen(); }, LISTEN_MS);
    this.#arrange();
  }

  /**
   * Sets what is shown while nobody else is in the call.
   * @param {string} title
   * @param {string} text
   * @param {HTMLElement[]} actions
   */
  setEmpty(title, text, actions) {
    this.note(text);
    this.#empty.replaceChildren(element("h2", { text: title }), this.#note, element("div", { class: "row" }, actions));
  }

  /** @param {string} text below the title of the empty stage */
  note(text) {
    this.#note.textContent = text;
    this.#note.hidden = text === "";
  }

  /** @param {Peer} peer */
  add(peer) {
    const tile = new PersonTile(peer);
    playOn(tile.video, choices().speaker);
    this.#people.set(peer, { tile, end: peer.on("remote", () => this.#showScreen(peer)) });
    this.#tiles.append(tile.node);
    this.#arrange();
  }

  /** @param {Peer} peer */
  remove(peer) {
    const found = this.#people.get(peer);
    if (!found) return;
    found.end();
    found.tile.remove();
    found.screen?.remove();
    this.#people.delete(peer);
    this.#arrange();
  }

  /** @param {string} speaker device id */
  setSpeaker(speaker) {
    for (const video of this.#videos()) playOn(video, speaker);
  }

  /** The most important video right now: a screen, or whoever joined first. @returns {HTMLVideoElement | undefined} */
  get main() {
    const all = [...this.#people.values()];
    return all.find(({ screen }) => screen)?.screen?.video ?? all[0]?.tile.video;
  }

  close() {
    clearInterval(this.#listening);
    for (const peer of [...this.#people.keys()]) this.remove(peer);
  }

  #videos() {
    return [...this.#people.values()].flatMap(({ tile, screen }) => [tile.video, ...(screen ? [screen.video] : [])]);
  }

  /** @param {Peer} peer */
  #showScreen(peer) {
    const found = this.#people.get(peer);
    if (!found || peer.remote.screen === Boolean(found.screen)) return;
    if (peer.remote.screen) {
      found.screen = new ScreenTile(peer);
      playOn(found.screen.video, choices().speaker);
      this.#tiles.prepend(found.screen.node);
    } else {
      found.screen?.remove();
      delete found.screen;
    }
    this.#arrange();
  }

  #arrange() {
    const screens = [...this.#people.values()].filter(({ screen }) => screen).length;
    this.node.dataset.people = String(this.#people.size);
    this.node.dataset.screens = String(screens);
    this.#empty.hidden = this.#people.size > 0;
    this.#tiles.hidden = this.#people.size === 0;
  }
}

/** Makes the whole page full screen, not the call alone: menus and messages belong to it too. */
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
    // The video has no frame yet, or the browser wants a click: nothing is lost.
  }
}
