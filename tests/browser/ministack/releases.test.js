/** Pages that stay open while another release is published, by the deployer's own code into the bucket of MiniStack. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { meet } from "../support/calls.js";
import { launch } from "../support/chromium.js";
import { startMiniStack } from "../support/ministack.js";
import { Person } from "../support/people.js";
import { Product, PROGRAM } from "../support/product.js";

/** MiniStack's own account, in which `local` creates its stack. */
const ACCOUNT = "000000000000";

/** @type {Awaited<ReturnType<typeof startMiniStack>>} */
let emulator;
/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  emulator = await startMiniStack();
  product = await Product.start({ endpoint: emulator.url });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await product?.stop();
  await emulator?.stop();
});

/** Returns the folders of all scripts that a page has loaded. @param {Person} person @returns {Promise<string[]>} */
const releases = (person) => person.page.evaluate(() => {
  const paths = performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname);
  return [...new Set(paths.filter((path) => path.endsWith(".js")).map((path) => path.split("/").slice(0, 3).join("/")))];
});

/** Returns whether a page has loaded the scripts of a call. @param {Person} person */
const hasCall = (person) => person.page.evaluate(() => performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/view/running.js")));

test("a page from before a release whose exports have other names joins a call, and a new page has the new ones", async () => {
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  const hanna = await Person.arrive(product, browser, "Hanna");
  const link = await hanna.makeRoom();
  await gus.open(link);
  const [before = ""] = await releases(gus);
  assert.match(before, /^\/r\/[0-9a-f]{16}$/);
  assert.equal(await hasCall(gus), false, "the call's scripts are not loaded yet");

  // Every page uses byId, which it finds in a module that is loaded at once.
  await promisify(execFile)(join(dirname(PROGRAM), "lab-release"), [emulator.url, ACCOUNT, "byId", "byItsId"]);

  await hanna.enter(link);
  const [now = ""] = await releases(hanna);
  assert.notEqual(now, before);
  assert.match(await hanna.page.evaluate((folder) => fetch(`${folder}/js/dom.js`).then((answer) => answer.text()), now), /byItsId/);

  await gus.page.getByRole("textbox", { name: "Name" }).fill("Gus");
  await gus.press("Join room");
  await meet(hanna, gus);
  assert.equal(await hasCall(gus), true);
  assert.deepEqual(await releases(gus), [before], "no script of another release");
  assert.deepEqual(await releases(hanna), [now]);

  await gus.page.reload();
  await gus.enter(link);
  await meet(hanna, gus);
  assert.deepEqual(await releases(gus), [now], "opened again, it has the new ones");
  await gus.leave();
  await hanna.leave();
});
