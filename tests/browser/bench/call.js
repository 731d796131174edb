/**
 * How long it takes from the click on "Join room" to the first picture of somebody else, and what Lighthouse says of the
 * public pages: node call.js [--rounds N] [--without-lighthouse].
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch } from "../support/chromium.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";
import { seesAndHears } from "../support/media.js";

const { values: options } = parseArgs({ options: { rounds: { type: "string", default: "7" }, "without-lighthouse": { type: "boolean", default: false } } });
/** Round trips to the server as one has them in the same region, in the same continent, and across an ocean. */
const LATENCIES_MS = [0, 20, 75];
/** The last that runs on Node 20. It is large, so it is no package of the project and comes when it is asked for. */
const LIGHTHOUSE = "lighthouse@12.8.2";
const LIGHTHOUSE_FOLDER = fileURLToPath(new URL("../../../target/lighthouse/", import.meta.url));
const PUBLIC_PAGES = ["index.html", "signup.html", "login.html", "room.html", "friendre1.html#token=x&name=Ada"];
const WANTED = 95;

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
  const host = await Person.arrive(product, browser, "Hanna");
  const link = await host.makeRoom();
  await host.enter(link);
  for (const latency of LATENCIES_MS) {
    await product.network({ latency_ms: latency });
    /** @type {number[]} */
    const times = [];
    for (let round = 0; round < Number(options.rounds); round += 1) {
      const guest = await Person.arrive(product, browser, "Gus", { guest: true, setUp: measure });
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

/** @param {string} program @param {string[]} given */
async function run(program, given) {
  const started = spawn(program, given, { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(started, "exit");
  if (code !== 0) throw new Error(`${program} ${given.join(" ")}: exit ${code}`);
}

/** @param {Product} product @returns {Promise<boolean>} whether all is as good as it has to be */
async function lighthouse(product) {
  const module = `${LIGHTHOUSE_FOLDER}node_modules/lighthouse/core/index.js`;
  await access(module).catch(() => run("npm", ["install", "--silent", "--no-save", "--prefix", LIGHTHOUSE_FOLDER, LIGHTHOUSE]));
  const { default: audit } = await import(module);
  const port = 9222 + Math.floor(Math.random() * 1000);
  const browser = await launch({ switches: [`--remote-debugging-port=${port}`] });
  let good = true;
  try {
    for (const page of PUBLIC_PAGES) {
      const result = await audit(`${product.url}/${page}`, { port, logLevel: "silent", output: "json", onlyCategories: ["performance", "accessibility", "best-practices"] });
      const { categories, audits } = result.lhr;
      const scores = Object.values(categories).map((category) => ({ title: String(category.title).toLowerCase(), score: Math.round((category.score ?? 0) * 100), refs: category.auditRefs }));
      console.log(`${page}: ${scores.map(({ title, score }) => `${title} ${score}`).join(", ")}; ${Math.round((audits["total-byte-weight"]?.numericValue ?? 0) / 1024)} KB`);
      for (const { score, refs } of scores) {
        if (score >= WANTED) continue;
        good = false;
        for (const ref of refs) {
          const one = audits[ref.id];
          if (ref.weight > 0 && one && one.score !== null && one.score < 0.9) console.log(`  ${one.title}${one.displayValue ? ` (${one.displayValue})` : ""}`);
        }
      }
    }
  } finally {
    await browser.close();
  }
  return good;
}

const product = await Product.start();
try {
  const browser = await launch();
  await joining(product, browser);
  await browser.close();
  if (!options["without-lighthouse"] && !(await lighthouse(product))) process.exitCode = 1;
} finally {
  await product.stop();
}
