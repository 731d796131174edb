/**
 * A person with a browser in the network lab: node person.js BROWSER NAME.
 *
 * Takes one request a line on standard input, {"do": NAME, ...}, and answers each with one line, {"ok": VALUE} or
 * {"error": TEXT}. Ends with its browser when standard input closes, which happens however the test ends.
 */
import { createInterface } from "node:readline";
import { launch } from "./browsers.js";
import { connections, surroundings, watch, watchPictures } from "./watch.js";

/** How long anything in a page may take, in milliseconds: test machines are busy. */
const PATIENCE_MS = 45_000;
/** The number of new frames of each person that prove a moving picture. */
const FRAMES = 10;

const [kind = "chromium", name = "Somebody"] = process.argv.slice(2);
const browser = await launch(kind);
const page = await browser.newPage();
page.setDefaultTimeout(PATIENCE_MS);
await page.evaluateOnNewDocument(watch);
/** What Firefox reports like errors of a script: a connection that the network prevents, and advice. */
const EXPECTED = /establish a connection|slows down discovery/;
/** Errors of the page's own scripts, which must never happen. @type {string[]} */
const problems = [];
page.on("pageerror", (error) => {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  if (!EXPECTED.test(text)) problems.push(text);
});

// The question whether to leave a call.
page.on("dialog", (dialog) => void dialog.accept());

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * @param {() => Promise<boolean>} holds
 * @param {string} complaint
 */
async function until(holds, complaint) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(complaint);
    await pause(100);
  }
}

/** @param {string} role @param {string} label */
const control = (role, label) => page.locator(`::-p-aria([role="${role}"][name="${label}"])`);

/** @type {Record<string, (request: any) => Promise<unknown>>} */
const requests = {
  open: async ({ url }) => {
    await page.goto(url);
    await page.waitForFunction(() => document.documentElement.dataset.ready);
  },
  fill: ({ label, text }) => control("textbox", label).fill(text),
  press: ({ label }) => control("button", label).click(),
  text: async ({ text }) => { await page.waitForFunction((wanted) => document.body.innerText.includes(wanted), {}, text); },

  // Opens a room and joins it.
  join: async ({ url }) => {
    await requests.open?.({ url });
    await control("textbox", "Name").fill(name);
    await control("button", "Join room").click();
    await page.waitForSelector(".call");
  },

  // Waits for moving pictures of this many people, and returns the connections to them.
  see: async ({ people }) => {
    /** @type {import("./watch.js").Connection[]} */
    let first = [];
    /** @type {import("./watch.js").Connection[]} */
    let now = [];
    await until(async () => {
      now = await page.evaluate(connections);
      if (now.length !== people) first = [];
      else if (first.length !== people) first = now;
      return first.length === people && now.every(({ frames }, index) => frames >= (first[index]?.frames ?? 0) + FRAMES);
    }, `no moving picture of ${people} others within ${PATIENCE_MS / 1000} s: ${JSON.stringify(now)}`);
    return now;
  },

  connections: () => page.evaluate(connections),
  watch: () => page.evaluate(watchPictures),
  // Returns the longest time without a new picture since `watch`, in milliseconds.
  gap: () => page.evaluate(() => Math.round(/** @type {any} */ (window).longestGap)),
  surroundings: () => page.evaluate(surroundings),
};

/** @param {unknown} answer */
const tell = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
tell({ ok: await browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    const ok = (await requests[request.do]?.(request)) ?? null;
    if (problems.length > 0) throw new Error(problems.join("\n"));
    tell({ ok });
  } catch (error) {
    const seen = await page.evaluate(surroundings).catch((reason) => String(reason));
    tell({ error: `${request.do}: ${error}`, seen });
  }
}
await browser.close();
process.exit(0);
