/** Choosing camera, microphone and speaker, in the lobby and during a call. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { choices, listDevices, rememberChoice } from "../call/media.js";
import { toast } from "../ui/notices.js";

/**
 * @typedef {import("../call/media.js").LocalMedia} LocalMedia
 * @typedef {import("../call/media.js").Problem} Problem
 * @typedef {"camera" | "microphone" | "speaker"} Kind
 */

/** @type {Kind[]} */
const KINDS = ["camera", "microphone", "speaker"];

/**
 * Shows one list for each kind of device that the browser reports.
 * @param {LocalMedia} media
 * @param {(speaker: string) => void} onSpeaker
 */
export class DevicePickers {
  node = element("div", { class: "pickers" });
  #media;
  #onSpeaker;
  #refresh = () => void this.refresh();

  /**
   * @param {LocalMedia} media
   * @param {(speaker: string) => void} onSpeaker
   */
  constructor(media, onSpeaker) {
    this.#media = media;
    this.#onSpeaker = onSpeaker;
    navigator.mediaDevices?.addEventListener?.("devicechange", this.#refresh);
  }

  /** Reads the devices again; until permission is granted they have no names. */
  async refresh() {
    const devices = await listDevices();
    const fields = KINDS.flatMap((kind) => {
      const found = devices.filter((device) => device.kind === kind);
      return found.length > 0 ? [this.#field(kind, found)] : [];
    });
    this.node.replaceChildren(...fields);
  }

  close() {
    navigator.mediaDevices?.removeEventListener?.("devicechange", this.#refresh);
  }

  /**
   * @param {Kind} kind
   * @param {Array<{ id: string, label: string }>} found
   */
  #field(kind, found) {
    const id = `device-${kind}`;
    const used = this.#media.track(kind === "speaker" ? "screenSound" : kind)?.getSettings().deviceId;
    const chosen = (kind === "speaker" ? undefined : used) ?? choices()[kind];
    const select = element("select", { class: "input", id }, found.map((device, index) => {
      const option = element("option", { text: device.label || t("devices.unnamed", { kind: t(`devices.${kind}`), number: index + 1 }) });
      option.value = device.id;
      option.selected = device.id === chosen;
      return option;
    }));
    select.addEventListener("change", () => void this.#choose(kind, select.value));
    return element("div", { class: "field" }, [element("label", { text: t(`devices.${kind}`), attributes: { for: id } }), select]);
  }

  /**
   * @param {Kind} kind
   * @param {string} id
   */
  async #choose(kind, id) {
    if (kind === "speaker") {
      rememberChoice(kind, id);
      this.#onSpeaker(id);
      return;
    }
    const problem = await this.#media.choose(kind, id);
    if (problem) toast(await problemText([problem]), { kind: "warn" });
  }
}

/**
 * @param {LocalMedia} media
 * @param {(speaker: string) => void} onSpeaker
 */
export async function openDevices(media, onSpeaker) {
  const pickers = new DevicePickers(media, onSpeaker);
  const title = element("h2", { id: "devices-title", text: t("devices.title") });
  const dialog = element("dialog", { class: "dialog", attributes: { "aria-labelledby": title.id } }, [
    title, pickers.node, button(t("common.close"), () => dialog.close(), { class: "plain round corner", icon: "close", iconOnly: true }),
  ]);
  dialog.addEventListener("close", () => { pickers.close(); dialog.remove(); });
  document.body.append(dialog);
  await pickers.refresh();
  dialog.showModal();
}

/**
 * @param {Problem[]} problems at least one
 * @returns {Promise<string>} what to do about them
 */
export async function problemText(problems) {
  try {
    return (await import("./trouble.js")).deviceTrouble(problems);
  } catch {
    // The server is away too.
    return t("error.unknown");
  }
}
