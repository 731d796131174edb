/** Tests of the pages' texts and structure, without a browser. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

const ASSETS = new URL("../../../assets/", import.meta.url);
const pages = (await readdir(ASSETS)).filter((name) => name.endsWith(".html"));
const read = (/** @type {string} */ path) => readFile(new URL(path, ASSETS), "utf8");
/** The parts of the texts, and which pages load them beside "shared". @type {Record<string, string[]>} */
const PARTS = {
  shared: [], start: ["404.html", "index.html", "signup.html", "login.html", "friendre1.html"], home: ["home.html"], call: ["room.html", "friendcall.html"],
  trouble: ["room.html", "friendcall.html"],
};

/**
 * @param {string} language
 * @returns {Promise<Record<string, Record<string, string>>>} texts by part
 */
const catalogue = async (language) => Object.fromEntries(await Promise.all(Object.keys(PARTS).map(async (part) =>
  [part, (await import(new URL(`js/texts/${language}/${part}.js`, ASSETS).href)).default])));
const english = await catalogue("en");
const german = await catalogue("de");
/** @type {Record<string, string>} */
const en = Object.assign({}, ...Object.values(english));

test("both languages have the same texts with the same placeholders, each in one part", () => {
  assert.equal(Object.keys(en).length, Object.values(english).flatMap(Object.keys).length);
  const places = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();
  for (const [part, texts] of Object.entries(english)) {
    assert.deepEqual(Object.keys(german[part] ?? {}).sort(), Object.keys(texts).sort());
    for (const [key, text] of Object.entries(texts)) assert.deepEqual(places(german[part]?.[key] ?? ""), places(text), key);
  }
});

test("every marked text of a page is in the catalogue and matches it in English", async () => {
  for (const page of pages) {
    const html = await read(page);
    for (const [, key = "", words = ""] of html.matchAll(/data-text="([^"]+)"[^>]*>([^<]*)</g)) {
      assert.equal(words.replaceAll("&amp;", "&"), en[key], `${page}: ${key}`);
    }
    for (const [, key = ""] of html.matchAll(/data-(?:label|placeholder)="([^"]+)"/g)) assert.ok(Object.hasOwn(en, key), `${page}: ${key}`);
  }
});

test("every text of the catalogue is used", async () => {
  const scripts = await Promise.all((await readdir(new URL("js/", ASSETS), { recursive: true })).filter((name) => name.endsWith(".js") && !name.startsWith("texts")).map((name) => read(`js/${name}`)));
  const all = [...scripts, ...(await Promise.all(pages.map(read)))].join("\n");
  const made = /^(error\.|quality\.(good|fair|poor|lost|connecting)$|devices\.(camera|microphone|speaker)$|media\.refused\.|shortcuts\.|trouble\.|who\.(guest|stranger)$)/;
  const unused = Object.keys(en).filter((key) => !all.includes(`"${key}"`) && !made.test(key));
  assert.deepEqual(unused, []);
});

test("no page has inline scripts or styles, or third-party content", async () => {
  for (const page of pages) {
    const html = await read(page);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|javascript:|https?:\/\//i, page);
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/i, page);
  }
});

/**
 * Returns a page and all scripts that it may load.
 * @param {string} page
 */
async function loaded(page) {
  const html = await read(page);
  const name = /data-page="(\w+)"/.exec(html)?.[1];
  const scripts = new Map([[page, html]]);
  const queue = ["js/i18n.js", ...(name === "missing" ? [] : [`js/pages/${name}.js`])];
  while (queue.length > 0) {
    const path = queue.pop() ?? "";
    if (scripts.has(path)) continue;
    const script = await read(path);
    scripts.set(path, script);
    const code = script.replaceAll(/\/\*\*[^]*?\*\//g, "");
    for (const [, target = ""] of code.matchAll(/(?:from |^import |import\()"(\.[^"]+)"/gm)) queue.push(new URL(target, new URL(path, "http://x/")).pathname.slice(1));
  }
  return [...scripts.values()].join("\n");
}

test("no page uses a text of a part that it does not load", async () => {
  for (const page of pages) {
    const all = await loaded(page);
    for (const [other, texts] of Object.entries(english)) {
      if (other === "shared" || PARTS[other]?.includes(page)) continue;
      assert.deepEqual(Object.keys(texts).filter((key) => all.includes(`"${key}"`)), [], `${page} uses texts of "${other}"`);
    }
  }
});

test("accessible names and page file names that tests rely on", () => {
  const names = ["Name", "Email", "Sign up", "Email me a link", "Continue", "Sign out", "New room", "Join room", "Call {name}", "Accept", "Reject",
    "Mute microphone", "Unmute microphone", "Turn camera off", "Turn camera on", "Share screen", "Stop sharing", "Leave", "Find people", "Friends", "You"];
  const texts = new Set(Object.values(en));
  for (const name of names) assert.ok(texts.has(name), name);
});
