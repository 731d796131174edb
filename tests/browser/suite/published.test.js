/** The published pages behave like the sources in assets/, and are small, calls included. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { parse } from "acorn";
import { accept, meet } from "../support/calls.js";
import { launch } from "../support/chromium.js";
import { seesAndHears } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";
import { Scales } from "../support/weight.js";

const ASSETS = new URL("../../../assets/", import.meta.url);
/** The limit for any page without the picture, a whole call included. */
const HEAVIEST_BYTES = 60_000;

/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  product = await Product.start({ published: true });
  browser = await launch();
});
after(async () => { await browser?.close(); await product?.stop(); });

/** @param {string} ending @returns {Promise<Array<{ path: string, written: string, published: string }>>} */
async function files(ending) {
  const paths = (await readdir(ASSETS, { recursive: true })).filter((path) => path.endsWith(ending));
  assert.ok(paths.length > 5, `only ${paths.length} files end in ${ending}`);
  return Promise.all(paths.map(async (path) => ({
    path, written: await readFile(new URL(path, ASSETS), "utf8"), published: await (await fetch(`${product.url}/${path}`)).text(),
  })));
}

/** Returns a script's syntax tree, without source positions; private names are numbered. @param {string} script */
function meaning(script) {
  const tree = parse(script, { ecmaVersion: "latest", sourceType: "module" });
  /** @type {string[]} */
  const names = [];
  return JSON.stringify(tree, (key, value) => {
    if (key === "start" || key === "end") return undefined;
    if (value?.type === "PrivateIdentifier") {
      if (!names.includes(value.name)) names.push(value.name);
      return `#${names.indexOf(value.name)}`;
    }
    return value instanceof RegExp ? String(value) : value;
  });
}

test("published scripts equal their sources without the comments", async () => {
  for (const { path, written, published } of await files(".js")) {
    assert.equal(meaning(published), meaning(written), path);
    assert.doesNotMatch(published, /^\s*(\/\*\*|\/\/)/m, path);
  }
});

test("published style sheets equal their sources without the comments", async () => {
  const page = await browser.newPage();
  for (const { path, written, published } of await files(".css")) {
    const [one, other] = await page.evaluate((texts) => texts.map((text) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      // Custom properties keep their source text.
      return [...sheet.cssRules].map((rule) => rule.cssText.replaceAll(/,\s+/g, ","));
    }), [written, published]);
    assert.ok(one && one.length > 3);
    assert.deepEqual(other, one, path);
    assert.doesNotMatch(published, /\/\*/, path);
  }
  await page.close();
});

/**
 * @param {string} what
 * @param {Scales} scales
 */
async function isLight(what, scales) {
  const parts = await scales.parts();
  const total = await scales.total();
  console.log(`${what}: ${total} bytes in ${parts.length} answers`);
  assert.ok(total <= HEAVIEST_BYTES, `${what}: ${total} bytes\n${parts.map(([path, bytes]) => `${bytes} ${path}`).join("\n")}`);
  assert.ok(parts.some(([path]) => path.endsWith("/main.js")), "nothing was weighed");
}

test("a page weighs at most 60 KB, without the picture", async () => {
  for (const page of ["index.html", "signup.html", "login.html", "friendre1.html#token=x", "home.html", "nothing.html"]) {
    const ada = await Person.arrive(product, browser, "Ada", { guest: page !== "home.html" });
    const scales = new Scales(ada.page, product.url);
    await ada.open(page);
    if (page === "home.html") await ada.page.getByText("You can be reached").waitFor();
    await isLight(page, scales);
    await ada.leave();
  }
});

/**
 * Uses everything that a call offers, so that nothing is loaded after the measurement.
 * @param {Person} person
 * @param {Person} other
 */
async function useEverything(person, other) {
  const { page } = person;
  await person.press("Chat");
  await page.getByRole("textbox", { name: "Message" }).fill("Hello");
  await page.keyboard.press("Enter");
  await page.locator("input[type=file]").setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("a") });
  await other.press(/^Chat/);
  await other.press("Receive");
  await other.page.getByRole("link", { name: /^Save / }).waitFor();
  await other.press("Close");
  await page.keyboard.press("Escape");
  await person.press("Check the connection");
  await page.locator(".emoji li").nth(3).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("body").press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  await person.press("More");
  await page.getByRole("menuitem", { name: "Camera, microphone, speaker" }).click();
  await page.getByRole("combobox", { name: "Camera" }).waitFor();
  await page.keyboard.press("Escape");
  await person.press("Share screen");
  await seesAndHears(other, `Screen shared by ${person.name}`);
  await person.press("Stop sharing");
}

test("a room weighs at most 60 KB, with everything that a call offers", async () => {
  const host = await Person.arrive(product, browser, "Hanna");
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  const link = await host.makeRoom();
  const [ours, theirs] = [host, gus].map(({ page }) => new Scales(page, product.url));
  assert.ok(ours && theirs);
  await host.open(link);
  await isLight("room.html before joining", ours);
  await host.press("Test camera and microphone");
  await host.page.getByRole("meter", { name: "Microphone level" }).waitFor();
  await host.press("Join room");
  await host.page.locator(".call").waitFor();
  await host.press("More");
  await host.page.getByRole("menuitem", { name: "Lock room" }).click();
  await gus.open(link);
  await gus.page.getByRole("textbox", { name: "Name" }).fill("Gus");
  await gus.press("Join room");
  await host.press("Let in");
  await meet(host, gus);
  await useEverything(host, gus);
  for (const person of [host, gus]) {
    await person.press("Leave");
    await person.page.getByRole("heading", { name: "Call ended" }).waitFor();
  }
  await isLight("room.html, a member's whole call", ours);
  await isLight("room.html, a guest's whole call", theirs);
  await host.leave();
  await gus.leave();
});

test("a call between friends weighs at most 60 KB, with everything that it offers", async () => {
  const [ada, bob] = await Promise.all(["Ada", "Bob"].map((name) => Person.arrive(product, browser, name)));
  assert.ok(ada && bob);
  await ada.befriend(bob);
  await bob.open("home.html");
  await bob.page.getByText("You can be reached").waitFor();
  const scales = new Scales(ada.page, product.url);
  await ada.open(`friendcall.html#to=${encodeURIComponent(bob.email)}`);
  await isLight("friendcall.html before calling", scales);
  await ada.press("Call Bob");
  await accept(bob);
  await meet(ada, bob);
  await useEverything(ada, bob);
  await ada.press("Leave");
  await ada.page.getByRole("heading", { name: "Call ended" }).waitFor();
  await isLight("friendcall.html, a whole call", scales);
  await ada.leave();
  await bob.leave();
});
