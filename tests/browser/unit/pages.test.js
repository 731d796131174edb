/** What the pages say and weigh, without a browser. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import de from "../../../assets/js/texts/de.js";
import en from "../../../assets/js/texts/en.js";

const ASSETS = new URL("../../../assets/", import.meta.url);
const pages = (await readdir(ASSETS)).filter((name) => name.endsWith(".html"));
const read = (/** @type {string} */ path) => readFile(new URL(path, ASSETS), "utf8");
/** DESIGN's limit for any page without the picture. */
const HEAVIEST_BYTES = 60 * 1024;

test("both languages have the same texts with the same places in them", () => {
  assert.deepEqual(Object.keys(de).sort(), Object.keys(en).sort());
  const places = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();
  for (const [key, text] of Object.entries(en)) assert.deepEqual(places(/** @type {Record<string, string>} */ (de)[key] ?? ""), places(text), key);
});

test("every text that a page marks is in the catalogue and says the same in English", async () => {
  for (const page of pages) {
    const html = await read(page);
    for (const [, key = "", words = ""] of html.matchAll(/data-text="([^"]+)"[^>]*>([^<]*)</g)) {
      assert.equal(words.replaceAll("&amp;", "&"), /** @type {Record<string, string>} */ (en)[key], `${page}: ${key}`);
    }
    for (const [, key = ""] of html.matchAll(/data-(?:label|placeholder)="([^"]+)"/g)) assert.ok(Object.hasOwn(en, key), `${page}: ${key}`);
  }
});

test("every text of the catalogue is used", async () => {
  const scripts = await Promise.all((await readdir(new URL("js/", ASSETS), { recursive: true })).filter((name) => name.endsWith(".js") && !name.startsWith("texts")).map((name) => read(`js/${name}`)));
  const all = [...scripts, ...(await Promise.all(pages.map(read)))].join("\n");
  const made = /^(error\.|quality\.(good|fair|poor|lost|connecting)$|devices\.(camera|microphone|speaker)$|media\.refused\.|shortcuts\.)/;
  const unused = Object.keys(en).filter((key) => !all.includes(`"${key}"`) && !made.test(key));
  assert.deepEqual(unused, []);
});

test("no page has inline script or style, or anything of somebody else", async () => {
  for (const page of pages) {
    const html = await read(page);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|javascript:|https?:\/\//i, page);
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/i, page);
  }
});

/**
 * Every file that a page loads, script by script.
 * @param {string} page
 * @param {boolean} later whether also what is loaded only when it is needed: the call after joining, and its dialogs
 */
async function loaded(page, later) {
  const html = await read(page);
  const name = /data-page="(\w+)"/.exec(html)?.[1];
  const found = new Set([page, ...[...html.matchAll(/(?:href|src)="\/?([\w/.-]+\.(?:css|js|svg))/g)].map(([, path]) => path ?? "")]);
  const queue = ["main.js", ...(name === "missing" ? [] : [`js/pages/${name}.js`]), "js/texts/de.js"];
  while (queue.length > 0) {
    const path = queue.pop() ?? "";
    found.add(path);
    const script = await read(path);
    const fixed = [...script.matchAll(/^(?:import|export) [^;]*?from "(\.[^"]+)";|^import "(\.[^"]+)"/gm)];
    const dynamic = later && path !== "main.js" ? [...script.replaceAll(/\/\*\*[^]*?\*\//g, "").matchAll(/import\("(\.[^"]+)"\)/g)] : [];
    for (const [, target = ""] of [...fixed, ...dynamic]) {
      const next = new URL(target, new URL(path, "http://x/")).pathname.slice(1);
      if (target !== "" && !found.has(next)) queue.push(next);
    }
  }
  return [...found];
}

/** @param {string[]} files */
async function weight(files) {
  let sum = 0;
  for (const file of files) sum += gzipSync(await read(file)).length;
  return sum;
}

test("no page weighs more than 60 KB compressed, the picture aside", async () => {
  for (const page of pages) {
    const [now, all] = [await weight(await loaded(page, false)), await weight(await loaded(page, true))];
    assert.ok(now <= HEAVIEST_BYTES, `${page}: ${now} bytes`);
    console.log(`${page}: ${(now / 1024).toFixed(1)} KB compressed, ${(all / 1024).toFixed(1)} KB with what comes later`);
  }
});

test("the names that others rely on", () => {
  const names = ["Name", "Email", "Sign up", "Email me a link", "Continue", "Sign out", "New room", "Join room", "Call {name}", "Accept", "Reject",
    "Mute microphone", "Unmute microphone", "Turn camera off", "Turn camera on", "Share screen", "Stop sharing", "Leave", "Find people", "Friends", "You"];
  const texts = new Set(Object.values(en));
  for (const name of names) assert.ok(texts.has(name), name);
});
