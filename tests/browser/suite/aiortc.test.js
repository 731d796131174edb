/** Another implementation as a peer: a program that knows nothing but docs/protocol.md exchanges pictures with the page. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "../support/chromium.js";
import { received, until } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";
import { PYTHON } from "../support/python.js";

const GUEST = fileURLToPath(new URL("../../support/aiortc_guest.py", import.meta.url));

/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  product = await Product.start();
  browser = await launch();
});
/** @type {Set<import("node:child_process").ChildProcess>} */
const guests = new Set();
after(async () => {
  for (const one of guests) one.kill();
  await browser?.close();
  await product?.stop();
});

/**
 * A guest without a browser.
 * @param {string} room
 * @param {string} name
 */
function guest(room, name) {
  const started = spawn(PYTHON, ["-u", GUEST, product.url, room, name], { stdio: ["pipe", "pipe", "pipe"] });
  guests.add(started);
  let told = "";
  started.stderr.on("data", (text) => { told = (told + text).slice(-4000); });
  /** @type {any[]} */
  const events = [];
  createInterface({ input: started.stdout }).on("line", (line) => events.push(JSON.parse(line)));
  const ended = once(started, "exit");
  return {
    events,
    told: () => `${told}\n${JSON.stringify(events.slice(-5))}`,
    leave: async () => { started.stdin.end(); await ended; guests.delete(started); },
  };
}

/** @param {any[]} events */
const decoded = (events) => Math.max(0, ...events.filter(({ event }) => event === "frames").map((event) => event.decoded));

/**
 * @param {Person} person in the page
 * @param {ReturnType<typeof guest>} other
 */
async function exchangePictures(person, other) {
  const { frames } = await received(person.page);
  const earlier = decoded(other.events);
  await until(async () => (await received(person.page)).frames > frames + 20, () => `${person.name} sees nothing: ${other.told()}`);
  await until(async () => decoded(other.events) > earlier + 20, () => `aiortc decodes nothing: ${other.told()}`);
}

for (const first of ["page", "aiortc"]) {
  test(`aiortc and the page exchange pictures and messages if ${first} was in the room first`, async () => {
    const hanna = await Person.arrive(product, browser, "Hanna");
    const link = await hanna.makeRoom();
    const room = link.split("#")[1] ?? "";
    if (first === "page") await hanna.enter(link);
    const other = guest(room, "Ivo");
    await until(async () => other.events.some(({ event }) => event === "joined"), () => `aiortc does not join: ${other.told()}`);
    if (first === "aiortc") await hanna.enter(link);
    await exchangePictures(hanna, other);
    await hanna.press(/^Chat/);
    await hanna.page.getByText("Hello from aiortc", { exact: true }).waitFor();
    assert.ok(other.events.some(({ event, message }) => event === "message" && message.type === "state" && message.camera), other.told());

    // A later change of what is sent is negotiated as well.
    await hanna.press("Share screen");
    await hanna.page.getByRole("button", { name: "Stop sharing" }).waitFor();
    await until(async () => other.events.some(({ event, message }) => event === "message" && message.type === "state" && message.screen), () => `no screen: ${other.told()}`);
    await hanna.press("Stop sharing");
    await exchangePictures(hanna, other);

    await other.leave();
    await hanna.page.locator('video[aria-label="Ivo"]').waitFor({ state: "detached" });
    await hanna.leave();
  });
}
