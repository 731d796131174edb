/** What this browser asked for before it is signed in: the mail, and where to go afterwards. */

const ASKED_KEY = "peersync.asked";

/**
 * Returns where to go after signing in. Only our own pages are allowed, to avoid an open redirect.
 * @param {string} search
 */
export function nextPage(search) {
  const next = new URLSearchParams(search).get("next") ?? "";
  return /^(home|room|friendcall|friendre1)\.html([?#]|$)/.test(next) ? next : "home.html";
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
