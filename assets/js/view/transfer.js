/** A file in the chat: offered, on its way, ready to be saved. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { fileSize, safeFileName } from "../text.js";

/**
 * @typedef {import("../call/files.js").Transfer} Transfer
 * @typedef {import("../call/peer.js").Peer} Peer
 */

export class TransferRow {
  node = element("div", { class: "transfer" });
  #text = element("p", { attributes: { dir: "auto" } });
  #progress = element("progress", { attributes: { max: "1" } });
  #actions = element("div", { class: "row" });
  #peer;
  #state = "";

  /**
   * @param {Peer} peer
   * @param {Transfer} transfer
   */
  constructor(peer, transfer) {
    this.#peer = peer;
    this.node.append(this.#text, this.#progress, this.#actions);
    this.show(transfer);
  }

  /** @param {Transfer} transfer */
  show(transfer) {
    const share = transfer.size > 0 ? transfer.bytes / transfer.size : 1;
    this.#progress.value = share;
    this.#progress.hidden = transfer.state !== "running";
    if (transfer.state === this.#state) return;
    this.#state = transfer.state;
    const file = safeFileName(transfer.name);
    this.#text.textContent = words(transfer, file, this.#peer.name);
    this.#progress.setAttribute("aria-label", this.#text.textContent);
    this.#actions.replaceChildren(...this.#buttons(transfer, file));
  }

  /**
   * @param {Transfer} transfer
   * @param {string} file
   * @returns {HTMLElement[]}
   */
  #buttons(transfer, file) {
    const { files } = this.#peer;
    if (transfer.state === "running" || (!transfer.incoming && transfer.state === "offered")) {
      return [button(t("file.cancel"), () => (transfer.incoming ? files.refuse(transfer.id) : files.cancel(transfer.id)), { class: "small" })];
    }
    if (!transfer.incoming) return [];
    if (transfer.state === "offered") {
      return [
        button(t("file.take"), () => files.take(transfer.id), { class: "primary small" }),
        button(t("file.refuse"), () => files.refuse(transfer.id), { class: "small" }),
      ];
    }
    if (transfer.state !== "done" || !transfer.blob) return [];
    const link = element("a", { class: "button primary small", text: t("file.save", { file }), attributes: { href: URL.createObjectURL(transfer.blob), download: file } });
    return [link];
  }
}

/**
 * @param {Transfer} transfer
 * @param {string} file
 * @param {string} name of the other side
 */
function words(transfer, file, name) {
  const size = fileSize(transfer.size);
  switch (transfer.state) {
    case "offered":
      return transfer.incoming ? t("file.offer", { name, file, size }) : t("file.sending", { file, size });
    case "running":
      return transfer.incoming ? t("file.getting", { file, size }) : t("file.sending", { file, size });
    case "done":
      return transfer.incoming ? t("file.here", { file, size }) : t("file.sent", { file });
    case "refused":
      return t("file.refused", { file });
    default:
      return t("file.broken", { file });
  }
}
