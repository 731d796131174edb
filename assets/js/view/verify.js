/** "Is nobody in between?": four emoji for each person, and what is known about friends' devices. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { recognise, rememberCompared } from "../call/identity.js";
import { EMOJI } from "../call/verification.js";
import { toast } from "../ui/notices.js";
import { named } from "../ui/people.js";
import { qualityDetail } from "./tile.js";

/** @typedef {import("../call/peer.js").Peer} Peer */

/** @param {Peer[]} peers */
export function openVerify(peers) {
  const title = element("h2", { id: "verify-title", text: t("verify.title") });
  const dialog = element("dialog", { class: "dialog verify", attributes: { "aria-labelledby": title.id } }, [
    title, element("p", { text: peers.length > 0 ? t("verify.how") : t("verify.nobody") }),
  ]);
  /** @type {Array<() => void>} */
  const ends = [];
  for (const peer of peers) {
    const place = element("div");
    const show = () => place.replaceChildren(...codeOf(peer, show));
    const connection = element("p", { class: "quiet small" });
    const showConnection = () => { connection.textContent = qualityDetail(peer.quality); };
    show();
    showConnection();
    ends.push(peer.on("code", show), peer.on("quality", showConnection));
    dialog.append(element("section", { class: "code" }, [place, connection]));
  }
  dialog.append(button(t("common.close"), () => dialog.close(), { class: "plain round corner", icon: "close", iconOnly: true }));
  dialog.addEventListener("close", () => { for (const end of ends) end(); dialog.remove(); });
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * @param {Peer} peer
 * @param {() => void} again
 * @returns {HTMLElement[]}
 */
function codeOf(peer, again) {
  const { name } = peer;
  const head = element("h3", { text: t("verify.with", { name: named(peer.person) }), attributes: { dir: "auto" } });
  const { code, theirs } = peer.verification;
  if (code.state === "waiting") return [head, element("p", { text: t("verify.waiting") })];
  if (code.state === "broken") return [head, element("p", { class: "problem", text: t("verify.broken", { name }) })];
  const emoji = element("ol", { class: "emoji", attributes: { role: "list" } }, code.emoji.map(picture));
  const known = knowledge(peer);
  const { email } = peer.person;
  if (known === "known") return [head, emoji, element("p", { class: "notice", text: t("verify.known") })];
  /** @type {HTMLElement[]} */
  const parts = [head, emoji];
  if (known === "changed") parts.push(element("p", { class: "notice warn", text: t("verify.changed", { name }) }));
  if (email && theirs) parts.push(button(t("verify.same"), () => { rememberCompared(email, theirs); again(); }, { class: "primary", icon: "check" }));
  return parts;
}

/**
 * The word names what the picture shows, so the picture itself is not read out.
 * @param {string} one
 */
function picture(one) {
  const word = t("verify.words").split(" ")[EMOJI.indexOf(one)] ?? "";
  return element("li", {}, [element("span", { text: one, attributes: { "aria-hidden": "true" } }), element("b", { text: word })]);
}

/**
 * Warns at once if a friend's device is not the one that was compared, or if the check failed.
 * @param {Peer} peer
 */
export function watchCode(peer) {
  peer.on("code", (code) => {
    const { name } = peer;
    if (code.state === "broken") toast(t("verify.broken", { name }), { kind: "bad", keep: true });
    else if (knowledge(peer) === "changed") toast(t("verify.changed", { name }), { kind: "warn", keep: true });
  });
}

/** @param {Peer} peer @returns {"known" | "changed" | "new"} */
function knowledge(peer) {
  const { email } = peer.person;
  const { theirs } = peer.verification;
  return email && theirs ? recognise(email, theirs) : "new";
}
