/** Before a call: name, devices, preview and microphone level. Nothing is opened before a click. */
import { byId, element } from "../dom.js";
import { t } from "../i18n.js";
import { isMirror, LevelMeter } from "../call/media.js";
import { onSubmit } from "../ui/form.js";
import { errorText } from "../ui/notices.js";
import { DevicePickers, problemText } from "./devices.js";

const LEVEL_MS = 80;

/** @typedef {import("../call/media.js").LocalMedia} LocalMedia */

export class Lobby {
  #media;
  #form = byId("lobby-form", HTMLFormElement);
  #camera = byId("with-camera", HTMLInputElement);
  #microphone = byId("with-microphone", HTMLInputElement);
  #video = byId("preview", HTMLVideoElement);
  #meter = byId("level", HTMLMeterElement);
  #start = byId("start-preview", HTMLButtonElement);
  #level = new LevelMeter();
  #pickers;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #measuring;
  /** @type {Array<() => void>} */
  #ends = [];
  #closed = false;

  /**
   * @param {LocalMedia} media
   * @param {(values: Record<string, string>) => Promise<void>} onJoin
   * @param {() => Promise<unknown>} prepare loads the call's modules, as soon as somebody is about to join
   */
  constructor(media, onJoin, prepare) {
    this.#media = media;
    this.#pickers = new DevicePickers(media, () => undefined);
    byId("pickers", HTMLElement).append(this.#pickers.node);
    this.#start.addEventListener("click", () => void this.#preview());
    for (const box of [this.#camera, this.#microphone]) box.addEventListener("change", () => void this.#changed());
    this.#ends.push(media.on("change", () => this.#show()));
    onSubmit(this.#form, onJoin);
    for (const sign of ["pointerenter", "focusin"]) byId("lobby", HTMLElement).addEventListener(sign, () => void prepare().catch(() => undefined), { once: true });
    this.#show();
  }

  /** @returns {{ camera: boolean, microphone: boolean }} what the user wants to join with */
  get wanted() {
    return { camera: this.#camera.checked, microphone: this.#microphone.checked };
  }

  /** Opens the chosen devices and shows which failed. The click on "join" is the consent. */
  async open() {
    this.showStatus(t("lobby.devices"));
    void this.#tell(await this.#media.open(this.wanted));
    this.showStatus("");
  }

  /** @param {string} text the status below the buttons, which is read out; nothing once the call has taken the lobby's place */
  showStatus(text) {
    if (this.#closed) return;
    byId("lobby-status", HTMLElement).textContent = text;
  }

  close() {
    this.#closed = true;
    for (const end of this.#ends) end();
    this.#pickers.close();
    clearInterval(this.#measuring);
    this.#level.watch(undefined);
    this.#video.srcObject = null;
    removeLobby();
  }

  async #preview() {
    this.#start.setAttribute("aria-busy", "true");
    await this.open();
    this.#start.removeAttribute("aria-busy");
    await this.#pickers.refresh();
  }

  /** Checkboxes take effect at once if the preview is running. */
  async #changed() {
    const { camera, microphone } = this.wanted;
    if (!camera) this.#media.closeCamera();
    if (!this.#media.track("camera") && !this.#media.track("microphone")) return;
    if (microphone !== !this.#media.muted) this.#media.mute(!microphone);
    void this.#tell(await this.#media.open({ camera, microphone }));
  }

  #show() {
    const camera = this.#media.track("camera");
    const microphone = this.#media.track("microphone");
    this.#video.srcObject = camera ? new MediaStream([camera]) : null;
    Object.assign(byId("preview-box", HTMLElement).dataset, { off: String(!camera), mirror: String(isMirror(camera)) });
    this.#start.hidden = Boolean(camera ?? microphone);
    this.#level.watch(this.#media.muted ? undefined : microphone);
    byId("level-row", HTMLElement).hidden = !microphone;
    clearInterval(this.#measuring);
    if (microphone) this.#measuring = setInterval(() => { this.#meter.value = this.#level.level; }, LEVEL_MS);
  }

  /** @param {import("../call/media.js").Problem[]} problems */
  async #tell(problems) {
    const place = byId("lobby-problem", HTMLElement);
    place.replaceChildren();
    if (problems.length > 0) place.append(element("p", { class: "notice warn", text: await problemText(problems) }));
  }
}

/**
 * Says why the server does not let us in yet, for as long as it does not; and to those inside, that nobody else gets in.
 * @param {import("../call/call.js").Call} call
 * @param {(text: string) => void} show
 */
export function tellLateness(call, show) {
  call.on("late", async ({ stage, error }) => {
    if (call.inside) {
      if (stage === "directory") await import("./trouble.js").then(({ tellOutage }) => tellOutage());
      return;
    }
    let text = error ? errorText(error) : t(stage === "directory" ? "error.unavailable" : "error.offline");
    if (stage === "socket" || stage === "hello") {
      // The API answers, and so do the pages; if not, that is the reason.
      text = await import("./trouble.js").then(({ serverTrouble }) => serverTrouble(stage), () => text);
    }
    if (!call.inside && (stage === "directory" || call.link.state !== "open")) show(text);
  });
}

/** Removes the lobby's contents. The call has its own self-view: two videos with the same name would be ambiguous. */
export function removeLobby() {
  for (const part of document.querySelectorAll("#lobby, #waiting")) part.remove();
}

/** @param {string} title */
export function setLobbyTitle(title) {
  byId("lobby-title", HTMLElement).textContent = title;
  document.title = `${title} · PeerSync`;
}

/**
 * Replaces lobby and call with a page that says what is over and what can be done now.
 * @param {{ title: string, text?: string, actions: HTMLElement[] }} what
 */
export function showEnded({ title, text = "", actions }) {
  removeLobby();
  document.body.classList.remove("in-call");
  byId("ended", HTMLElement).hidden = false;
  const head = byId("ended-title", HTMLElement);
  head.textContent = title;
  byId("ended-text", HTMLElement).textContent = text;
  byId("ended-actions", HTMLElement).replaceChildren(...actions);
  head.focus();
}

/**
 * @param {string} text
 * @param {string} href
 * @param {string} [look]
 */
export function linkButton(text, href, look = "") {
  return element("a", { class: `button ${look}`.trim(), text, attributes: { href } });
}
