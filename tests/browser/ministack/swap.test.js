/** The signaling host is replaced during calls, with the real programs: nobody notices, and nothing is lost. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accept, meet, ring } from "../support/calls.js";
import { launch } from "../support/chromium.js";
import { Hosts, TunnelledHosts } from "../support/hosts.js";
import { received, seesAndHears, until } from "../support/media.js";
import { startMiniStack } from "../support/ministack.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

/** How long it may take until everybody is back. */
const BACK_MS = 5000;
/** How many hosts are replaced if the first replacement is too late. */
const ATTEMPTS = 3;
const SECRET = "the secret of the relays";

/** @type {Awaited<ReturnType<typeof startMiniStack>>} */
let emulator;
/** @type {Hosts} */
let hosts;
/** @type {TunnelledHosts} */
let tunnelled;
/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  [emulator, hosts] = await Promise.all([startMiniStack(), Hosts.open()]);
  product = await Product.start({
    endpoint: emulator.url, environment: { TURN_SECRET: SECRET },
    config: `[turn]\nurls = ["turn:127.0.0.1:${hosts.address.ports.relay}?transport=udp"]\nsecret = { env = "TURN_SECRET" }\n`,
  });
  tunnelled = new TunnelledHosts(emulator.url, product.url);
  await Promise.all([hosts.begin(emulator.url, product.url, SECRET), tunnelled.begin()]);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await product?.stop();
  await hosts?.close();
  await tunnelled?.close();
  await emulator?.stop();
});

/** What happened at a person's page: messages since the last call of `forget`, and all requests of tickets. */
class Watch {
  /** @type {number[]} when it was in its room again */
  joined = [];
  /** @type {number[]} when it had a session */
  welcomed = [];
  tickets = 0;

  /** @param {import("playwright-core").BrowserContext} context */
  constructor(context) {
    context.on("request", (request) => { this.tickets += Number(request.url().endsWith("/api/ticket")); });
    context.on("page", (page) => this.see(page));
  }

  /** @param {import("playwright-core").Page} page */
  see(page) {
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
      const { type } = JSON.parse(String(payload));
      if (type === "welcome") this.welcomed.push(performance.now());
      if (type === "joined") this.joined.push(performance.now());
    }));
  }

  forget() {
    this.joined = [];
    this.welcomed = [];
  }
}

/**
 * Lets a person come whose pages reach the signaling server by the address of the hosts, or at another port.
 * @param {string} name
 * @param {{ guest?: boolean, relayed?: boolean, port?: number }} [how]
 */
async function arrive(name, { guest = false, relayed = false, port = hosts.address.ports.signal } = {}) {
  // The pages may connect to their own origin only, and the hosts are at another one.
  const person = await Person.arrive(product, browser, name, { guest, bypassCSP: true });
  await person.context.addInitScript(({ port, relayed }) => {
    const Native = WebSocket;
    window.WebSocket = class extends Native {
      /** @param {string | URL} url */
      constructor(url) { super(String(url).replace(location.host, `127.0.0.1:${port}`)); }
    };
    if (relayed) /** @type {any} */ (window).rtcConfiguration = { iceTransportPolicy: "relay" };
    /** @type {any} */ (window).complaints = [];
    new MutationObserver(() => {
      const complaint = /[^.]*(unreachable|interrupted|cannot be reached)[^.]*/.exec(document.body?.innerText ?? "");
      if (complaint) /** @type {any} */ (window).complaints.push(complaint[0]);
    }).observe(document, { subtree: true, childList: true, characterData: true });
  }, { port, relayed });
  const watch = new Watch(person.context);
  watch.see(person.page);
  return { person, watch };
}

/**
 * Replaces the host, and waits for something, which must come soon. A busy machine may be late once: then the next two must not.
 * @param {string} what comes
 * @param {() => Promise<boolean>} holds
 * @param {() => Promise<void> | void} begin what precedes each replacement
 * @param {{ replace: () => Promise<{ ended: Promise<unknown> }> }} [those] whose turn it is
 */
async function replacedSoon(what, holds, begin, those = hosts) {
  /** @type {number[]} */
  const took = [];
  const inTime = () => took.filter((milliseconds) => milliseconds < BACK_MS).length;
  const isEnough = () => inTime() >= (took[0] !== undefined && took[0] < BACK_MS ? 1 : ATTEMPTS - 1);
  while (took.length < ATTEMPTS && !isEnough()) {
    await begin();
    const { ended } = await those.replace();
    const since = performance.now();
    await until(holds, () => `not so after a replacement: ${what}`);
    took.push(Math.round(performance.now() - since));
    await ended;
  }
  console.log(`${what} ${took.join(", ")} ms after the host was told to end`);
  assert.ok(isEnough(), `${what} after ${took.join(", ")} ms`);
}

