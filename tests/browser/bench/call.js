/**
 * How long it takes from the click on "Join room" to the first video frame of somebody else, and the Lighthouse scores of
 * the public pages: node call.js [--rounds N] [--without-lighthouse].
 */
import { parseArgs } from "node:util";
import { launch } from "../support/chromium.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";
import { seesAndHears } from "../support/media.js";
import { lighthouse } from "./lighthouse.js";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "7" }, "without-lighthouse": { type: "boolean", default: false } } });
/** Typical round trips to the server within a region, within a continent, and across an ocean. */
const LATENCIES_MS = [0, 20, 75];

/** Runs in the page: notes the click on "Join room" and the first frame of a video that is not our own. */
function measure() {
  const own = /** @type {any} */ (window);
  addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("button")?.textContent?.trim() === "Join room") own.clickedAt = performance.now();
  }, { capture: true });
  new MutationObserver(() => {
    for (const video of document.querySelectorAll("video")) {
      if (video.getAttribute("aria-label") === "You" || video.dataset.watched) continue;
      video.dataset.watched = "true";
      video.requestVideoFrameCallback(() => { own.firstFrameAfter ??= performance.now() - own.clickedAt; });
    }
  }).observe(document, { childList: true, subtree: true });
}

/** @param {number[]} all @param {number} share 0 to 1 */
const quantile = (all, share) => [...all].sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? NaN;

/**
 * @param {Product} product
 * @param {import("playwright-core").Browser} browser
 */
async function joining(product, browser) {
  const host = await Person.arrive(product, browser, "Hanna", { fullPicture: true });
  const link = await host.makeRoom();
  await host.enter(link);
  for (const latency of LATENCIES_MS) {
    await product.network({ latency_ms: latency });
    /** @type {number[]} */
    const times = [];
    for (let round = 0; round < Number(options.rounds); round += 1) {
      const guest = await Person.arrive(product, browser, "Gus", { guest: true, fullPicture: true, setUp: measure });
      await guest.enter(link);
      await seesAndHears(guest, "Hanna");
      times.push(await guest.page.evaluate(() => /** @type {any} */ (window).firstFrameAfter));
      await guest.press("Leave");
      await guest.leave();
      await host.page.locator(".tile").waitFor({ state: "detached" });
    }
    console.log(`join to first remote frame, ${latency} ms to the server each way: median ${quantile(times, 0.5).toFixed(0)} ms, worst ${Math.max(...times).toFixed(0)} ms of ${times.length}`);
  }
  await product.network({});
  await host.leave();
}

const product = await Product.start({ published: true });
try {
  const browser = await launch();
  await joining(product, browser);
  await browser.close();
  if (!options["without-lighthouse"] && !(await lighthouse(product))) process.exitCode = 1;
} finally {
  await product.stop();
}
