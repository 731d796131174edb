/**
 * Prepares a call at the computer of the product: node clerk.js URL room prints the path of a new room, and
 * node clerk.js URL code EMAIL the newest sign-in code for that address.
 *
 * The certificate is the one that `local --https` has made for itself, so nothing is checked: NODE_TLS_REJECT_UNAUTHORIZED
 * is 0 in the environment of this program.
 */
import assert from "node:assert/strict";

const PATIENCE_MS = 15_000;
const [url = "", what = "room", address = `host-${process.pid}@example.org`] = process.argv.slice(2);

/**
 * @param {string} route
 * @param {unknown} body
 * @param {string} [cookie]
 */
async function post(route, body, cookie = "") {
  const headers = { "content-type": "application/json", origin: new URL(url).origin, cookie };
  const response = await fetch(`${url}/api${route}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${route}: ${response.status} ${text}`);
  const cookies = response.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
  return { cookies, body: text ? JSON.parse(text) : {} };
}

/** @param {string} email */
async function code(email) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    /** @type {{ to: string, text: string, received_at: string }[]} */
    const mails = await (await fetch(`${url}/_mail/messages.json`)).json();
    const newest = mails.filter(({ to }) => to.includes(email)).sort((a, b) => b.received_at.localeCompare(a.received_at))[0];
    const found = /\b(\d{3})\s?(\d{3})\b/.exec(newest?.text ?? "");
    if (found) return `${found[1]}${found[2]}`;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no code for ${email} within ${PATIENCE_MS / 1000} s`);
}

/** @param {string} email @returns {Promise<string>} the path of the room */
async function room(email) {
  await post("/signup", { name: "Hanna", email });
  const { cookies } = await post("/login/verify", { email, code: await code(email) });
  const { body } = await post("/create-room", { name: "Harbour talk" }, cookies);
  return `/room.html#${body.id}`;
}

console.log(await (what === "code" ? code : room)(address));
