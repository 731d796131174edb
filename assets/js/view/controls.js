/** The row of call buttons. Each button is named after what it does next. */
import { button, element, setIcon, within } from "../dom.js";
import { t } from "../i18n.js";

/** @typedef {"microphone" | "camera" | "screen" | "chat" | "more" | "leave"} Action */

/**
 * @param {HTMLButtonElement} control
 * @param {string} name accessible name
 * @param {string} picture
 * @param {boolean} attention whether it stands out: something is off, or going on
 */
function dress(control, name, picture, attention) {
  control.setAttribute("aria-label", name);
  control.title = name;
  control.dataset.attention = String(attention);
  setIcon(within(control, "svg", SVGSVGElement), picture);
}

export class Controls {
  node;
  /** @type {Record<Action, HTMLButtonElement>} */
  buttons;
  #unread = element("span", { class: "unread", attributes: { "aria-hidden": "true" } });

  /** @param {(action: Action) => void} act */
  constructor(act) {
    const make = (/** @type {Action} */ action, /** @type {string} */ name, /** @type {string} */ picture, look = "") =>
      button(name, () => act(action), { class: `control ${look}`.trim(), icon: picture, iconOnly: true });
    this.buttons = {
      microphone: make("microphone", t("call.mute"), "mic"),
      camera: make("camera", t("call.camera.on"), "camera-off"),
      screen: make("screen", t("call.share"), "screen"),
      chat: make("chat", t("call.chat"), "chat"),
      more: make("more", t("call.more"), "more"),
      leave: make("leave", t("call.leave"), "leave", "danger"),
    };
    this.buttons.chat.setAttribute("aria-expanded", "false");
    this.buttons.chat.append(this.#unread);
    this.buttons.more.setAttribute("aria-haspopup", "menu");
    this.buttons.screen.hidden = !("getDisplayMedia" in (navigator.mediaDevices ?? {}));
    this.#unread.hidden = true;
    this.node = element("div", { class: "controls", attributes: { role: "group", "aria-label": t("call.controls") } }, Object.values(this.buttons));
  }

  /** @param {import("../call/wire.js").MediaState} state */
  show(state) {
    dress(this.buttons.microphone, t(state.microphone ? "call.mute" : "call.unmute"), state.microphone ? "mic" : "mic-off", !state.microphone);
    dress(this.buttons.camera, t(state.camera ? "call.camera.off" : "call.camera.on"), state.camera ? "camera" : "camera-off", !state.camera);
    dress(this.buttons.screen, t(state.screen ? "call.share.stop" : "call.share"), state.screen ? "screen-off" : "screen", false);
    this.buttons.screen.dataset.active = String(state.screen);
  }

  /**
   * @param {boolean} open
   * @param {number} unread
   */
  showChat(open, unread) {
    this.buttons.chat.setAttribute("aria-expanded", String(open));
    this.#unread.hidden = unread === 0;
    this.#unread.textContent = unread > 9 ? "9+" : String(unread);
    this.buttons.chat.setAttribute("aria-label", unread > 0 ? t("call.chat.unread", { count: unread }) : t("call.chat"));
  }
}
