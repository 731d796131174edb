/** A room by its link: for people with an account and for guests. */
import { api, ApiError } from "../api.js";
import { button, byId } from "../dom.js";
import { t } from "../i18n.js";
import { whoAmI } from "../session.js";
import { LocalMedia } from "../call/media.js";
import { keep, kept } from "../storage.js";
import { cleanLine, LONGEST_NAME, roomOf } from "../text.js";
import { errorText, prepareNotices, toast } from "../ui/notices.js";
import { linkButton, Lobby, setLobbyTitle, showEnded, tellLateness } from "../view/lobby.js";

/** The call's modules load when somebody is about to join, so that the page appears sooner. */
const loadCall = () => import("../view/running.js");
const NAME_KEY = "peersync.guest";
/** How long nobody types before the name is taken for complete. */
const TYPED_MS = 400;
/** @typedef {import("../view/running.js").Running} Running */
/** @type {Record<string, import("../i18n.js").TextKey>} */
const REFUSALS = { room_full: "room.full", not_admitted: "room.refused", room_not_found: "room.gone", not_found: "room.gone" };

export async function start() {
  prepareNotices();
  const id = roomOf(location.hash) ?? roomOf(location.search);
  if (!id) {
    gone();
    return;
  }
  // Another link pasted into the address bar is another room.
  addEventListener("hashchange", () => location.reload());
  try {
    const [user, room] = await Promise.all([whoAmI(), api.room(id)]);
    enter(id, cleanLine(room.name, LONGEST_NAME), user);
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 400)) gone();
    else showEnded({ title: errorText(error), actions: [button(t("common.again"), () => location.reload(), { class: "primary" })] });
  }
}

function gone() {
  showEnded({ title: t("room.gone"), actions: [linkButton(t("call.start"), "index.html", "primary")] });
}

/**
 * @param {string} id
 * @param {string} title
 * @param {import("../api.js").User | undefined} user
 */
function enter(id, title, user) {
  const field = byId("name", HTMLInputElement);
  byId("name-field", HTMLElement).hidden = user !== undefined;
  field.required = user === undefined;
  field.value = user?.name ?? kept(NAME_KEY) ?? "";
  byId("lobby-as", HTMLElement).textContent = user ? t("room.asuser", { name: user.name }) : t("room.asguest");
  setLobbyTitle(title || t("room.title"));
  byId("lobby", HTMLElement).hidden = false;
  const media = new LocalMedia();
  /** What was prepared for a name. @type {{ name: string, running: Promise<Running> } | undefined} */
  let ahead;
  const prepare = (/** @type {string} */ name) => {
    if (ahead?.name === name) return ahead.running;
    void ahead?.running.then((other) => other.discard(), () => undefined);
    const running = begin({ id, title: title || t("room.title"), name, user, media, onEnd: (ended) => { lobby.close(); left(ended, user); } });
    running.catch(() => { ahead = undefined; });
    ahead = { name, running };
    return running;
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  /** What takes time and needs no consent is done before the click. */
  const prepareSoon = async () => {
    const name = user?.name ?? cleanLine(field.value, LONGEST_NAME);
    await (name ? prepare(name) : loadCall());
  };
  const lobby = new Lobby(media, async (values) => {
    const name = user?.name ?? cleanLine(values.name, LONGEST_NAME);
    if (!user) keep(NAME_KEY, name);
    clearTimeout(typing);
    const [running] = await Promise.all([prepare(name), lobby.open()]);
    ahead = undefined;
    await join(running, lobby);
  }, prepareSoon);
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => void prepareSoon().catch(() => undefined), TYPED_MS);
  });
}

/**
 * Connects to the server, but does not enter the room yet.
 * @param {{ id: string, title: string, name: string, user: import("../api.js").User | undefined, media: LocalMedia,
 *   onEnd: (running: Running) => void }} what
 * @returns {Promise<Running>}
 */
async function begin({ id, title, name, user, media, onEnd }) {
  const { Running } = await loadCall();
  const running = await Running.prepare({
    room: id, title, name, user, media, link: `${location.origin}${location.pathname}#${id}`,
    fetchTicket: () => api.ticket(user ? { room: id } : { room: id, name }),
    nameOf: (email) => email, onEnd,
  });
  running.call.connect();
  return running;
}

/**
 * @param {Running} running
 * @param {Lobby} lobby
 */
async function join(running, lobby) {
  const { call } = running;
  /** @type {Promise<void>} */
  const settled = new Promise((resolve) => {
    call.on("joined", () => { lobby.close(); running.show(); resolve(); });
    call.on("refused", ({ code }) => {
      const why = t(REFUSALS[code] ?? "error.unknown");
      // Alone in a room that ended while the server was away: the call is over.
      if (running.screen) {
        running.end();
        toast(why, { kind: "warn", keep: true });
      } else {
        call.leave();
        showWaiting(false);
        // Text in a region that was hidden until now is not read out, so wait a frame.
        requestAnimationFrame(() => lobby.showStatus(why));
      }
      resolve();
    });
  });
  call.on("knocking", () => { lobby.showStatus(""); showWaiting(true); });
  byId("waiting-stop", HTMLButtonElement).onclick = () => location.reload();
  lobby.showStatus(t("lobby.server"));
  // The lobby is gone once we are inside, where the link may open again.
  call.on("link", (state) => { if (state === "open" && !running.screen) lobby.showStatus(t("lobby.room")); });
  tellLateness(call, (text) => lobby.showStatus(text));
  call.start();
  await settled;
}

/**
 * Replaces the lobby while we wait to be let in.
 * @param {boolean} waiting
 */
function showWaiting(waiting) {
  byId("waiting", HTMLElement).hidden = !waiting;
  byId("lobby", HTMLElement).hidden = waiting;
  if (waiting) byId("waiting-title", HTMLElement).focus();
}

/**
 * @param {Running} running
 * @param {import("../api.js").User | undefined} user
 */
function left(running, user) {
  const time = running.screen?.time ?? "";
  showEnded({
    title: t("call.ended"), text: time ? t("call.ended.more", { time }) : "",
    actions: [
      button(t("call.rejoin"), () => location.reload(), { class: "primary" }),
      user ? linkButton(t("call.home"), "home.html") : linkButton(t("call.start"), "index.html"),
    ],
  });
}
