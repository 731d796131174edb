/**
 * Somebody else than the friend is in a call between friends: says who, and asks whether to talk to them. Loaded only when that
 * happens.
 */
import { loadTexts, t } from "../i18n.js";
import { ask } from "../ui/ask.js";
import { named } from "../ui/people.js";

await loadTexts("trouble");

/**
 * @param {import("../call/call.js").Call} call
 * @param {import("../call/peer.js").Peer} peer who gets nothing until the answer
 * @param {{ to: string, name: string }} friend whom the call is with
 * @returns {Promise<boolean>} whether to stay in the call
 */
export async function askAbout(call, peer, friend) {
  if (!call.peers.includes(peer)) return true;
  const gone = new AbortController();
  const end = call.on("gone", (one) => { if (one === peer) gone.abort(); });
  const { email } = peer.person;
  const alone = call.audience.length === 0;
  const yes = await ask({
    title: t("trouble.stranger", { name: friend.name }),
    text: t("trouble.stranger.more", { other: email ? `${peer.name} (${email})` : named(peer.person), name: friend.name, email: friend.to }),
    yes: t("trouble.stranger.yes"), no: t(alone ? "call.leave" : "trouble.stranger.no"), danger: true, until: gone.signal,
  });
  end();
  if (gone.signal.aborted) return true;
  if (yes) peer.approve();
  return yes || !alone;
}
