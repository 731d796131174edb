/** The home page: friends, requests, search and rooms. */
import { api } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { goTo, requireUser } from "../session.js";
import { startAccount } from "../home/account.js";
import { FriendList } from "../home/friends.js";
import { startSearch } from "../home/search.js";
import { startRooms } from "../home/rooms.js";
import { prepareNotices } from "../ui/notices.js";
import { dressFace } from "../ui/people.js";
import { Presence } from "../home/presence.js";

export async function start() {
  prepareNotices();
  const user = await requireUser();
  if (!user) return;
  showUser(user);
  const friends = new FriendList();
  startAccount(user, showUser);
  startSearch(() => void friends.reload());
  startRooms(user);
  const presence = new Presence(friends);
  byId("signout", HTMLButtonElement).addEventListener("click", () => { presence.stop(); void signOut(); });
  presence.start();
  await friends.reload();
}

/** @param {import("../api.js").User} user */
function showUser(user) {
  byId("greeting", HTMLElement).textContent = t("home.hello", { name: user.name });
  byId("my-name", HTMLElement).textContent = user.name;
  dressFace(byId("my-face", HTMLElement), user.name, user.email);
}

async function signOut() {
  localStorage.removeItem("peersync.signed-in");
  await api.logout().catch(() => undefined);
  goTo("index.html");
}
