/**
 * How long it takes from the click on "Join room" to the first video frame of somebody else, where that time goes, and the
 * Lighthouse scores of the public pages: node call.js [--rounds N] [--without-lighthouse]. Fails if a goal is missed.
 */
import { parseArgs } from "node:util";
import { launch } from "../support/chromium.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";
import { pause, seesAndHears } from "../support/media.js";
import { lighthouse } from "./lighthouse.js";
import { MOMENTS, notePhases, phasesOf } from "./phases.js";
import { reference } from "./reference.js";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "7" }, "without-lighthouse": { type: "boolean", default: false } } });
/** Typical round trips to the server within a region, within a continent, and across an ocean. */
const LATENCIES_MS = [0, 20, 75];
/** The goal for the first picture where the server is near, and how many round trips to the server it may take beside. */
const FIRST_FRAME_MS = 350;
const ROUND_TRIPS = 4;
/** How long somebody looks at the lobby after typing the name. */
const READ_MS = 2000;

/** @param {number[]} all @param {number} share 0 to 1 */
const quantile = (all, share) => [...all].sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? NaN;

/**
 * Measures how long joining takes, directly or by the relay alone.
 * @param {Product} product
 * @param {import("playwright-core").Browser} browser
 * @param {boolean} relayed
 * @returns {Promise<boolean>} whether the goals are reached
 */
async function joining(product, browser, relayed) {
  const host = await Person.arrive(product, browser, "Hanna", { fullPicture: true });
  const link = await host.makeRoom();
  await host.enter(link);
  let reached = true;
  for (const latency of LATENCIES_MS) {
    await product.network({ latency_ms: latency });
    /** @type {Array<Record<string, number>>} */
    const rounds = [];
    for (let round = 0; round < Number(options.rounds); round += 1) {
      const guest = await Person.arrive(product, browser, "Gus", { guest: true, fullPicture: true, setUp: notePhases });
      if (relayed) await guest.context.addInitScript(() => { /** @type {any} */ (window).rtcConfiguration = { iceTransportPolicy: "relay" }; });
      await guest.open(link);
      await guest.page.getByRole("textbox", { name: "Name" }).fill("Gus");
      // Between the name and the click nobody is faster.
      await pause(READ_MS);
      await guest.press("Join room");
      await guest.page.locator(".call").waitFor();
      await seesAndHears(guest, "Hanna");
      rounds.push(await phasesOf(guest.page));
      await guest.press("Leave");
      await guest.leave();
      await host.page.locator(".tile").waitFor({ state: "detached" });
    }
    reached = tell(rounds, latency, relayed) && reached;
  }
  await product.network({});
  await host.leave();
  return reached;
}

/**
 * @param {Array<Record<string, number>>} rounds
 * @param {number} latency each way, in milliseconds
 * @param {boolean} relayed
 */
function tell(rounds, latency, relayed) {
  const medians = MOMENTS.map((moment) => quantile(rounds.map((round) => round[moment] ?? NaN), 0.5));
  const frame = medians.at(-1) ?? NaN;
  const goal = FIRST_FRAME_MS + ROUND_TRIPS * 2 * latency;
  const worst = Math.max(...rounds.map(({ frame: one }) => one ?? NaN));
  console.log(`${relayed ? "relayed" : "direct"}, ${latency} ms to the server each way: median ${frame.toFixed(0)} ms (goal ${goal}, ${frame <= goal ? "reached" : "NOT reached"}), worst ${worst.toFixed(0)} ms of ${rounds.length}`);
  console.log(`    ${MOMENTS.map((moment, at) => `${moment} ${(medians[at] ?? NaN).toFixed(0)}`).join(", ")}`);
  return frame <= goal;
}

const product = await Product.start({ published: true });
try {
  const browser = await launch();
  const times = await reference(browser, Number(options.rounds));
  console.log(`for comparison, Galene with its own server and page, 0 ms: median ${quantile(times, 0.5).toFixed(0)} ms, worst ${Math.max(...times).toFixed(0)} ms of ${times.length}`);
  for (const relayed of [false, true]) {
    if (!(await joining(product, browser, relayed))) process.exitCode = 1;
  }
  await browser.close();
  if (!options["without-lighthouse"] && !(await lighthouse(product))) process.exitCode = 1;
} finally {
  await product.stop();
}
