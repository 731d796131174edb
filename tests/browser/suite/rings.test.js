/** Calls between friends, from ringing to hanging up. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accept, meet, ring } from "../support/calls.js";
import { launch } from "../support/chromium.js";
import { seesAndHears } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
/** It takes 45 seconds until nobody has answered: that one rings while the others are tested. @type {ReturnType<typeof friends>} */
let unanswered;
before(async () => {
  product = await Product.start();
  browser = await launch();
  unanswered = ringUnanswered();
  await unanswered;
});
after(async () => { await browser?.close(); await product?.stop(); });

/** Two friends on their home pages, each with a browser. */
async function friends() {
  const [one, other] = await Promise.all(["Ada", "Bob"].map((name) => Person.arrive(product, browser, name)));
  assert.ok(one && other);
  await one.befriend(other);
  await Promise.all([one.open("home.html"), other.open("home.html")]);
  await one.page.getByText("You can be reached").waitFor();
  await other.page.getByText("You can be reached").waitFor();
  return { ada: one, bob: other };
}

async function ringUnanswered() {
  const { ada, bob } = await friends();
  await ada.page.goto(`${product.url}/friendcall.html#to=${encodeURIComponent(bob.email)}`);
  for (const device of ["camera", "microphone"]) await ada.page.getByRole("checkbox", { name: `Join with ${device}` }).uncheck();
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  return { ada, bob };
}

test("a friend calls, the other accepts, both see and hear each other, and hang up", async () => {
  const { ada, bob } = await friends();
  await ada.page.getByRole("list", { name: "Friends" }).getByText("Online", { exact: true }).waitFor();
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  assert.match(await bob.page.title(), /Ada is calling|PeerSync/);
  await accept(bob);
  await meet(ada, bob);
  assert.ok(await ada.page.locator('video[aria-label="You"]').evaluate((video) => /** @type {HTMLVideoElement} */ (video).videoWidth > 0));

  await ada.press("Mute microphone");
  await bob.page.getByRole("img", { name: "Ada is muted" }).waitFor();
  await ada.press("Unmute microphone");
  await ada.press("Turn camera off");
  await bob.page.locator('.tile[data-off="true"]').waitFor();
  await ada.press("Turn camera on");
  await bob.page.locator('.tile[data-off="false"]').waitFor();
  await seesAndHears(bob, "Ada");

  await ada.press("Leave");
  for (const person of [ada, bob]) await person.page.getByRole("heading", { name: "Call ended" }).waitFor();
  await ada.leave();
  await bob.leave();
});

test("reject and cancel are shown on both sides", async () => {
  const { ada, bob } = await friends();
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  await ada.press("Cancel call");
  await ada.page.getByRole("heading", { name: "You hung up before Bob answered." }).waitFor();
  await bob.page.getByText("You missed a call from Ada.").first().waitFor();
  await ring(bob).waitFor({ state: "detached" });

  // While it rings, "Leave" does the same as "Cancel call".
  await ada.press("Call again");
  await ring(bob).waitFor();
  await ada.press("Leave");
  await bob.page.getByText("You missed 2 calls from Ada.").waitFor();
  await ring(bob).waitFor({ state: "detached" });

  await ada.press("Call again");
  await ring(bob).getByRole("button", { name: "Reject" }).click();
  await ada.page.getByRole("heading", { name: "Bob cannot talk right now." }).waitFor();
  await ring(bob).waitFor({ state: "detached" });
  await ada.leave();
  await bob.leave();
});

test("every tab rings, the first to accept wins, and the others stop", async () => {
  const { ada, bob } = await friends();
  const second = await bob.context.newPage();
  await second.goto(`${product.url}/home.html`);
  await second.getByText("You can be reached").waitFor();
  await ada.press("Call Bob");
  const there = second.getByRole("dialog", { name: "Ada is calling" });
  await Promise.all([ring(bob).waitFor(), there.waitFor()]);
  await there.getByRole("button", { name: "Accept" }).click();
  await ring(bob).waitFor({ state: "detached" });
  await bob.page.getByText("Answered in another window.").waitFor();
  await second.locator('video[aria-label="Ada"]').waitFor();
  await seesAndHears(ada, "Bob");
  await ada.leave();
  await bob.leave();
});

/** Runs in the page: pretends that it is behind another window, and records its desktop notifications. */
function behindAnotherWindow() {
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  const own = /** @type {any} */ (window);
  own.notifications = [];
  const Native = Notification;
  window.Notification = class extends Native {
    /** @param {string} title @param {NotificationOptions} [options] */
    constructor(title, options) {
      super(title, options);
      const note = { body: options?.body, closed: false };
      own.notifications.push(note);
      this.close = () => { note.closed = true; super.close(); };
    }
  };
}

test("a page behind another window shows a desktop notification for a call, if allowed", async () => {
  const ada = await Person.arrive(product, browser, "Ada");
  const bob = await Person.arrive(product, browser, "Bob", { setUp: behindAnotherWindow });
  await bob.context.grantPermissions(["camera", "microphone", "notifications"], { origin: product.url });
  await ada.befriend(bob);
  for (const person of [ada, bob]) {
    await person.open("home.html");
    await person.page.getByText("You can be reached").waitFor();
  }
  const told = () => bob.page.evaluate(() => /** @type {any} */ (window).notifications);
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  assert.deepEqual(await told(), [{ body: "Ada is calling", closed: false }]);
  await ada.press("Cancel call");
  await ring(bob).waitFor({ state: "detached" });
  assert.deepEqual(await told(), [{ body: "Ada is calling", closed: true }, { body: "You missed a call from Ada.", closed: false }]);
  await ada.leave();
  await bob.leave();
});

test("no camera is turned on by a link alone", async () => {
  const { ada, bob } = await friends();
  await ada.page.evaluate(() => { /** @type {any} */ (window).opened = 0; });
  await ada.page.goto(`${product.url}/friendcall.html#to=${encodeURIComponent(bob.email)}`);
  await ada.page.getByRole("heading", { name: "Call Bob?" }).waitFor();
  assert.equal(await ada.page.locator("#preview").evaluate((video) => /** @type {HTMLVideoElement} */ (video).srcObject), null);
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  await ada.leave();
  await bob.leave();
});

test("an unanswered call is shown on both sides", async () => {
  const { ada, bob } = await unanswered;
  await ada.page.getByRole("heading", { name: "Bob did not answer." }).waitFor({ timeout: 70_000 });
  await bob.page.getByText("You missed a call from Ada.").first().waitFor();
  await ada.leave();
  await bob.leave();
});