test("a call goes on, a screen stays shared, a room stays locked, and nobody needs a ticket", async () => {
  const { person: hanna, watch: hers } = await arrive("Hanna");
  const { person: gus, watch: his } = await arrive("Gus", { guest: true });
  const link = await hanna.makeRoom();
  await hanna.enter(link);
  await gus.enter(link);
  await meet(hanna, gus);
  await gus.press("Share screen");
  await seesAndHears(hanna, "Screen shared by Gus");
  await hanna.press("More");
  await hanna.page.getByRole("menuitem", { name: "Lock room" }).click();
  await gus.page.getByRole("img", { name: "The room is locked. Newcomers have to knock." }).waitFor();
  const both = [hanna, gus];
  const made = await Promise.all(both.map(({ page }) => page.evaluate(() => /** @type {any} */ (window).connections.length)));
  const before = await Promise.all(both.map(({ page }) => received(page)));
  for (const { page } of both) await page.evaluate(() => { Object.assign(window, { iceStates: [], complaints: [] }); });
  const watches = [hers, his];
  const tickets = watches.map((watch) => watch.tickets);

  const areInside = async () => watches.every(({ joined }) => joined.length > 0);
  await replacedSoon("both were in the room again", areInside, () => { for (const watch of watches) watch.forget(); });
  await seesAndHears(hanna, "Gus", "Screen shared by Gus");
  await seesAndHears(gus, "Hanna");
  const now = await Promise.all(both.map(({ page }) => received(page)));
  for (const [index, { page, name }] of both.entries()) {
    assert.ok((now[index]?.frames ?? 0) > (before[index]?.frames ?? 0) + 20, `${name} gets no new pictures`);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).iceStates), [], `${name}'s connection was interrupted`);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).complaints), [], `${name} was told of the server`);
    await page.getByRole("img", { name: "The room is locked. Newcomers have to knock." }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Let in" }).count(), 0, `${name} is asked about somebody who is inside`);
  }
  assert.deepEqual(await Promise.all(both.map(({ page }) => page.evaluate(() => /** @type {any} */ (window).connections.length))), made, "the connections are kept");
  assert.deepEqual(watches.map((watch) => watch.tickets), tickets, "nobody needs a ticket");
  await gus.leave();
  await hanna.leave();
});

test("a call goes on, and everybody comes back through the tunnel of the next host", async () => {
  const { port } = tunnelled;
  const { person: hanna, watch: hers } = await arrive("Hanna", { port });
  const { person: gus, watch: his } = await arrive("Gus", { guest: true, port });
  const link = await hanna.makeRoom();
  await hanna.enter(link);
  await gus.enter(link);
  await meet(hanna, gus);
  const both = [hanna, gus];
  const before = await Promise.all(both.map(({ page }) => received(page)));
  for (const { page } of both) await page.evaluate(() => { Object.assign(window, { iceStates: [], complaints: [] }); });
  const watches = [hers, his];
  const tickets = watches.map((watch) => watch.tickets);
  const areInside = async () => watches.every(({ joined }) => joined.length > 0);
  const begin = () => { for (const watch of watches) watch.forget(); };
  await replacedSoon("both came through the next tunnel", areInside, begin, tunnelled);
  await meet(hanna, gus);
  const now = await Promise.all(both.map(({ page }) => received(page)));
  for (const [index, { page, name }] of both.entries()) {
    assert.ok((now[index]?.frames ?? 0) > (before[index]?.frames ?? 0) + 20, `${name} gets no new pictures`);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).iceStates), [], `${name}'s connection was interrupted`);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).complaints), [], `${name} was told of the server`);
  }
  assert.deepEqual(watches.map((watch) => watch.tickets), tickets, "nobody needs a ticket");
  await gus.leave();
  await hanna.leave();
});

test("a ring before, and one while the host is replaced, reach the friend", async () => {
  const [{ person: ada }, { person: bob, watch: his }] = await Promise.all([arrive("Ada"), arrive("Bob")]);
  await ada.befriend(bob);
  for (const person of [ada, bob]) {
    await person.open("home.html");
    await person.page.getByText("You can be reached").waitFor();
  }
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  const hears = async () => his.welcomed.length > 0 && await ring(bob).isVisible();
  await replacedSoon("Bob hears the ring", hears, () => his.forget());
  await accept(bob);
  await meet(ada, bob);
  await ada.press("Leave");
  for (const person of [ada, bob]) {
    await person.open("home.html");
    await person.page.getByText("You can be reached").waitFor();
  }
  const replacing = hosts.replace();
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  await (await replacing).ended;
  // It may have rung by the old host.
  await ring(bob).waitFor();
  await accept(bob);
  await meet(ada, bob);
  await bob.leave();
  await ada.leave();
});

test("a relayed call comes back", async () => {
  const { person: hanna } = await arrive("Hanna", { relayed: true });
  const { person: gus } = await arrive("Gus", { guest: true, relayed: true });
  const link = await hanna.makeRoom();
  await hanna.enter(link);
  await gus.enter(link);
  await meet(hanna, gus);
  const frames = () => Promise.all([hanna, gus].map(async ({ page }) => (await received(page)).frames));
  /** @type {number[] | undefined} */
  let before;
  const goOn = async () => {
    before ??= await frames();
    return (await frames()).every((count, index) => count > (before?.[index] ?? 0) + 10);
  };
  await replacedSoon("pictures arrived by the other relay", goOn, () => { before = undefined; });
  await meet(hanna, gus);
  await gus.leave();
  await hanna.leave();
});
