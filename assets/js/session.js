/** Who is signed in, and where to go when nobody is. */
import { api, ApiError } from "./api.js";

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
  if (!user) signIn();
  return user;
}

/**
 * Goes to the sign-in page, and back here afterwards.
 * @param {boolean} [out] whether somebody was signed in until now, which the page then says
 */
export function signIn(out = false) {
  goTo(`login.html?next=${encodeURIComponent(here())}${out ? "&out" : ""}`);
}

/** Returns this page as a relative address: file name, query and fragment. */
function here() {
  const file = location.pathname.split("/").pop() || "home.html";
  return file + location.search + location.hash;
}

/** @param {string} page relative address */
export function goTo(page) {
  dispatchEvent(new Event("goto"));
  location.assign(page);
}
