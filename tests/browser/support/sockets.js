/** What a page and the signaling server say to each other, with a test in between. */

/** Runs in the page: keeps its WebSockets, so that a test can say what the server says, or what the page does not. */
export function keepSockets() {
  const own = /** @type {any} */ (window);
  const Native = WebSocket;
  window.WebSocket = class extends Native {
    /** @param {string | URL} url */
    constructor(url) {
      super(url);
      own.socket = this;
    }
  };
}

/**
 * Lets the page receive messages as if the server had sent them: more than its limits let through.
 * @param {import("./people.js").Person} person
 * @param {unknown[]} messages
 */
export const told = (person, messages) => person.page.evaluate((all) => {
  for (const one of all) /** @type {any} */ (window).socket.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(one) }));
}, messages);

/**
 * Sends the server a message of which the page knows nothing.
 * @param {import("./people.js").Person} person
 * @param {unknown} message
 */
export const say = (person, message) => person.page.evaluate((one) => /** @type {any} */ (window).socket.send(JSON.stringify(one)), message);

/**
 * Collects what the page tells the server about how it reached others, from now on.
 * @param {import("./people.js").Person} person
 * @returns {string[]}
 */
export function toldWays({ page }) {
  /** @type {string[]} */
  const ways = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => {
    const message = JSON.parse(String(payload));
    if (message.type === "outcome") ways.push(message.way);
  }));
  return ways;
}
