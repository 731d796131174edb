/** Every page and state: axe-core finds nothing, the CSP is never violated, and a screenshot of each is kept. */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, test } from "node:test";
import { launch } from "../support/chromium.js";
import { seesAndHears } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PICTURES = process.env.PEERSYNC_PICTURES ?? fileURLToPath(new URL("../../../target/pictures/", import.meta.url));
/** @type {Array<{ name: string, size: import("playwright-core").ViewportSize, colorScheme: "light" | "dark" }>} */
const LOOKS = [
  { name: "phone-light", size: { width: 390, height: 844 }, colorScheme: "light" },
  { name: "phone-dark", size: { width: 390, height: 844 }, colorScheme: "dark" },
  { name: "desk-dark", size: { width: 1440, height: 900 }, colorScheme: "dark" },
  { name: "desk-light", size: { width: 1440, height: 900 }, colorScheme: "light" },
];

/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  await mkdir(PICTURES, { recursive: true });
  product = await Product.start();
  browser = await launch();
});
after(async () => { await browser?.close(); await product?.stop(); });
afterEach(async () => { for (const context of browser.contexts()) await context.close(); });

/**
 * @param {Person} person
 * @param {string} state
 * @param {typeof LOOKS} [looks]
 */
async function check({ page }, state, looks = LOOKS) {
  // Through the debugging protocol, which the page's CSP does not restrict.
  await page.evaluate(AXE);
  for (const { name, size, colorScheme } of looks) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(async (tags) => {
      const { violations } = await /** @type {any} */ (window).axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
      return violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes.map((/** @type {any} */ node) => node.html.slice(0, 160)).join(" | ")}`);
    }, TAGS);
    assert.deepEqual(found, [], `${state}, ${name}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${state}, ${name}: ${wide} pixels too wide`);
    await page.screenshot({ path: join(PICTURES, `${state}-${name}.png`) });
  }
}

test("pages before signing in", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true });
  for (const page of ["index", "signup", "login", "friendre1", "room"]) {
    await ada.open(`${page}.html${page === "friendre1" ? "#token=x" : ""}`);
    await check(ada, page);
  }
  await ada.open("signup.html");
  await ada.press("Sign up");
  await check(ada, "signup-problem");
  await ada.page.getByRole("textbox", { name: "Name" }).fill("Ada");
  await ada.page.getByRole("textbox", { name: "Email" }).fill("ada.new@example.org");
  await ada.press("Sign up");
  await ada.page.getByRole("heading", { name: "Check your email" }).waitFor();
  await check(ada, "signup-sent");
  await ada.open("login.html#token=x");
  await ada.page.getByRole("button", { name: "Continue" }).waitFor();
  await check(ada, "login-confirm");
  await ada.leave();
});

test("home, lobby and call", async () => {
  const [ada, bob, eve] = await Promise.all(["Ada Lovelace", "Bob", "Eve"].map((name) => Person.arrive(product, browser, name)));
  assert.ok(ada && bob && eve);
  await ada.open("home.html");
  await check(ada, "home-empty");
  await ada.befriend(bob);
  await eve.post("/send-friend-request", { toEmail: ada.email });
  await bob.open("home.html");
  await ada.open("home.html");
  await ada.page.getByText("Online", { exact: true }).waitFor();
  await ada.page.getByRole("searchbox", { name: "Find people" }).fill("Eve");
  await ada.page.getByText(/Found: \d+/).waitFor();
  await check(ada, "home");
  await ada.press(/Account/);
  await check(ada, "account");
  await ada.page.keyboard.press("Escape");

  await ada.press("Call Bob");
  await bob.page.getByRole("dialog", { name: /calling/ }).waitFor();
  await check(bob, "rung");
  await check(ada, "ringing");
  await bob.page.getByRole("dialog", { name: /calling/ }).getByRole("button", { name: "Accept" }).click();
  await Promise.all([seesAndHears(ada, "Bob"), seesAndHears(bob, "Ada Lovelace")]);
  await check(ada, "call");
  await ada.press("Check the connection");
  await ada.page.getByRole("button", { name: "They are the same" }).waitFor();
  await check(ada, "verify");
  await ada.page.keyboard.press("Escape");
  await ada.page.locator("body").press("?");
  await check(ada, "shortcuts");
  await ada.page.keyboard.press("Escape");
  await ada.press("Chat");
  await ada.page.getByRole("textbox", { name: "Message" }).fill("Ready?");
  await ada.page.keyboard.press("Enter");
  await check(ada, "chat");
  await ada.page.keyboard.press("Escape");
  for (const look of LOOKS) {
    await ada.page.setViewportSize(look.size);
    await ada.press("More");
    await check(ada, "menu", [look]);
    await ada.page.keyboard.press("Escape");
  }
  await bob.press("Share screen");
  await seesAndHears(ada, "Screen shared by Bob");
  await check(ada, "screen");
  await bob.press("Turn camera off");
  await bob.press("Leave");
  await ada.page.getByRole("heading", { name: "Call ended" }).waitFor();
  await check(ada, "ended");

  const link = await ada.makeRoom();
  await ada.open(link);
  await check(ada, "lobby");
  await ada.press("Test camera and microphone");
  await ada.page.getByRole("meter", { name: "Microphone level" }).waitFor();
  await check(ada, "lobby-preview");
  await ada.press("Join room");
  await ada.page.getByText("Nobody else is here yet.").waitFor();
  await check(ada, "alone");
  for (const person of [ada, bob, eve]) await person.leave();
});

test("files, devices, and an unreachable server", async () => {
  const hanna = await Person.arrive(product, browser, "Hanna");
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  const link = await hanna.makeRoom();
  await hanna.enter(link);
  await gus.enter(link);
  await Promise.all([seesAndHears(hanna, "Gus"), seesAndHears(gus, "Hanna")]);
  await hanna.press("Chat");
  await gus.press("Chat");
  await gus.page.locator("input[type=file]").setInputFiles([{ name: "chart of the bay.txt", mimeType: "text/plain", buffer: Buffer.from("bay") },
    { name: "tides.txt", mimeType: "text/plain", buffer: Buffer.from("tides") }]);
  await hanna.page.getByRole("button", { name: "Receive" }).first().click();
  await hanna.page.getByRole("link", { name: /^Save / }).waitFor();
  await check(hanna, "files");
  await hanna.page.keyboard.press("Escape");
  await hanna.press("More");
  await hanna.page.getByRole("menuitem", { name: "Camera, microphone, speaker" }).click();
  await hanna.page.getByRole("combobox", { name: "Speaker" }).waitFor();
  await check(hanna, "devices");
  await hanna.page.keyboard.press("Escape");
  await product.network({ drop: 1 });
  await product.cut();
  await hanna.page.getByText("The server is unreachable. Your call goes on.").waitFor();
  await check(hanna, "unreachable");
  await product.network({});
  await hanna.leave();
  await gus.leave();
});

test("a locked room, and a browser that refuses the camera", async () => {
  const hanna = await Person.arrive(product, browser, "Hanna");
  const gus = await Person.arrive(product, browser, "Gus", {
    guest: true, setUp: () => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError")); },
  });
  const link = await hanna.makeRoom();
  await hanna.enter(link);
  await hanna.press("More");
  await hanna.page.getByRole("menuitem", { name: "Lock room" }).click();
  await hanna.page.getByRole("img", { name: /The room is locked/ }).waitFor();
  await gus.open(link);
  await gus.press("Test camera and microphone");
  await gus.page.getByText(/does not let PeerSync use/).waitFor();
  await check(gus, "lobby-refused");
  await gus.page.getByRole("textbox", { name: "Name" }).fill("Gus");
  await gus.press("Join room");
  await gus.page.getByText(/You knocked/).waitFor();
  await hanna.page.getByRole("group", { name: /Gus knocks/ }).waitFor();
  await check(gus, "waiting");
  await check(hanna, "knock");
  await hanna.press("Let in");
  await hanna.page.getByRole("img", { name: "Gus is muted" }).waitFor();
  await check(hanna, "muted");
  await hanna.leave();
  await gus.leave();
});

test("somebody else in a call with a friend, and a link to nobody's call", async () => {
  const [ada, bob, eve] = await Promise.all(["Ada", "Bob", "Eve"].map((name) => Person.arrive(product, browser, name)));
  assert.ok(ada && bob && eve);
  await ada.befriend(bob);
  const link = await eve.makeRoom();
  await eve.enter(link);
  await ada.open(`friendcall.html#to=${encodeURIComponent(bob.email)}&room=${link.split("#")[1]}`);
  await ada.press("Join room");
  const warning = ada.page.getByRole("dialog", { name: "This is not Bob" });
  await warning.waitFor();
  // Whoever types on does not agree by accident.
  assert.ok(await warning.getByRole("button", { name: "Leave" }).evaluate((button) => button === document.activeElement));
  await check(ada, "stranger");
  await warning.getByRole("button", { name: "Talk to them" }).click();
  await seesAndHears(eve, "Ada");
  await check(ada, "stranger-talking");
  await ada.press("Leave");
  await ada.page.goto("about:blank");
  await ada.open(`friendcall.html#to=${encodeURIComponent(eve.email)}`);
  await ada.page.getByRole("heading", { name: "You can only call friends." }).waitFor();
  await check(ada, "no-friend");
  for (const person of [ada, bob, eve]) await person.leave();
});

