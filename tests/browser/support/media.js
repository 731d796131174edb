/** What really arrives: measured in the browser's own statistics, not in the page. */
import assert from "node:assert/strict";

/**
 * @typedef {import("playwright-core").Page} Page
 * @typedef {{ frames: number, freezes: number, frozenS: number, energy: number, bytes: number }} Received
 */

const PATIENCE_MS = 30_000;

/**
 * Sums over all living connections.
 * @param {Page} page
 * @returns {Promise<Received>}
 */
export function received(page) {
  return page.evaluate(async () => {
    const sum = { frames: 0, freezes: 0, frozenS: 0, energy: 0, bytes: 0 };
    for (const connection of /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections)) {
      if (connection.connectionState === "closed") continue;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== "inbound-rtp") continue;
        sum.frames += entry.framesDecoded ?? 0;
        sum.freezes += entry.freezeCount ?? 0;
        sum.frozenS += entry.totalFreezesDuration ?? 0;
        sum.energy += entry.totalAudioEnergy ?? 0;
        sum.bytes += entry.bytesReceived ?? 0;
      }
    }
    return sum;
  });
}

/**
 * Waits until pictures and sound of everybody named arrive and go on arriving.
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
