/** A call survives the loss of the server, negotiation collisions, and network problems. */
import assert from "node:assert/strict";
import { availableParallelism, loadavg } from "node:os";
import { test } from "node:test";
import { guestInCall, meet } from "../support/calls.js";
import { browser, host, product } from "../support/host.js";
import { pause, received, seesAndHears, stall, until } from "../support/media.js";
import { Person } from "../support/people.js";

const COLLISIONS = 50;
/** Longer than a video at 15 frames a second may pause without counting as frozen. */
const STALL_MS = 150;

/** Returns a guest who is in a call with the host. @param {(gus: Person) => Promise<unknown>} [prepare] */
const inCall = (prepare) => guestInCall(product, browser, host, prepare);

/**
 * Video continues on both sides while something happens: new frames, a connection that stays up, no freeze. A
 * freeze does not count if the machine was so busy that the page itself stalled.
 * @param {Person} gus
 * @param {() => Promise<void>} happens
 */
async function withoutFreeze(gus, happens) {
  const both = [host, gus];
  const before = await Promise.all(both.map(({ page }) => received(page)));
  for (const { page } of both) {
    await stall(page);
    await page.evaluate(() => { /** @type {any} */ (window).iceStates = []; });
  }
  await happens();
  // The action may take less time than this many frames.
  await Promise.all(both.map(({ name, page }, index) => until(
    async () => (await received(page)).frames > (before[index]?.frames ?? 0) + 20,
    () => `${name} gets no new pictures`,
  )));
  const now = await Promise.all(both.map(({ page }) => received(page)));
  const stalls = await Promise.all(both.map(({ page }) => stall(page)));
  const busy = Math.max(...stalls) > STALL_MS || (loadavg()[0] ?? 0) > availableParallelism() * 1.5;
  for (const [index, { name, page }] of both.entries()) {
    const [earlier, later] = [before[index], now[index]];
    assert.ok(earlier && later);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).iceStates), [], `${name}'s connection was interrupted`);
    const freezes = later.freezes - earlier.freezes;
    console.log(`${name}: ${later.frames - earlier.frames} frames, ${freezes} freezes, the page stood still for ${Math.round(stalls[index] ?? 0)} ms at most`);
    if (!busy) assert.equal(freezes, 0, `${name}'s picture froze`);
  }
}

/** @param {Person} gus */
async function sharesAndIsSeen(gus) {
  await gus.press("Share screen");
  await seesAndHears(host, "Screen shared by Gus");
  await gus.press("Stop sharing");
  await host.page.locator('video[aria-label="Screen shared by Gus"]').waitFor({ state: "detached" });
}

test(`both renegotiate at once, ${COLLISIONS} times`, async () => {
  const gus = await inCall();
  for (let count = 0; count < COLLISIONS; count += 1) {
    await Promise.all([host, gus].map(({ page }) => page.evaluate(() => {
      for (const connection of /** @type {any} */ (window).connections) connection.restartIce();
    })));
  }
  await until(async () => {
    const states = await Promise.all([host, gus].map(({ page }) => page.evaluate(() => /** @type {any} */ (window).connections.at(-1)?.signalingState)));
    return states.every((state) => state === "stable");
  }, () => "the negotiation did not settle");
  await meet(host, gus);
  await sharesAndIsSeen(gus);
  await gus.leave();
});

test("both start sharing at the same moment", async () => {
  const gus = await inCall();
  await Promise.all([host.press("Share screen"), gus.press("Share screen")]);
  await Promise.all([seesAndHears(host, "Screen shared by Gus"), seesAndHears(gus, "Screen shared by Hanna")]);
  await gus.leave();
});

test("signaling is cut: nothing freezes, the page says so, the session resumes", async () => {
  const gus = await inCall();
  await withoutFreeze(gus, async () => {
    await product.network({ drop: 1 });
    await product.cut();
    for (const { page } of [host, gus]) await page.getByText("The server is unreachable. Your call goes on.").waitFor();
    await sharesAndIsSeen(gus);
    await product.network({});
    await Promise.all([host, gus].map(({ page }) => page.getByText("Connected to the server again.").waitFor()));
  });
  assert.equal(await host.page.locator(".tile").count(), 1);
  await gus.leave();
});

test("the server is killed and restarts without sessions: nothing freezes, a later screen share still negotiates", async () => {
  const gus = await inCall();
  const connections = () => Promise.all([host, gus].map(({ page }) => page.evaluate(() => /** @type {any} */ (window).connections.length)));
  const made = await connections();
  await withoutFreeze(gus, async () => {
    await product.kill();
    for (const { page } of [host, gus]) await page.getByText("The server is unreachable. Your call goes on.").waitFor();
    await pause(2000);
    await product.restart();
    await Promise.all([host, gus].map(({ page }) => page.getByText("Connected to the server again.").waitFor()));
    await pause(2500);
  });
  assert.deepEqual(await connections(), made, "the old connections are kept");
  await sharesAndIsSeen(gus);
  const late = await Person.arrive(product, browser, "Lea", { guest: true });
  await late.enter(host.page.url());
  await Promise.all([seesAndHears(late, "Hanna", "Gus"), seesAndHears(host, "Gus", "Lea")]);
  await late.leave();
  await gus.leave();
});

/**
 * @returns {Promise<{ gus: Person, lose: (percent: number) => Promise<unknown> }>} a guest in a call, and
 *   a function that drops that percentage of their packets each way
 */
async function lossyCall() {
  /** @type {(method: string, parameters?: object) => Promise<unknown>} */
  let send = async () => undefined;
  const everywhere = { urlPattern: "", latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
  const lose = (/** @type {number} */ packetLoss) =>
    send("Network.emulateNetworkConditionsByRule", { offline: false, matchedNetworkConditions: [{ ...everywhere, packetLoss }] });
  const gus = await inCall(async ({ context, page }) => {
    const devtools = await context.newCDPSession(page);
    // Newer than the protocol version that Playwright knows.
    send = /** @type {typeof send} */ (/** @type {unknown} */ (devtools.send.bind(devtools)));
    await send("Network.enable");
    // Sockets can only be watched from their creation on.
    await lose(0);
  });
  return { gus, lose };
}

test("the connection between two peers breaks: the page says so, and recovers by itself", async () => {
  const { gus, lose } = await lossyCall();
  await lose(100);
  await Promise.all([
    gus.page.locator('.tile[data-status="interrupted"]').getByText("The connection to Hanna is interrupted. Trying again…").waitFor(),
    gus.page.getByRole("img", { name: "Connection interrupted" }).waitFor(),
  ]);
  await lose(0);
  await Promise.all([host, gus].map(({ page }) => page.locator('.tile[data-status="connected"]').waitFor()));
  await meet(host, gus);
  await gus.leave();
});

test("a bad network: the page shows the quality in plain words, and when it is good again", async () => {
  const { gus, lose } = await lossyCall();
  await gus.page.getByRole("img", { name: "Good connection" }).waitFor();
  await lose(20);
  await gus.page.getByRole("img", { name: "Poor connection" }).waitFor();
  await lose(0);
  await gus.page.getByRole("img", { name: "Good connection" }).waitFor();
  await gus.leave();
});