test("the account deletion dialog, and an answered friend request", async () => {
  const ada = await Person.arrive(product, browser, "Ada");
  const bob = await Person.arrive(product, browser, "Bob");
  await bob.post("/send-friend-request", { toEmail: ada.email });
  await ada.open(`friendre1.html#from=${encodeURIComponent(bob.email)}`);
  await ada.page.getByText("Bob would like to call you on PeerSync.").waitFor();
  await check(ada, "friendre1-asked");
  await ada.press("Accept");
  await ada.page.getByRole("heading", { name: "You are now friends" }).waitFor();
  await check(ada, "friendre1-done");
  await ada.open("friendre1.html");
  await ada.page.getByText(/This link is incomplete/).waitFor();
  await check(ada, "friendre1-broken");
  await ada.open("home.html");
  await ada.press(/Account/);
  await ada.press("Delete account…");
  await ada.page.getByRole("dialog", { name: "Delete your account?" }).waitFor();
  await check(ada, "delete");
  await ada.page.getByRole("button", { name: "Cancel", exact: true }).click();
  await ada.leave();
  await bob.leave();
});

test("a page that does not exist", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true });
  await ada.page.goto(`${product.url}/nothing/here.html`);
  await ada.page.getByRole("heading", { name: "Nothing at this address" }).waitFor();
  await check(ada, "missing", LOOKS.slice(-1));
  await ada.leave();
});

