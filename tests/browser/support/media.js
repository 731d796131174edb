/** The media that really arrives, measured by the browser's own statistics, not by the page. */
import assert from "node:assert/strict";

/**
 * @typedef {import("playwright-core").Page} Page
 * @typedef {{ frames: number, freezes: number, energy: number, bytes: number }} Received
 */

/** A generous timeout, because test machines are busy. */
const PATIENCE_MS = 60_000;

/**
 * Returns sums over all open connections.
 * @param {Page} page
 * @returns {Promise<Received>}
 */
export function received(page) {
  return page.evaluate(async () => {
    const sum = { frames: 0, freezes: 0, energy: 0, bytes: 0 };
    for (const connection of /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections)) {
      if (connection.connectionState === "closed") continue;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== "inbound-rtp") continue;
        sum.frames += entry.framesDecoded ?? 0;
        // Section 1 is the camera. A screen that does not change sends nothing, which counts as a freeze too.
        if (entry.mid === "1") sum.freezes += entry.freezeCount ?? 0;
        sum.energy += entry.totalAudioEnergy ?? 0;
        sum.bytes += entry.bytesReceived ?? 0;
      }
    }
    return sum;
  });
}

/**
 * @param {Page} page
 * @returns {Promise<number[]>} frames decoded so far, for each open connection
 */
export function framesOfEach(page) {
  return page.evaluate(async () => {
    const all = /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections).filter(({ connectionState }) => connectionState !== "closed");
    return Promise.all(all.map(async (connection) => {
      const inbound = [...(await connection.getStats()).values()].filter(({ type }) => type === "inbound-rtp");
      return inbound.reduce((sum, { framesDecoded }) => sum + (framesDecoded ?? 0), 0);
    }));
  });
}

/**
 * Waits until video and sound of everybody named arrive and keep arriving.
 * @param {import("./people.js").Person} person who looks
 * @param {...string} names whom to see
 */
export async function seesAndHears(person, ...names) {
  const { page } = person;
  for (const name of names) {
    await page.waitForFunction((label) => {
      const video = [...document.querySelectorAll("video")].find((one) => one.getAttribute("aria-label") === label);
      return video !== undefined && video.videoWidth > 0 && !video.paused;
    }, name, { timeout: PATIENCE_MS });
  }
  const before = await received(page);
  await until(async () => {
    const now = await received(page);
    return now.frames > before.frames + 5 * names.length && now.energy > before.energy;
  }, () => `${person.name} gets neither pictures nor sound of ${names.join(" and ")}`);
}

/**
 * @param {() => Promise<boolean>} holds
 * @param {() => string} complaint
 * @param {number} [patience] milliseconds
 */
export async function until(holds, complaint, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  while (!(await holds())) {
    assert.ok(Date.now() < end, complaint());
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Returns the longest time that the page itself stalled since the last call: what a busy machine does to
 * everything, and not the product's fault.
 * @param {Page} page
 * @returns {Promise<number>} milliseconds
 */
export function stall(page) {
  return page.evaluate(() => {
    const own = /** @type {any} */ (window);
    const longest = own.longestStall ?? 0;
    own.longestStall = 0;
    return longest;
  });
}
