/** The application's API: one function a route, one kind of error. */
import { loadConfig } from "./config.js";

/**
 * @typedef {{ email: string, name: string, hidden?: boolean }} User
 * @typedef {{ email: string, name: string, online?: boolean }} Friend
 * @typedef {{ id?: string, name: string, email: string, status?: string }} Found
 * @typedef {{ id: string, name: string, locked?: boolean, owner?: boolean, expiresAt?: number, capacity?: number }} Room
 * @typedef {{ url: string, ticket: string, iceServers: RTCIceServer[], ttl?: number }} Ticket
 */

/** What the server refused, or that it could not be reached (status 0, code "offline"). */
export class ApiError extends Error {
  /**
   * @param {number} status HTTP status, 0 where there was no answer
   * @param {string} code
   * @param {string} message
   * @param {number} [retryAfter] seconds to wait, where the server said so
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

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
async function call(method, path, body) {
  const { api } = await loadConfig();
  /** @type {RequestInit} */
  const request = { method, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(TIME_LIMIT_MS) };
  if (method !== "GET") {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(api + path, request);
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
  /** @param {{ name: string, email: string }} who */
  signup: (who) => call("POST", "/signup", who),
  /** @param {string} email */
  login: (email) => call("POST", "/login", { email }),
  /** @param {Record<string, string>} proof */
  verify: (proof) => call("POST", "/login/verify", proof),
  /** @param {{ everywhere?: boolean }} [how] */
  logout: (how = {}) => call("POST", "/logout", how),
  /** @returns {Promise<User>} */
  me: async () => { const answer = await call("GET", "/me"); return answer.user ?? answer; },
  /** @param {{ name?: string, hidden?: boolean }} change */
  changeMe: (change) => call("PATCH", "/me", change),
  deleteMe: () => call("DELETE", "/me"),
  /** @param {string} query @returns {Promise<Found[]>} */
  users: async (query) => (await call("GET", `/users?query=${part(query)}`)).users ?? [],
  /** @param {Record<string, string>} whom */
  requestFriend: (whom) => call("POST", "/send-friend-request", whom),
  /** @param {{ action: "accept" | "reject", fromEmail?: string, token?: string }} answer */
  respond: (answer) => call("POST", "/respond-friend-request", answer),
  /** @returns {Promise<Friend[]>} */
  friends: async () => (await call("GET", "/friends")).friends ?? [],
  friendRequests: () => call("GET", "/friend-requests"),
  /** @param {string} email */
  removeFriend: (email) => call("DELETE", `/friends/${part(email)}`),
  /** @param {string} email */
  block: (email) => call("POST", "/block", { email }),
  /** @param {string} name @returns {Promise<Room>} */
  createRoom: async (name) => { const answer = await call("POST", "/create-room", { name }); return answer.room ?? answer; },
  /** @param {string} id @returns {Promise<Room>} */
  room: async (id) => { const answer = await call("GET", `/room/${part(id)}`); return answer.room ?? answer; },
  /** @param {{ room?: string, name?: string }} [what] @returns {Promise<Ticket>} */
  ticket: (what = {}) => call("POST", "/ticket", what),
};
