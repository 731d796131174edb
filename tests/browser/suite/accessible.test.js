/** Every page and state: axe-core finds nothing, the policy is never violated, and a picture of each is kept. */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { launch } from "../support/chromium.js";
import { seesAndHears } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PICTURES = process.env.PEERSYNC_PICTURES ?? fileURLToPath(new URL("../../../target/pictures/", import.meta.url));
/** @type {Array<{ name: string, options: import("playwright-core").BrowserContextOptions }>} */
const LOOKS = [
  { name: "phone-light", options: { viewport: { width: 390, height: 844 }, colorScheme: "light", hasTouch: true } },
  { name: "phone-dark", options: { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true } },
  { name: "desk-light", options: { viewport: { width: 1440, height: 900 }, colorScheme: "light" } },
  { name: "desk-dark", options: { viewport: { width: 1440, height: 900 }, colorScheme: "dark" } },
];

/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  await mkdir(PICTURES, { recursive: true });
  [product, browser] = await Promise.all([Product.start(), launch()]);
});
after(async () => { await browser?.close(); await product?.stop(); });

/**
 * @param {Person} person
 * @param {string} look
 * @param {string} state
 */
async function check(person, look, state) {
  const { page } = person;
  // By the debugger's protocol, which the page's policy does not concern.
  await page.evaluate(AXE);
  const found = await page.evaluate(async (tags) => {
    const { violations } = await /** @type {any} */ (window).axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
    return violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.map((/** @type {any} */ node) => node.html.slice(0, 160)).join(" | ")}`);
  }, TAGS);
  assert.deepEqual(found, [], `${state}, ${look}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${state}, ${look}: ${wide} pixels too wide`);
  await page.screenshot({ path: join(PICTURES, `${state}-${look}.png`) });
}

for (const { name: look, options } of LOOKS) {
  test(`pages before signing in, ${look}`, async () => {
    const ada = await Person.arrive(product, browser, "Ada", { ...options, guest: true });
    for (const page of ["index", "signup", "login", "friendre1", "room"]) {
      await ada.open(`${page}.html${page === "friendre1" ? "#token=x&name=Bob" : ""}`);
      await check(ada, look, page);
    }
    await ada.open("signup.html");
    await ada.press("Sign up");
    await check(ada, look, "signup-problem");
    await ada.page.getByRole("textbox", { name: "Name" }).fill("Ada");
    await ada.page.getByRole("textbox", { name: "Email" }).fill(`ada-${look}@example.org`);
    await ada.press("Sign up");
    await ada.page.getByRole("heading", { name: "Look into your mailbox" }).waitFor();
    await check(ada, look, "signup-sent");
    await ada.open("login.html#token=x");
    await ada.page.getByRole("button", { name: "Continue" }).waitFor();
    await check(ada, look, "login-confirm");
    await ada.leave();
  });

  test(`home, lobby and call, ${look}`, async () => {
    const [ada, bob, eve] = await Promise.all(["Ada Lovelace", "Bob", "Eve"].map((name) => Person.arrive(product, browser, name, options)));
    assert.ok(ada && bob && eve);
    await ada.open("home.html");
    await check(ada, look, "home-empty");
    await ada.befriend(bob);
    await eve.post("/send-friend-request", { toEmail: ada.email });
    await bob.open("home.html");
    await ada.open("home.html");
    await ada.page.getByText("Online").waitFor();
    await ada.page.getByRole("searchbox", { name: "Find people" }).fill("Eve");
    await ada.page.getByText(/Found: \d+/).waitFor();
    await check(ada, look, "home");
    await ada.press(/Account/);
    await check(ada, look, "account");
    await ada.page.keyboard.press("Escape");

    await ada.press("Call Bob");
    await bob.page.getByRole("dialog", { name: /calling/ }).waitFor();
    await check(bob, look, "rung");
    await check(ada, look, "ringing");
    await bob.page.getByRole("dialog", { name: /calling/ }).getByRole("button", { name: "Accept" }).click();
    await Promise.all([seesAndHears(ada, "Bob"), seesAndHears(bob, "Ada Lovelace")]);
    await check(ada, look, "call");
    await ada.press("Check the connection");
    await ada.page.getByRole("button", { name: "They are the same" }).waitFor();
    await check(ada, look, "verify");
    await ada.page.keyboard.press("Escape");
    await ada.page.locator("body").press("?");
    await check(ada, look, "shortcuts");
    await ada.page.keyboard.press("Escape");
    await ada.press("Chat");
    await ada.page.getByRole("textbox", { name: "Message" }).fill("Shall we?");
    await ada.page.keyboard.press("Enter");
    await check(ada, look, "chat");
    await ada.page.keyboard.press("Escape");
    await ada.press("More");
    await check(ada, look, "menu");
    await ada.page.keyboard.press("Escape");
    await bob.press("Share screen");
    await seesAndHears(ada, "Screen shared by Bob");
    await check(ada, look, "screen");
    await bob.press("Turn camera off");
    await bob.press("Leave");
    await ada.page.getByRole("heading", { name: "Call ended" }).waitFor();
    await check(ada, look, "ended");

    const link = await ada.makeRoom();
    await ada.open(link);
    await check(ada, look, "lobby");
    await ada.press("Test camera and microphone");
    await ada.page.getByRole("meter", { name: "Microphone level" }).waitFor();
    await check(ada, look, "lobby-preview");
    await ada.press("Join room");
    await ada.page.getByText("Nobody else is here yet.").waitFor();
    await check(ada, look, "alone");
    for (const person of [ada, bob, eve]) await person.leave();
  });
}

test("a page that is not there", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true });
  await ada.page.goto(`${product.url}/nothing/here.html`);
  await ada.page.getByRole("heading", { name: "Nothing at this address" }).waitFor();
  await check(ada, "desk-light", "missing");
  await ada.leave();
});

test("another language, chosen by the browser", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true, locale: "de-CH" });
  await ada.open("login.html");
  await ada.page.getByRole("button", { name: "Link zuschicken" }).waitFor();
  assert.equal(await ada.page.evaluate(() => document.documentElement.lang), "de");
  await check(ada, "desk-light", "login-german");
  await ada.leave();
});

test("more contrast and less motion, as the system asks", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true, contrast: "more", reducedMotion: "reduce", colorScheme: "dark" });
  await ada.open("signup.html");
  await check(ada, "desk-contrast", "signup");
  assert.equal(await ada.page.evaluate(() => getComputedStyle(document.querySelector(".button") ?? document.body).transitionDuration), "0s");
  await ada.leave();
});
