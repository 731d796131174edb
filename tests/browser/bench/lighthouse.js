/** Lighthouse scores of the public pages. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch } from "../support/chromium.js";
import { Person } from "../support/people.js";
import { startEdge } from "./edge.js";

/** The last version that runs on Node 20. It is large, so it is not a dependency and is downloaded on demand. */
const LIGHTHOUSE = "lighthouse@12.8.2";
const FOLDER = fileURLToPath(new URL("../../../target/lighthouse/", import.meta.url));
const PAGES = ["index.html", "signup.html", "login.html", "friendre1.html#token=x", "404.html"];
const CATEGORIES = ["performance", "accessibility", "best-practices"];
/** The minimum score of each category, out of 100. */
const WANTED = 95;
const ATTEMPTS = 3;
/** The timings that the performance score is made of. */
const TIMES = ["first-contentful-paint", "largest-contentful-paint", "total-blocking-time"];

/** @param {string} program @param {string[]} given */
async function run(program, given) {
  const started = spawn(program, given, { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(started, "exit");
  if (code !== 0) throw new Error(`${program} ${given.join(" ")}: exit ${code}`);
}

/** @returns {Promise<(url: string, flags: object) => Promise<any>>} */
async function load() {
  const module = `${FOLDER}node_modules/lighthouse/core/index.js`;
  await access(module).catch(() => run("npm", ["install", "--silent", "--no-save", "--prefix", FOLDER, LIGHTHOUSE]));
  return (await import(module)).default;
}

/**
 * Lighthouse sometimes misses the beginning of the browser's trace, and then asks to be run again.
 * @param {(url: string, flags: object) => Promise<any>} audit
 * @param {string} url
 * @param {number} port of the browser's debugger
 */
async function measure(audit, url, port) {
  const flags = { port, logLevel: "silent", output: "json", onlyCategories: CATEGORIES };
  let { lhr } = await audit(url, flags);
  for (let attempt = 1; lhr.runtimeError && attempt < ATTEMPTS; attempt += 1) ({ lhr } = await audit(url, flags));
  return lhr;
}

/**
 * @param {any} report
 * @param {string} page
 * @returns {boolean} whether the page reaches the minimum scores
 */
function judge({ categories, audits, runtimeError }, page) {
  if (runtimeError) {
    console.log(`${page}: could not be measured: ${runtimeError.message}`);
    return false;
  }
  const scores = CATEGORIES.map((id) => ({ id, score: Math.round((categories[id].score ?? 0) * 100) }));
  const times = TIMES.map((id) => `${audits[id].title.toLowerCase()} ${audits[id].displayValue}`);
  console.log(`${page}: ${scores.map(({ id, score }) => `${id} ${score}`).join(", ")}; ${times.join(", ")}`);
  const missed = scores.filter(({ score }) => score < WANTED);
  for (const { id } of missed) {
    for (const { id: audit, weight } of categories[id].auditRefs) {
      const { score, title, displayValue = "" } = audits[audit];
      if (weight > 0 && score !== null && score < 0.9) console.log(`  ${id}: ${title} ${displayValue}`);
    }
  }
  return missed.length === 0;
}

/**
 * Prints the Lighthouse scores for a phone on a slow network, which is its default.
 * @param {import("../support/product.js").Product} product
 * @returns {Promise<boolean>} whether every page reaches the minimum scores
 */
export async function lighthouse(product) {
  const audit = await load();
  const port = 9222 + Math.floor(Math.random() * 1000);
  const browser = await launch({ switches: [`--remote-debugging-port=${port}`] });
  const edge = await startEdge(product.url);
  let good = true;
  try {
    const host = await Person.arrive(product, browser, "Hanna");
    const room = (await host.makeRoom()).slice(product.url.length + 1);
    await host.leave();
    for (const page of [...PAGES, room]) {
      good = judge(await measure(audit, `${edge.url}/${page}`, port), page.replace(/#[\w-]{20,}/, "#a-room")) && good;
    }
  } finally {
    edge.stop();
    await browser.close();
  }
  return good;
}
