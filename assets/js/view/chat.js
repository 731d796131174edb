/** Messages and files beside the call. Nothing is stored: everything is gone with the page. */
import { button, element, icon } from "../dom.js";
import { clockTime, t } from "../i18n.js";
import { announce, toast } from "../ui/notices.js";
import { play } from "../ui/attention.js";
import { named } from "../ui/people.js";
import { LARGEST_FILE, LONGEST_CHAT } from "../call/wire.js";
import { cleanText, fileSize, parts, safeFileName } from "../text.js";
import { TransferRow } from "./transfer.js";

/** @typedef {import("../call/peer.js").Peer} Peer */

const MOST_ENTRIES = 500;
/** The key code of every key that an input method handles; Safari ends the composition before it tells about Enter. */
const COMPOSING = 229;

export class Chat {
  node;
  unread = 0;
  #call;
  #onChange;
  #log = element("div", { class: "log", attributes: { role: "log", "aria-label": t("chat.log"), tabindex: "0" } });
  #empty = element("p", { class: "quiet small chat-empty", text: t("chat.empty") });
  #field = element("textarea", { class: "input", attributes: { rows: "1", maxlength: String(LONGEST_CHAT), "aria-label": t("chat.message"), placeholder: t("chat.message") } });
  /** @type {Map<Peer, Map<string, TransferRow>>} */
  #transfers = new Map();

  /**
   * @param {import("../call/call.js").Call} call
   * @param {(open: boolean) => void} onChange opened, closed, or something new to read
   */
  constructor(call, onChange) {
    this.#call = call;
    this.#onChange = onChange;
    const picker = element("input", { attributes: { type: "file", multiple: "", hidden: "", "aria-label": t("chat.file") } });
    picker.addEventListener("change", () => { for (const file of picker.files ?? []) this.#sendFile(file); picker.value = ""; });
    const form = element("form", { class: "chat-form" }, [
      button(t("chat.file"), () => picker.click(), { class: "round plain", icon: "file", iconOnly: true }), picker, this.#field,
      element("button", { class: "button primary round", attributes: { type: "submit", "aria-label": t("chat.send"), title: t("chat.send") } }, [icon("send")]),
    ]);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
    this.#field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== COMPOSING) { event.preventDefault(); this.#send(); }
    });
    this.node = element("aside", { class: "chat", attributes: { "aria-label": t("chat.title") } }, [
      element("div", { class: "chat-head" }, [
        element("h2", { text: t("chat.title") }), button(t("common.close"), () => this.toggle(false), { class: "plain round", icon: "close", iconOnly: true }),
      ]),
      this.#empty, this.#log, form,
    ]);
    this.node.hidden = true;
    this.node.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); this.toggle(false); } });
  }

  /**
   * Takes files that are dropped anywhere: the browser would open them in place of the call.
   * @returns {() => void} no longer
   */
  takeDrops() {
    const ends = new AbortController();
    const { signal } = ends;
    addEventListener("dragover", (event) => event.preventDefault(), { signal });
    addEventListener("drop", (event) => {
      const { files = [] } = event.dataTransfer ?? {};
      if (files.length === 0) return;
      event.preventDefault();
      this.toggle(true);
      for (const file of files) this.#sendFile(file);
    }, { signal });
    return () => ends.abort();
  }

  get open() {
    return !this.node.hidden;
  }

  /** @param {boolean} [open] */
  toggle(open = !this.open) {
    this.node.hidden = !open;
    if (open) {
      this.unread = 0;
      this.#log.scrollTop = this.#log.scrollHeight;
      this.#field.focus();
    }
    this.#onChange(open);
  }

  /** @param {Peer} peer */
  add(peer) {
    this.#transfers.set(peer, new Map());
    peer.on("chat", (text) => {
      this.#line(named(peer.person), text, false);
      this.#arrived(t("chat.new", { name: named(peer.person), text: [...text].slice(0, 200).join("") }));
    });
    peer.on("transfer", (transfer) => this.#transfer(peer, transfer));
  }

  /** @param {string} text read out if the chat is closed; while it is open, the log itself is read out */
  #arrived(text) {
    if (this.open) return;
    this.unread += 1;
    play("message");
    announce(text);
    this.#onChange(false);
  }

  #send() {
    const text = cleanText(this.#field.value, LONGEST_CHAT);
    if (text === "") return;
    if (this.#call.chat(text) === 0) {
      toast(t("chat.nobody"), { kind: "warn" });
      return;
    }
    this.#field.value = "";
    this.#line(t("call.you"), text, true);
  }

  /** @param {File} file */
  #sendFile(file) {
    if (file.size > LARGEST_FILE) {
      toast(t("file.large", { size: fileSize(LARGEST_FILE) }), { kind: "warn" });
      return;
    }
    const offered = this.#call.audience.map((peer) => ({ peer, transfer: peer.files.offer(file) })).filter(({ transfer }) => transfer);
    if (offered.length === 0) toast(t("chat.nobody"), { kind: "warn" });
    for (const { peer, transfer } of offered) if (transfer) this.#transfer(peer, transfer);
  }

  /**
   * @param {Peer} peer
   * @param {import("../call/files.js").Transfer} transfer
   */
  #transfer(peer, transfer) {
    const key = `${transfer.incoming ? "in" : "out"} ${transfer.id}`;
    const rows = this.#transfers.get(peer);
    const known = rows?.get(key);
    if (known) {
      known.show(transfer);
      return;
    }
    const row = new TransferRow(peer, transfer);
    rows?.set(key, row);
    this.#entry(transfer.incoming ? named(peer.person) : t("call.you"), row.node, !transfer.incoming);
    if (transfer.incoming) this.#arrived(t("file.offer", { name: named(peer.person), file: safeFileName(transfer.name), size: fileSize(transfer.size) }));
  }

  /**
   * @param {string} name
   * @param {string} text
   * @param {boolean} mine
   */
  #line(name, text, mine) {
    // A link opens on a click and is never fetched before; its title is where it really leads.
    const shown = parts(text).map(({ text, href }) => (href ? element("a", { text, attributes: { href, title: href, target: "_blank", rel: "noopener noreferrer" } }) : text));
    this.#entry(name, element("p", { class: "chat-text", attributes: { dir: "auto" } }, shown), mine);
  }

  /**
   * @param {string} name
   * @param {HTMLElement} content
   * @param {boolean} mine
   */
  #entry(name, content, mine) {
    this.#empty.hidden = true;
    const head = element("p", { class: "chat-who small quiet", text: t("chat.from", { name, time: clockTime(Date.now()) }), attributes: { dir: "auto" } });
    this.#log.append(element("div", { class: mine ? "entry mine" : "entry" }, [head, content]));
    while (this.#log.childElementCount > MOST_ENTRIES) this.#log.firstElementChild?.remove();
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}
