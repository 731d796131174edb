/** Calling a friend: rings until they answer, the server gives up, or the caller does. */
import { button } from "../dom.js";
import { t } from "../i18n.js";
import { announce } from "../ui/notices.js";
import { loop } from "../ui/attention.js";

/** The server ends a ring after 45 s; this limit applies if the server went away meanwhile. */
const LONGEST_MS = 60_000;
/** @type {Record<string, import("../i18n.js").TextKey>} */
const ERRORS = { not_friends: "ring.notfriends", forbidden: "ring.notfriends", ring_over: "ring.noanswer" };

export class Outgoing {
  #running;
  #friend;
  #finish;
  #ringing = true;
  #stopSound;
  #timer;

  /**
   * @param {import("./running.js").Running} running
   * @param {{ email: string, name: string, room: string }} friend
   * @param {(why: string) => void} finish ends the call with these words
   */
  constructor(running, friend, finish) {
    this.#running = running;
    this.#friend = friend;
    this.#finish = finish;
    this.#stopSound = loop("outgoing", 3000);
    this.#timer = setTimeout(() => this.#give("ring.noanswer"), LONGEST_MS);
    const text = t("ring.calling", { name: friend.name });
    const hangUp = button(t("ring.hangup"), () => this.#give("ring.cancelled"), { class: "danger", icon: "leave" });
    running.screen?.stage.setEmpty(text, "", [hangUp]);
    announce(text);
    // Also after losing the server while ringing: it rings once per room, however often it is asked.
    running.call.on("joined", () => { if (this.#ringing) running.call.link.send({ type: "ring", to: friend.email, room: friend.room }); });
    running.call.on("peer", (peer) => { if (peer.approved) this.#answered(); });
  }

  /** @param {import("../call/signaling.js").Message} message @returns {boolean} whether it was about this ring */
  receive(message) {
    if (message.type === "error" && message.about === "ring" && this.#ringing) {
      this.#give(ERRORS[message.code] ?? "ring.unavailable");
      return true;
    }
    if (!("room" in message) || message.room !== this.#friend.room) return false;
    switch (message.type) {
      case "accepted":
        this.#answered();
        return true;
      case "rejected":
        this.#give("ring.rejected");
        return true;
      case "missed":
        this.#give("ring.noanswer");
        return true;
      case "ringing":
        if (this.#ringing) this.#running.screen?.stage.note(message.online ? "" : t("ring.away", { name: this.#friend.name }));
        return true;
      default:
        return false;
    }
  }

  /** The call is over, whoever ended it: stop ringing a friend who is still being called. */
  stop() {
    if (this.#ringing) this.#running.call.link.send({ type: "ring-cancel", room: this.#friend.room });
    this.#quiet();
  }

  #answered() {
    if (!this.#ringing) return;
    this.#quiet();
    this.#running.screen?.stage.setEmpty(t("call.connecting", { name: this.#friend.name }), "", []);
  }

  #quiet() {
    this.#ringing = false;
    this.#stopSound();
    clearTimeout(this.#timer);
  }

  /** @param {import("../i18n.js").TextKey} why */
  #give(why) {
    if (!this.#ringing) return;
    if (why === "ring.cancelled" || why === "ring.noanswer") this.#running.call.link.send({ type: "ring-cancel", room: this.#friend.room });
    this.#quiet();
    this.#finish(t(why, { name: this.#friend.name }));
  }
}
