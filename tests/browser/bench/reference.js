/**
 * A call by Galene for comparison: its own server, which forwards the media (an SFU), and its own page. Host and guest
 * open the same group, with camera and microphone on from the start.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../support/media.js";
import { freePort } from "../support/ports.js";
import { notePhases, phasesOf } from "./phases.js";

/** What `cargo xtask bench call` has built: a checkout of Galene with the program in it. */
const FOLDER = process.env.GALENE ?? "";
const GROUP = "bench";
/** How long the server may take to answer for the first time. */
const START_MS = 10_000;

/** @returns {Promise<{ url: string, stop: () => Promise<void> }>} */
async function serve() {
  const state = await mkdtemp(join(tmpdir(), "galene-"));
  const groups = join(state, "groups");
  await mkdir(groups);
  const group = { "wildcard-user": { password: { type: "wildcard" }, permissions: "present" } };
  await writeFile(join(groups, `${GROUP}.json`), JSON.stringify(group));
  const port = await freePort();
  // Without its TURN server, which both ends on one machine do not need.
  const folders = ["-static", join(FOLDER, "static"), "-groups", groups, "-data", join(state, "data"), "-recordings", join(state, "recordings")];
  const server = spawn(join(FOLDER, "galene"), ["-insecure", "-http", `127.0.0.1:${port}`, "-turn", "", ...folders], { stdio: "ignore" });
  const ended = new Promise((resolve) => server.once("exit", resolve).once("error", resolve));
  const stop = async () => {
    server.kill();
    await ended;
    await rm(state, { recursive: true, force: true });
  };
  const url = `http://localhost:${port}/group/${GROUP}/`;
  try {
    await answers(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

/** @param {string} url */
async function answers(url) {
  for (const end = Date.now() + START_MS; Date.now() < end; await pause(50)) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`Galene in ${FOLDER} does not answer at ${url}`);
}

/**
 * @param {import("playwright-core").Page} page
 * @param {string} url
 * @param {string} name
 */
async function openLobby(page, url, name) {
  await page.goto(url);
  await page.getByLabel("Username", { exact: true }).fill(name);
  await page.getByLabel("Camera and microphone").check();
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {number} rounds
 * @returns {Promise<number[]>} milliseconds from the click to the first picture
 */
export async function reference(browser, rounds) {
  const { url, stop } = await serve();
  /** @type {number[]} */
  const times = [];
  const host = await browser.newPage();
  try {
    await openLobby(host, url, "Hanna");
    await host.getByRole("button", { name: "Connect" }).click();
    await host.locator("video").waitFor();
    for (let round = 0; round < rounds; round += 1) {
      const guest = await browser.newPage();
      await guest.addInitScript(notePhases, "Connect");
      await openLobby(guest, url, "Gus");
      await pause(1000);
      await guest.getByRole("button", { name: "Connect" }).click();
      await guest.waitForFunction(() => /** @type {any} */ (window).moments.frame !== undefined);
      times.push((await phasesOf(guest)).frame ?? NaN);
      await guest.close();
    }
  } finally {
    await host.close();
    await stop();
  }
  return times;
}
