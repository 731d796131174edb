/** Who is signed in, and where to go when nobody is. */
import { api, ApiError } from "./api.js";

const ASKED_KEY = "peersync.asked";
/** What a click on one page consented to on the next: a call with somebody, with camera and microphone. */
export const CALL_KEY = "peersync.call";

/** @returns {Promise<import("./api.js").User | undefined>} undefined if nobody is signed in */
export async function whoAmI() {
  try {
    return await api.me();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return undefined;
    throw error;
  }
}

/**
 * Returns the user, or redirects to the sign-in page and returns undefined.
 * @returns {Promise<import("./api.js").User | undefined>}
 */
export async function requireUser() {
  const user = await whoAmI();
  if (!user) goTo(`login.html?next=${encodeURIComponent(here())}`);
  return user;
}

/** Returns this page as a relative address: file name, query and fragment. */
function here() {
  const file = location.pathname.split("/").pop() || "home.html";
  return file + location.search + location.hash;
}

/**
 * Returns where to go after signing in. Only our own pages are allowed, to avoid an open redirect.
 * @param {string} search
 */
export function nextPage(search) {
  const next = new URLSearchParams(search).get("next") ?? "";
  return /^(home|room|friendcall|friendre1)\.html([?#]|$)/.test(next) ? next : "home.html";
}

/** @param {string} page relative address */
export function goTo(page) {
  location.assign(page);
}

/**
 * Remembers what this browser asked for, until the link in the email is opened in it.
 * @param {{ email: string, next: string, match?: string }} asked
 */
export function rememberAsked(asked) {
  localStorage.setItem(ASKED_KEY, JSON.stringify(asked));
}

/** @returns {{ email: string, next: string, match?: string } | undefined} */
export function recallAsked() {
  try {
    return JSON.parse(localStorage.getItem(ASKED_KEY) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

export function forgetAsked() {
  localStorage.removeItem(ASKED_KEY);
}
