/**
 * This browser's certificate for calls, kept for a year so that friends can recognise it, and what was compared with
 * friends before. Guests get a new one each time, so nothing links their calls.
 */
import { keep, kept } from "../storage.js";

const DATABASE = "peersync";
const STORE = "certificates";
const LIFETIME_MS = 365 * 24 * 3600 * 1000;
const RENEW_MS = 7 * 24 * 3600 * 1000;
const COMPARED_KEY = "peersync.compared";
/** @type {EcKeyGenParams} */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

/**
 * @param {string} owner the user's address: two users of one browser have two certificates
 * @returns {Promise<RTCCertificate | undefined>} undefined if the browser cannot keep one; calls work without it
 */
export async function ownCertificate(owner) {
  try {
    const database = await open();
    try {
      const kept = await request(database.transaction(STORE).objectStore(STORE).get(owner));
      if (kept instanceof RTCCertificate && kept.expires > Date.now() + RENEW_MS) return kept;
      const made = await RTCPeerConnection.generateCertificate(/** @type {any} */ ({ ...ALGORITHM, expires: LIFETIME_MS }));
      await request(database.transaction(STORE, "readwrite").objectStore(STORE).put(made, owner));
      return made;
    } finally {
      database.close();
    }
  } catch (error) {
    console.debug("certificate:", error);
    return undefined;
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(STORE));
  return request(opening);
}

/**
 * @template T
 * @param {IDBRequest<T>} asked
 * @returns {Promise<T>}
 */
function request(asked) {
  return new Promise((resolve, reject) => {
    asked.addEventListener("success", () => resolve(asked.result));
    asked.addEventListener("error", () => reject(asked.error ?? new Error("The browser's database failed.")));
  });
}

/** @returns {Record<string, string>} fingerprint by address */
function compared() {
  try {
    const found = JSON.parse(kept(COMPARED_KEY) ?? "{}");
    return typeof found === "object" && found !== null ? found : {};
  } catch {
    return {};
  }
}

/**
 * Returns what is known about a friend's device.
 * @param {string} email
 * @param {string} fingerprint
 * @returns {"known" | "changed" | "new"}
 */
export function recognise(email, fingerprint) {
  const all = compared();
  if (!Object.hasOwn(all, email)) return "new";
  return all[email] === fingerprint ? "known" : "changed";
}

/**
 * Remembers that the user confirmed the four emoji as the same.
 * @param {string} email
 * @param {string} fingerprint
 */
export function rememberCompared(email, fingerprint) {
  keep(COMPARED_KEY, JSON.stringify({ ...compared(), [email]: fingerprint }));
}
