/** Being reachable: the home page's connection to the signaling server, for presence and for rings. */
import { api } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { requireUser, signIn } from "../session.js";
import { SignalingLink } from "../call/signaling.js";
import { watchWaking } from "../call/renewal.js";
import { Rings } from "../ui/rings.js";

/** @type {Record<import("../call/signaling.js").LinkState, import("../i18n.js").TextKey>} */
const WORDS = { connecting: "home.connecting", open: "home.connected", waiting: "home.waiting", closed: "home.waiting" };

/** By then the server has reported who is online. */
const SETTLED_MS = 1000;

export class Presence {
  #link = new SignalingLink(() => api.ticket());
  #friends;

  /** @param {import("./friends.js").FriendList} friends */
  constructor(friends) {
    this.#friends = friends;
  }

  /** Goes offline. */
  stop() {
    this.#link.stop();
  }

  start() {
    const place = byId("presence", HTMLElement);
    const rings = new Rings(this.#link, (email) => this.#friends.nameOf(email));
    this.#link.on("state", (state) => {
      if (state === "connecting" && place.dataset.state === "waiting") return;
      place.dataset.state = state;
      place.textContent = t(WORDS[state]);
    });
    this.#link.on("message", (message) => {
      if (message.type === "presence") this.#friends.setOnline(message.email, message.online);
      else rings.receive(message);
    });
    this.#link.on("welcome", () => setTimeout(() => { if (this.#friends.incomplete) this.#friends.onChanged(); }, SETTLED_MS));
    this.#link.on("refused", ({ code }) => { if (code === "signed_out") signIn(true); else void requireUser(); });
    this.#friends.onChanged = () => { this.#link.send({ type: "friends-changed" }); };
    watchWaking(() => { this.#link.probe(); void this.#friends.reload(); });
    // A page in the back-forward cache is not reachable; once restored, it is.
    addEventListener("pagehide", () => this.#link.stop());
    addEventListener("pageshow", (event) => { if (event.persisted) this.#link.start(); });
    this.#link.start();
  }
}