test("another language, chosen by the browser", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true, locale: "de-CH" });
  await ada.open("login.html");
  await ada.page.getByRole("button", { name: "Link zuschicken" }).waitFor();
  assert.equal(await ada.page.evaluate(() => document.documentElement.lang), "de");
  assert.equal(await ada.page.title(), "Anmelden · PeerSync");
  await check(ada, "login-german");
  await ada.leave();
  const uwe = await Person.arrive(product, browser, "Uwe", { locale: "de-DE" });
  await uwe.open("home.html");
  await uwe.page.getByText("Du bist erreichbar").waitFor();
  await check(uwe, "home-german");
  await uwe.open(await uwe.makeRoom());
  await uwe.press("Kamera und Mikrofon testen");
  await uwe.page.getByRole("meter").waitFor();
  await check(uwe, "lobby-german");
  await uwe.press("Raum betreten");
  await uwe.page.getByText("Noch ist niemand sonst da.").waitFor();
  await check(uwe, "alone-german");
  await uwe.page.locator("body").press("?");
  await uwe.page.getByRole("dialog").waitFor();
  await check(uwe, "shortcuts-german");
  await uwe.leave();
});

test("more contrast and less motion, as the system asks", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true, contrast: "more", reducedMotion: "reduce", colorScheme: "dark" });
  await ada.open("signup.html");
  await check(ada, "signup-contrast", [{ name: "desk", size: { width: 1440, height: 900 }, colorScheme: "dark" }]);
  assert.equal(await ada.page.evaluate(() => getComputedStyle(document.querySelector(".button") ?? document.body).transitionDuration), "0s");
  await ada.leave();
});
