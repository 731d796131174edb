/** A call between friends: calling, being called, talking. */
import { api, ApiError } from "../api.js";
import { button, byId } from "../dom.js";
import { t } from "../i18n.js";
import { CALL_KEY, requireUser } from "../session.js";
import { LocalMedia } from "../call/media.js";
import { cleanLine, LONGEST_NAME, sameAddress } from "../text.js";
import { errorText, prepareNotices, toast } from "../ui/notices.js";
import { linkButton, Lobby, setLobbyTitle, showEnded, tellLateness } from "../view/lobby.js";
import { problemText } from "../view/devices.js";

/** The call's modules load when it begins, so that the question appears sooner. */
const loadCall = () => Promise.all([import("../view/running.js"), import("../view/outgoing.js")]);
/** A click older than this no longer counts as consent to camera and microphone: the page was restored, not opened. */
const CONSENT_MS = 60_000;
const LONGEST_ADDRESS = 254;

/**
 * @typedef {import("../api.js").User} User
 * @typedef {{ to: string, name: string, room?: string }} Whom name: never from the address; room: of the caller, if we accepted a ring
 */

export async function start() {
  prepareNotices();
  const { whom, consent } = asked();
  if (consent) void loadCall();
  const user = await requireUser();
  if (!user) return;
  if (!whom.to) {
    location.replace("home.html");
    return;
  }
  if (consent) {
    await begin(user, whom);
    return;
  }
  try {
    const friend = (await api.friends()).find(({ email }) => sameAddress(email, whom.to));
    if (friend) ready(user, { ...whom, to: friend.email, name: cleanLine(friend.name, LONGEST_NAME) || friend.email });
    else over(whom, t("ring.notfriends"), false, t("ring.notfriends.more", { email: cleanLine(whom.to, LONGEST_ADDRESS) }));
  } catch (error) {
    showEnded({ title: errorText(error), actions: [button(t("common.again"), () => location.reload(), { class: "primary" })] });
  }
}

/**
 * Returns whom the address names, and whether a click on the previous page just consented. Consent counts once. The name
 * of somebody who was clicked on comes from that page, which had it from the server.
 * @returns {{ whom: Whom, consent: boolean }}
 */
function asked() {
  const query = new URLSearchParams(location.hash.slice(1));
  const to = query.get("to") ?? "";
  const room = query.get("room") ?? undefined;
  /** @type {{ to?: string, name?: string, room?: string, at?: number } | undefined} */
  let note;
  try {
    note = JSON.parse(sessionStorage.getItem(CALL_KEY) ?? "null") ?? undefined;
  } catch {
    note = undefined;
  }
  sessionStorage.removeItem(CALL_KEY);
  const consent = note !== undefined && note.to === to && note.room === room && Date.now() - (note.at ?? 0) < CONSENT_MS;
  return { whom: { to, name: (consent && cleanLine(note?.name, LONGEST_NAME)) || to, ...(room ? { room } : {}) }, consent };
}

/**
 * Asks before any device is opened.
 * @param {User} user
 * @param {Whom} friend
 */
function ready(user, friend) {
  setLobbyTitle(t("ring.ready", { name: friend.name }));
  byId("lobby-as", HTMLElement).textContent = t("ring.ready.more");
  byId("lobby-go", HTMLElement).textContent = friend.room ? t("room.join") : t("friends.call", { name: friend.name });
  byId("lobby", HTMLElement).hidden = false;
  const media = new LocalMedia();
  const lobby = new Lobby(media, async () => {
    await lobby.open();
    lobby.close();
    await call(user, friend, media);
  }, loadCall);
}

/**
 * Starts without asking: the click was on the previous page.
 * @param {User} user
 * @param {Whom} friend
 */
async function begin(user, friend) {
  const media = new LocalMedia();
  const problems = await media.open({ camera: true, microphone: true });
  if (problems.length > 0) void problemText(problems).then((text) => toast(text, { kind: "warn", keep: true }));
  await call(user, friend, media);
}

/**
 * @param {User} user
 * @param {Whom} friend
 * @param {LocalMedia} media
 */
async function call(user, friend, media) {
  let { room } = friend;
  try {
    room ??= (await api.createRoom(t("room.of", { name: user.name }).slice(0, LONGEST_NAME))).id;
  } catch (error) {
    media.stop();
    over(friend, errorText(error), error instanceof ApiError && error.status === 0);
    return;
  }
  /** Why the call ended, if nobody left. */
  let reason = "";
  /** @type {import("../view/outgoing.js").Outgoing | undefined} */
  let outgoing;
  const [{ Running }, { Outgoing }] = await loadCall();
  const running = await Running.prepare({
    room, title: friend.name, name: user.name, user, media,
    fetchTicket: () => api.ticket({ room: String(room) }), nameOf: (email) => (email === friend.to ? friend.name : email),
    expects: ({ email = "" }) => sameAddress(email, friend.to),
    onMessage: (message) => outgoing?.receive(message) ?? false,
    onLeaving: () => outgoing?.stop(),
    onEnd: (ended) => {
      const time = ended.screen?.time ?? "";
      over(friend, reason || t("call.ended"), !friend.room, time ? t("call.ended.more", { time }) : "");
    },
  });
  const finish = (/** @type {string} */ why) => { reason = why; running.end(); };
  const screen = running.show();
  if (friend.room) screen.stage.setEmpty(t("call.connecting", { name: friend.name }), "", []);
  else outgoing = new Outgoing(running, { email: friend.to, name: friend.name, room }, finish);
  // Others than the friend may come and go.
  running.call.on("gone", (peer) => { if (peer.approved && running.call.peers.length === 0) running.end(); });
  running.call.on("peer", async (peer) => {
    if (!peer.approved && !(await (await import("../view/stranger.js")).askAbout(running.call, peer, friend))) running.end();
  });
  running.call.on("refused", ({ code }) => finish(t(code === "room_full" ? "room.full" : code === "room_not_found" ? "room.gone" : "ring.unavailable")));
  tellLateness(running.call, (text) => screen.stage.note(text));
  running.call.on("joined", () => screen.stage.note(""));
  running.call.start();
}

/**
 * @param {Whom} friend
 * @param {string} title
 * @param {boolean} again whether calling again makes sense
 * @param {string} [text]
 */
function over(friend, title, again, text) {
  /** @type {HTMLElement[]} */
  const actions = [linkButton(t("call.home"), "home.html", again ? "" : "primary")];
  if (again) {
    actions.unshift(button(t("call.again"), () => {
      sessionStorage.setItem(CALL_KEY, JSON.stringify({ to: friend.to, name: friend.name, at: Date.now() }));
      location.reload();
    }, { class: "primary", icon: "phone" }));
  }
  showEnded({ title, ...(text ? { text } : {}), actions });
}
