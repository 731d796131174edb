/** Friends and requests: two lists that follow the server. */
import { api } from "../api.js";
import { button, byId, uniqueId } from "../dom.js";
import { t } from "../i18n.js";
import { CALL_KEY, goTo } from "../session.js";
import { addressKey } from "../text.js";
import { openMenu } from "../ui/menu.js";
import { announce, errorText, toast } from "../ui/notices.js";
import { personRow } from "../ui/people.js";

/** @typedef {import("../api.js").Friend} Friend */

export class FriendList {
  #list = byId("friends", HTMLUListElement);
  #none = byId("no-friends", HTMLElement);
  #requests = byId("requests", HTMLUListElement);
  #requestsCard = byId("requests-card", HTMLElement);
  /** @type {Friend[]} */
  #friends = [];
  /** Who the signaling server says is there; it knows better than the API. @type {Map<string, boolean>} */
  #online = new Map();
  /** Names of those whose request was shown, so that a new one is read out once. @type {Set<string> | undefined} */
  #asked;
  /** Called when the signaling server's list of friends may be out of date. */
  onChanged = () => {};

  /** Reloads friends and requests from the server. */
  async reload() {
    try {
      const [friends, requests] = await Promise.all([api.friends(), api.friendRequests()]);
      this.#friends = friends;
      this.#show();
      this.#showRequests(requests);
      if (this.incomplete) this.onChanged();
    } catch (error) {
      toast(errorText(error), { kind: "bad", action: { text: t("common.again"), run: () => void this.reload() } });
    }
  }

  /** Whether the signaling server has not yet reported on some friend: it caches friends for a while. */
  get incomplete() {
    return this.#friends.some(({ email }) => !this.#online.has(addressKey(email)));
  }

  /**
   * @param {string} email
   * @param {boolean} online
   */
  setOnline(email, online) {
    const key = addressKey(email);
    this.#online.set(key, online);
    if (this.#friends.length > 0 && !this.#friends.some((friend) => addressKey(friend.email) === key)) void this.reload();
    else this.#show();
  }

  /** @param {string} email @returns {string} the name, or the address if the person is not known yet */
  nameOf(email) {
    const key = addressKey(email);
    return this.#friends.find((friend) => addressKey(friend.email) === key)?.name ?? email;
  }

  #show() {
    const active = document.activeElement?.closest("li")?.dataset.email;
    const sorted = [...this.#friends].sort((a, b) =>
      Number(this.#isOnline(b)) - Number(this.#isOnline(a)) || a.name.localeCompare(b.name));
    this.#list.replaceChildren(...sorted.map((friend) => this.#row(friend)));
    this.#list.removeAttribute("aria-busy");
    this.#none.hidden = sorted.length > 0;
    if (active) this.#focusRow(active);
  }

  /** @param {string} email */
  #focusRow(email) {
    for (const row of this.#list.children) {
      if (row instanceof HTMLElement && row.dataset.email === email) row.querySelector("button")?.focus();
    }
  }

  /** @param {Friend} friend */
  #isOnline(friend) {
    return this.#online.get(addressKey(friend.email)) ?? false;
  }

  /** @param {Friend} friend */
  #row(friend) {
    const online = this.#isOnline(friend);
    const call = button(t("friends.call", { name: friend.name }), () => callFriend(friend), { class: "primary round", icon: "phone", iconOnly: true });
    const more = button(t("friends.more", { name: friend.name }), () => this.#menu(friend, more), { class: "plain round", icon: "more", iconOnly: true });
    const state = t(online ? "friends.online" : "friends.offline");
    // Only the address tells apart two of the same name.
    const twins = this.#friends.filter(({ name }) => name === friend.name).length > 1;
    const row = personRow({ ...friend, detail: twins ? `${friend.email} · ${state}` : state }, [call, more]);
    row.dataset.email = friend.email;
    row.querySelector(".face")?.setAttribute("data-online", String(online));
    return row;
  }

  /**
   * @param {Friend} friend
   * @param {HTMLElement} anchor
   */
  #menu(friend, anchor) {
    openMenu(anchor, [
      { text: t("friends.remove"), run: () => void this.#change(() => api.removeFriend(friend.email), t("friends.removed", { name: friend.name })) },
      { text: t("friends.block"), bad: true, run: () => void this.#change(() => api.block(friend.email), t("friends.blocked", { name: friend.name })) },
    ]);
  }

  /**
   * @param {() => Promise<unknown>} change
   * @param {string} done
   */
  async #change(change, done) {
    try {
      await change();
      this.onChanged();
      toast(done);
    } catch (error) {
      toast(errorText(error), { kind: "bad" });
    }
    await this.reload();
  }

  /** @param {Friend[]} requests */
  #showRequests(requests) {
    this.#requestsCard.hidden = requests.length === 0;
    this.#requests.replaceChildren(...requests.map((request) => this.#request(request)));
    for (const { email, name } of requests) {
      if (this.#asked && !this.#asked.has(email)) announce(t("requests.new", { name }));
    }
    this.#asked = new Set(requests.map(({ email }) => email));
  }

  /** @param {Friend} request */
  #request({ email, name }) {
    const id = uniqueId("request");
    const answer = (/** @type {"accept" | "reject"} */ action) => () =>
      void this.#change(() => api.respond({ fromEmail: email, action }), t(action === "accept" ? "requests.accepted" : "requests.rejected", { name }));
    const accept = button(t("common.accept"), answer("accept"), { class: "primary" });
    const reject = button(t("common.reject"), answer("reject"));
    const row = personRow({ name, email }, [accept, reject]);
    const label = row.querySelector("b");
    if (label) label.id = id;
    for (const control of [accept, reject]) control.setAttribute("aria-describedby", id);
    row.classList.add("request");
    return row;
  }
}

/**
 * The click on "Call" is the consent to camera and microphone: the next page uses it once.
 * @param {{ email: string, name: string }} friend
 */
function callFriend(friend) {
  sessionStorage.setItem(CALL_KEY, JSON.stringify({ to: friend.email, name: friend.name, at: Date.now() }));
  goTo(`friendcall.html#to=${encodeURIComponent(friend.email)}`);
}
