/** The screen of a running call: combines stage, controls, chat and dialogs. */
import { button, element, icon } from "../dom.js";
import { duration, t } from "../i18n.js";
import { openMenu } from "../ui/menu.js";
import { announce, toast } from "../ui/notices.js";
import { named } from "../ui/people.js";
import { play } from "../ui/attention.js";
import { Chat } from "./chat.js";
import { Controls } from "./controls.js";
import { openDevices, problemText } from "./devices.js";
import { openShortcuts, startShortcuts } from "./shortcuts.js";
import { exitFullScreen, Stage, toggleFullScreen, togglePictureInPicture } from "./stage.js";
import { openVerify, watchCode } from "./verify.js";

/**
 * @typedef {import("../call/call.js").Call} Call
 * @typedef {import("../call/media.js").LocalMedia} LocalMedia
 * @typedef {import("../call/peer.js").Peer} Peer
 * @typedef {{ call: Call, media: LocalMedia, name: string, title: string, link?: string, onLeave: () => void }} Options
 *   name: ours; title: of the room or the friend; link: to copy, if others may join by it
 */

const BACK_SHOWN_MS = 4000;

export class CallScreen {
  node;
  stage;
  /** Epoch milliseconds of the first connection; 0 before. */
  since = 0;
  #options;
  #controls;
  #chat;
  #status = element("p", { class: "call-status", attributes: { role: "status" } });
  #clock = element("span", { class: "clock", attributes: { role: "timer", "aria-label": t("call.time") } });
  #lock = element("span", { class: "call-lock", attributes: { role: "img", "aria-label": t("room.locked") } }, [icon("lock")]);
  #ticking;
  /** @type {Array<() => void>} */
  #ends;
  #wasLost = false;
  /** @type {Promise<import("./knocks.js").Knocks> | undefined} */
  #knocks;
  /** What each button and each key does. */
  #actions = {
    microphone: () => void this.#microphone(),
    camera: () => void this.#camera(),
    screen: () => void this.#screen(),
    chat: () => this.#chat.toggle(),
    more: () => this.#more(),
    leave: () => this.#options.onLeave(),
    full: toggleFullScreen,
    pip: () => void togglePictureInPicture(this.stage.main),
    verify: () => openVerify(this.#options.call.peers),
    devices: () => void openDevices(this.#options.media, (speaker) => this.stage.setSpeaker(speaker)),
    help: openShortcuts,
  };

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const { call, media } = options;
    this.stage = new Stage(media, options.name);
    this.#controls = new Controls((action) => this.#act(action));
    this.#chat = new Chat(call, (open) => this.#showChat(open));
    const verify = button(t("call.verify"), () => this.#act("verify"), { class: "plain round verify-button", icon: "shield", iconOnly: true });
    const top = element("div", { class: "call-top" }, [
      element("h1", { class: "call-title", text: options.title, attributes: { dir: "auto" } }), this.#lock, this.#clock, this.#status, verify,
    ]);
    this.node = element("section", { class: "call", attributes: { "aria-label": options.title } }, [
      element("div", { class: "call-main" }, [top, this.stage.node, this.#controls.node]), this.#chat.node,
    ]);
    this.#ends = [
      call.on("peer", (peer) => this.#add(peer)), call.on("gone", (peer) => this.#remove(peer)),
      call.on("link", (state) => this.#showLink(state)), call.on("locked", (locked) => this.#showLocked(locked, true)),
      call.on("joined", ({ locked }) => this.#joined(locked)),
      media.on("change", () => this.#showMedia()), media.on("lost", (kind) => this.#lost(kind)),
      startShortcuts((action) => this.#act(action), (talking) => this.#talk(talking)), this.#chat.takeDrops(),
      call.on("knock", (who) => this.#door((knocks) => knocks.knock(who), true)), call.on("door", (id) => this.#door((knocks) => knocks.left(id))),
    ];
    for (const peer of call.peers) this.#add(peer);
    this.#ticking = setInterval(() => this.#tick(), 1000);
    this.#showMedia();
    this.#showLocked(call.locked, false);
    if (options.link) this.#invite();
  }

  /**
   * Deals with people at the door, one thing after the other, once somebody has knocked.
   * @param {(knocks: import("./knocks.js").Knocks) => void} what
   * @param {boolean} [knock] whether somebody knocks
   */
  async #door(what, knock = false) {
    if (knock) this.#knocks ??= import("./knocks.js").then(({ Knocks }) => new Knocks(this.#options.call));
    try {
      if (this.#knocks) what(await this.#knocks);
    } catch (error) {
      console.debug("knocks:", error);
      this.#knocks = undefined;
    }
  }

  /** Removes the screen; whoever began the call ends it. */
  close() {
    clearInterval(this.#ticking);
    for (const end of this.#ends) end();
    void this.#door((knocks) => knocks.clear());
    this.stage.close();
    for (const dialog of document.querySelectorAll("dialog[open]")) if (dialog instanceof HTMLDialogElement) dialog.close();
    exitFullScreen();
    this.node.remove();
  }

  /** How long people were connected. @returns {string} as m:ss, empty if nobody was */
  get time() {
    return this.since === 0 ? "" : duration(Date.now() - this.since);
  }

  #invite() {
    const copy = button(t("call.copy"), () => void this.#copy(), { class: "primary", icon: "link" });
    this.stage.setEmpty(t("call.alone"), t("call.alone.more"), [copy]);
  }

  /** @param {Peer} peer */
  #add(peer) {
    this.stage.add(peer);
    this.#chat.add(peer);
    watchCode(peer);
    peer.on("status", (status) => {
      if (status === "connected") this.since ||= Date.now();
      if (status === "interrupted") announce(t("call.reconnecting", { name: peer.name }));
    });
    peer.on("weak", (weak) => { if (weak) toast(t("call.weak"), { kind: "warn" }); });
    play("joined");
    announce(t("call.joined", { name: named(peer.person) }));
  }

  /** @param {Peer} peer */
  #remove(peer) {
    this.stage.remove(peer);
    play("left");
    // Between friends the call is then over, and the page itself says so.
    const text = t("call.left", { name: named(peer.person) });
    if (this.#options.link) toast(text);
    else announce(text);
  }

  /** @param {import("../call/signaling.js").LinkState} state */
  #showLink(state) {
    if (state === "open") {
      if (!this.#wasLost) return;
      this.#wasLost = false;
      this.#status.textContent = t("call.server.back");
      setTimeout(() => { if (!this.#wasLost) this.#status.textContent = ""; }, BACK_SHOWN_MS);
    } else if (state !== "connecting" && this.#options.call.inside) {
      this.#wasLost = true;
      this.#status.textContent = t("call.server.lost");
    }
  }

  /** @param {boolean} locked */
  #joined(locked) {
    this.#showLocked(locked, false);
    // The server now tells who still knocks.
    void this.#door((knocks) => knocks.clear());
  }

  /**
   * @param {boolean} locked
   * @param {boolean} say
   */
  #showLocked(locked, say) {
    this.#lock.hidden = !locked;
    if (say) toast(t(locked ? "room.locked" : "room.unlocked"));
  }

  #showMedia() {
    this.#controls.show(this.#options.media.state);
    this.stage.self.refresh();
  }

  /** @param {boolean} open */
  #showChat(open) {
    this.node.dataset.chat = String(open);
    this.#controls.showChat(open, this.#chat.unread);
    if (!open && this.node.contains(document.activeElement) && this.#chat.node.contains(document.activeElement)) this.#controls.buttons.chat.focus();
  }

  /** @param {import("./controls.js").Action | import("./shortcuts.js").Shortcut} action */
  #act(action) {
    this.#actions[action]();
  }

  /** @param {import("../call/media.js").Kind} kind */
  #lost(kind) {
    toast(t("media.lost", { kind: t(`devices.${kind}`) }), { kind: "warn" });
    // Whoever loses a headset goes on speaking; who loses a camera may not want to show another picture.
    if (kind === "microphone") void this.#options.media.open({ microphone: true, camera: false });
  }

  async #microphone() {
    const { media } = this.#options;
    if (media.track("microphone")) {
      media.mute(!media.muted);
    } else {
      media.muted = false;
      await this.#tellProblems(await media.open({ microphone: true, camera: false }));
    }
  }

  async #camera() {
    const { media } = this.#options;
    if (media.track("camera")) media.closeCamera();
    else await this.#tellProblems(await media.open({ microphone: false, camera: true }));
  }

  async #screen() {
    const { media } = this.#options;
    if (media.track("screen")) {
      media.stopScreen();
      return;
    }
    try {
      if (await media.shareScreen()) announce(t("call.yourscreen"));
    } catch (error) {
      console.debug("screen:", error);
      toast(t("error.unknown"), { kind: "bad" });
    }
  }

  /** @param {import("../call/media.js").Problem[]} problems */
  async #tellProblems(problems) {
    if (problems.length > 0) toast(await problemText(problems), { kind: "warn", keep: true });
  }

  /** @param {boolean} talking */
  #talk(talking) {
    const { media } = this.#options;
    if (media.track("microphone") && media.muted === talking) media.mute(!talking);
  }

  #more() {
    const { call, link } = this.#options;
    openMenu(this.#controls.buttons.more, [
      ...(link ? [{ text: t("call.copy"), run: () => void this.#copy() }] : []),
      ...(link ? [{ text: t(call.locked ? "call.unlock" : "call.lock"), run: () => { if (!call.lock(!call.locked)) toast(t("ring.unavailable"), { kind: "warn" }); } }] : []),
      { text: t("call.verify"), run: this.#actions.verify },
      { text: t("devices.title"), run: this.#actions.devices },
      ...(document.pictureInPictureEnabled ? [{ text: t("call.pip"), run: this.#actions.pip }] : []),
      ...(document.fullscreenEnabled ? [{ text: t("call.full"), run: this.#actions.full }] : []),
      { text: t("call.shortcuts"), run: this.#actions.help },
    ]);
  }

  async #copy() {
    const { link = "" } = this.#options;
    try {
      await navigator.clipboard.writeText(link);
      toast(t("call.copied"));
    } catch {
      // No access to the clipboard: show the link to be copied by hand.
      toast(link, { keep: true });
    }
  }

  #tick() {
    this.#clock.textContent = this.time;
  }
}
