/** The application's API: one function per route, one kind of error. */

/**
 * @typedef {{ email: string, name: string, hidden: boolean }} User hidden: left out of searches by name
 * @typedef {{ email: string, name: string }} Friend or somebody who would like to be one
 * @typedef {{ id: string, name: string, email: string, status: string }} Found
 *   email: masked, unless it was searched for; id: used in its place; status: from the user's own list, or "none"
 * @typedef {{ id: string, name: string, locked: boolean, owner: boolean, expiresAt: number, capacity: number }} Room
 * @typedef {{ url: string, ticket: string, iceServers: RTCIceServer[], ttl: number }} Ticket
 *   ttl: lifetime of the credentials in iceServers, in seconds
 * @typedef {{ match: number, mailSent: boolean }} Mailed match: to be typed if the link is opened in another browser
 */

/** A refusal by the server, or the failure to reach it (status 0, code "offline"). */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status, 0 if there was no answer
   * @param {string} code
   * @param {string} message
   * @param {number} [retryAfter] seconds to wait, if the server gave them
   */
  constructor(status, code, message, retryAfter) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const TIME_LIMIT_MS = 15_000;

/** @typedef {{ api?: string, signal?: string }} Config the addresses of the API and of the WebSocket */

/** @type {Promise<Config> | undefined} */
let known;

/** @returns {Promise<Config>} fetched once per page */
function config() {
  known ??= fetchConfig().catch((error) => {
    known = undefined;
    throw error;
  });
  return known;
}

async function fetchConfig() {
  const response = await fetch("config.json", { credentials: "same-origin" });
  if (!response.ok) throw new Error(`config.json: status ${response.status}`);
  return response.json();
}

/**
 * If the WebSocket is on the origin of the pages, it is on the one from where this page was opened.
 * @param {string} [path]
 */
function socketUrl(path) {
  return path?.startsWith("/") ? location.origin.replace("http", "ws") + path : undefined;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
async function call(method, path, body) {
  /** @type {RequestInit} */
  const request = { method, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(TIME_LIMIT_MS) };
  if (method !== "GET") {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(((await config()).api ?? "/api") + path, request);
  } catch (cause) {
    throw new ApiError(0, "offline", cause instanceof Error ? cause.message : "no answer");
  }
  const text = await response.text();
  const answer = parse(text);
  if (!response.ok) {
    const error = answer?.error ?? {};
    const wait = Number(response.headers.get("retry-after"));
    throw new ApiError(response.status, String(error.code ?? `http_${response.status}`),
      String(error.message ?? response.statusText), Number.isFinite(wait) && wait > 0 ? wait : undefined);
  }
  return answer;
}

/** @param {string} text */
function parse(text) {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return {};
  }
}

/** @param {string} value */
const part = (value) => encodeURIComponent(value);

export const api = {
  /** @param {{ name: string, email: string }} who @returns {Promise<Mailed>} */
  signup: (who) => call("POST", "/signup", who),
  /** @param {string} email @returns {Promise<Mailed>} */
  login: (email) => call("POST", "/login", { email }),
  /** @param {Record<string, string>} proof */
  verify: (proof) => call("POST", "/login/verify", proof),
  /** @param {{ everywhere?: boolean }} [how] */
  logout: (how = {}) => call("POST", "/logout", how),
  /** @returns {Promise<User>} */
  me: () => call("GET", "/me"),
  /** @param {{ name?: string, hidden?: boolean }} change */
  changeMe: (change) => call("PATCH", "/me", change),
  deleteMe: () => call("DELETE", "/me"),
  /** @param {string} query @returns {Promise<Found[]>} */
  users: async (query) => (await call("GET", `/users?query=${part(query)}`)).users,
  /** @param {Record<string, string>} whom */
  requestFriend: (whom) => call("POST", "/send-friend-request", whom),
  /** @param {{ action: "accept" | "reject", fromEmail?: string, token?: string }} answer */
  respond: (answer) => call("POST", "/respond-friend-request", answer),
  /** @param {string} token of a mailed link @returns {Promise<{ email: string, name: string }>} who asks */
  look: (token) => call("POST", "/look-friend-request", { token }),
  /** @returns {Promise<Friend[]>} */
  friends: async () => (await call("GET", "/friends")).friends,
  /** @returns {Promise<Friend[]>} */
  friendRequests: async () => (await call("GET", "/friend-requests")).requests,
  /** @param {string} email */
  removeFriend: (email) => call("DELETE", `/friends/${part(email)}`),
  /** @param {string} email */
  block: (email) => call("POST", "/block", { email }),
  /** @param {string} name @returns {Promise<Room>} */
  createRoom: (name) => call("POST", "/create-room", { name }),
  /** @param {string} id @returns {Promise<Room>} */
  room: (id) => call("GET", `/room/${part(id)}`),
  /** @param {{ room?: string, name?: string }} [what] @returns {Promise<Ticket>} */
  ticket: async (what = {}) => {
    const ticket = await call("POST", "/ticket", what);
    return { ...ticket, url: socketUrl((await config()).signal) ?? ticket.url };
  },
  /** @param {Record<string, string>} what why two people cannot connect, see POST /reports */
  report: (what) => call("POST", "/reports", what),
};
