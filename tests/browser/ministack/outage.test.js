/** The database goes away during a call: those inside go on, nobody new gets in, and pages say so until it is back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { meet } from "../support/calls.js";
import { launch } from "../support/chromium.js";
import { databaseOf } from "../support/database.js";
import { received, seesAndHears, until } from "../support/media.js";
import { startMiniStack } from "../support/ministack.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

/** @type {Awaited<ReturnType<typeof startMiniStack>>} */
let emulator;
/** @type {Awaited<ReturnType<typeof databaseOf>>} */
let database;
/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  emulator = await startMiniStack();
  database = await databaseOf(emulator.url);
  product = await Product.start({ endpoint: database.url });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await product?.stop();
  await database?.stop();
  await emulator?.stop();
});

/** Opens the page of a room as a guest. @param {string} name @param {string} link */
async function atTheDoor(name, link) {
  const person = await Person.arrive(product, browser, name, { guest: true });
  await person.open(link);
  return person;
}

/** Types the name: from then on the page is prepared to join. @param {Person} person */
async function typesTheName({ page, name }) {
  const connected = page.waitForEvent("websocket");
  await page.getByRole("textbox", { name: "Name" }).fill(name);
  await (await connected).waitForEvent("framereceived");
}

test("without the database a call goes on and says so, nobody new gets in, and whoever waits does once it is back", async () => {
  assert.match(product.parts.DynamoDB ?? "", /^at http/);
  const ada = await Person.arrive(product, browser, "Ada");
  const link = await ada.makeRoom();
  const [gus, tom, eve] = [await atTheDoor("Gus", link), await atTheDoor("Tom", await ada.makeRoom("Quiet talk")), await atTheDoor("Eve", link)];
  await ada.enter(link);
  await typesTheName(gus);
  await gus.press("Join room");
  await gus.page.locator(".call").waitFor();
  await meet(ada, gus);
  // Tom has a ticket and a connection to the signaling server, for a room in which nobody is. Eve has neither.
  await typesTheName(tom);

  database.leave();
  const before = await received(ada.page);
  await tom.press("Join room");
  await eve.page.getByRole("textbox", { name: "Name" }).fill("Eve");
  await eve.press("Join room");
  await tom.page.getByText("The server is busy. Try again in a moment.").waitFor();
  // In this process the API waits longer for its database than a function does, and a page not as long.
  await eve.page.getByText(/^The server (is busy|cannot be reached)\./).waitFor();
  const saysSo = "The server cannot look anybody up at the moment. Your call goes on, but nobody new can join.";
  for (const { page } of [ada, gus]) await page.getByText(saysSo).first().waitFor();
  await until(async () => (await received(ada.page)).frames > before.frames + 20, () => "Ada gets no new pictures");
  await meet(ada, gus);
  await ada.page.getByRole("button", { name: "Chat" }).click();
  await ada.page.getByRole("textbox", { name: "Message" }).fill("still here");
  await ada.page.keyboard.press("Enter");
  await gus.page.getByText("still here").first().waitFor({ state: "attached" });
  for (const person of [tom, eve]) assert.equal(await person.page.locator(".call").count(), 0, person.name);

  database.comeBack();
  for (const person of [tom, eve]) await person.page.locator(".call").waitFor();
  await seesAndHears(ada, "Eve");
  for (const person of [tom, eve, gus, ada]) await person.leave();
});
