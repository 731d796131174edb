/** What we know of a friend's device, and telling when it is another. */
import { t } from "../i18n.js";
import { recognise } from "../call/identity.js";
import { toast } from "../ui/notices.js";

/** @typedef {import("../call/peer.js").Peer} Peer */

/**
 * Tells at once when a friend's device is not the one that was compared, or the check failed.
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
export function knowledge(peer) {
  const { email } = peer.person;
  const { theirs } = peer.verification;
  return email && theirs ? recognise(email, theirs) : "new";
}
