/** Makes text from others harmless before it is shown, and before it names a file. */

/** Control characters, direction overrides and invisible separators, which do not belong in a name or a line. */
const INVISIBLE = /[\p{Cc}\p{Cs}\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]/gu;
/** More marks on one letter than any language needs: they would overlap the lines around it. */
const PILED_MARKS = /(\p{M}{4})\p{M}+/gu;
/** Characters that are special to file systems or shells. */
const NOT_IN_FILE_NAMES = /[\\/:*?"<>|]/g;
/** The maximum length of a person's or room's name, in characters; the API has the same limit. */
export const LONGEST_NAME = 64;
const LONGEST_FILE_NAME = 120;
const LONGEST_EXTENSION = 12;

/**
 * Reduces text to one line, without characters that reverse or hide text.
 * @param {unknown} value
 * @param {number} longest characters
 * @returns {string}
 */
export function cleanLine(value, longest) {
  if (typeof value !== "string") return "";
  const line = value.slice(0, longest * 4).replace(/\s+/gu, " ").replace(INVISIBLE, "").replace(PILED_MARKS, "$1").trim();
  return [...line].slice(0, longest).join("");
}

/**
 * Cleans text of several lines, for a chat.
 * @param {unknown} value
 * @param {number} longest characters
 * @returns {string}
 */
export function cleanText(value, longest) {
  if (typeof value !== "string") return "";
  const lines = value.slice(0, longest * 2).split(/\r\n|\r|\n/u).map((line) => cleanLine(line, longest));
  return [...lines.join("\n").replace(/\n{3,}/gu, "\n\n").trim()].slice(0, longest).join("");
}

/**
 * Returns a safe name for a received file: no path, not hidden, with the extension visible.
 * @param {unknown} value
 * @returns {string}
 */
export function safeFileName(value) {
  const line = cleanLine(value, 1000).replace(NOT_IN_FILE_NAMES, "_").replace(/^[.\s]+|[.\s]+$/gu, "");
  if (line === "") return "file";
  const characters = [...line];
  if (characters.length <= LONGEST_FILE_NAME) return line;
  const dot = characters.lastIndexOf(".");
  const extension = dot > 0 && characters.length - dot <= LONGEST_EXTENSION ? characters.slice(dot) : [];
  return [...characters.slice(0, LONGEST_FILE_NAME - extension.length), ...extension].join("");
}

/**
 * Returns whether two email addresses are one. Case does not matter, nor whether a domain is written in Unicode.
 * @param {string} one
 * @param {string} other
 */
export function sameAddress(one, other) {
  return addressKey(one) === addressKey(other);
}

/** @param {string} address @returns {string} the same for each of its spellings */
export function addressKey(address) {
  const domain = address.lastIndexOf("@") + 1;
  try {
    return address.slice(0, domain).toLowerCase() + new URL(`http://${address.slice(domain)}`).hostname;
  } catch {
    return address.toLowerCase();
  }
}

/**
 * Splits text at the web addresses in it. One that names a user is none: it looks like the address of another site.
 * @param {string} text
 * @returns {Array<{ text: string, href?: string }>}
 */
export function parts(text) {
  // Every second one is an address: it has brackets only in pairs, and does not end like a sentence.
  return text.split(/(\bhttps?:\/\/(?:\([^\s<>"()]*\)|[^\s<>"()])*(?:\([^\s<>"()]*\)|[^\s<>"().,:;!?'»”’]))/iu).map((part, index) => {
    try {
      const { href, username, password } = new URL(index % 2 ? part : "");
      return username + password ? { text: part } : { text: part, href };
    } catch {
      return { text: part };
    }
  });
}

/**
 * @param {number} bytes
 * @returns {string} such as "3.2 MB" or "5 bytes", in the reader's number format
 */
export function fileSize(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return new Intl.NumberFormat(undefined, {
    style: "unit", unit: units[step] ?? "byte", unitDisplay: step === 0 ? "long" : "short", maximumFractionDigits: step > 1 ? 1 : 0,
  }).format(bytes / 1000 ** step);
}

/**
 * Returns the room id from pasted text: a whole link or the id alone.
 * @param {string} text
 * @returns {string | undefined}
 */
export function roomOf(text) {
  return /(?:^|[#=/])([\w-]{20,64})$/.exec(text.trim())?.[1];
}
