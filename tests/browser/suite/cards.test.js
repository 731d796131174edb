/** Cards of people who knock or ring: one for each person, gone when the person is, none for a while after a refusal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, host, product } from "../support/host.js";
import { ring } from "../support/calls.js";
import { Person } from "../support/people.js";
import { keepSockets, told } from "../support/sockets.js";

const knocks = (/** @type {Person} */ person) => person.page.getByRole("group", { name: /knocks/ });

/** Checks that the messages leave the window, of 1000 by 700 pixels, as it is. @param {Person} person */
async function fits({ page }) {
  const [bottom, wide] = await page.evaluate(() => [
    document.getElementById("toasts")?.getBoundingClientRect().bottom ?? 0, document.documentElement.scrollWidth - innerWidth,
  ]);
  assert.ok(bottom > 0 && bottom <= 700 && wide <= 0, `the messages end at ${bottom}, ${wide} pixels too wide`);
}

/** @param {(id: number) => string} name of each */
const knock = (name) => (/** @type {number} */ id) => ({ type: "knock", room: "r", peer: `peer ${id}`, name: name(id), guest: true });
const numbers = (/** @type {number} */ count) => Array.from({ length: count }, (_, index) => index);

test("of twenty-one people who knocked twenty have gone: one card, with what is known about them", async () => {
  const hanna = await Person.arrive(product, browser, "Hanna", { setUp: keepSockets });
  await hanna.enter(await hanna.makeRoom());
  const title = await hanna.page.title();
  await told(hanna, numbers(21).map(knock((id) => `Guest ${id}`)));
  await knocks(hanna).nth(20).waitFor();
  await fits(hanna);
  await told(hanna, numbers(20).map((id) => ({ type: "peer-left", peer: `peer ${id}` })));
  await knocks(hanna).nth(1).waitFor({ state: "detached" });
  assert.equal(await knocks(hanna).count(), 1);
  assert.match(await knocks(hanna).innerText(), /^G2?\s*Guest 20 knocks and would like to come in\.\s+guest\b/);
  // Somebody else inside let the last one in.
  await told(hanna, [{ type: "peer-left", peer: "peer 20" }]);
  await knocks(hanna).waitFor({ state: "detached" });
  assert.equal(await hanna.page.title(), title);
  await hanna.leave();
});

test("many knocks in one name are one card that says how many they are", async () => {
  const hanna = await Person.arrive(product, browser, "Hanna", { setUp: keepSockets });
  await hanna.enter(await hanna.makeRoom());
  await told(hanna, numbers(8).map(knock(() => "Bob")));
  await knocks(hanna).getByText("guest × 8").waitFor();
  assert.equal(await knocks(hanna).count(), 1);
  await told(hanna, [{ type: "peer-left", peer: "peer 0" }]);
  await knocks(hanna).getByText("guest × 7").waitFor();
  await hanna.leave();
});

test("whoever was not let in gets no new card at once; others do", async () => {
  const link = await host.makeRoom();
  await host.enter(link);
  await host.press("More");
  await host.page.getByRole("menuitem", { name: "Lock room" }).click();
  const [gus, gil] = await Promise.all(["Gus", "Gil"].map((name) => Person.arrive(product, browser, name, { guest: true })));
  assert.ok(gus && gil);
  /** @param {Person} person */
  const come = async (person) => {
    await person.open(link);
    await person.page.getByRole("textbox", { name: "Name" }).fill(person.name);
    await person.press("Join room");
  };
  await come(gus);
  await host.press("Not now");
  await gus.page.getByText("You were not let in.").waitFor();
  await gus.press("Join room");
  await come(gil);
  await host.page.getByRole("group", { name: /Gil knocks/ }).waitFor();
  assert.equal(await knocks(host).count(), 1);
  await host.press("Let in");
  await gil.page.locator(".call").waitFor();
  await knocks(host).waitFor({ state: "detached" });
  for (const person of [gus, gil]) await person.leave();
});

test("a card goes when the person at the door goes", async () => {
  const link = await host.makeRoom();
  await host.enter(link);
  await host.press("More");
  await host.page.getByRole("menuitem", { name: "Lock room" }).click();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  await gus.open(link);
  await gus.page.getByRole("textbox", { name: "Name" }).fill("Gus");
  await gus.press("Join room");
  await knocks(host).waitFor();
  await gus.leave();
  await knocks(host).waitFor({ state: "detached" });
});

test("forty-five missed calls of one friend are one message, and of forty-five friends they still fit into the window", async () => {
  const bob = await Person.arrive(product, browser, "Bob", { setUp: keepSockets });
  await bob.open("home.html");
  await bob.page.getByText("You can be reached").waitFor();
  const calls = (/** @type {(id: number) => string} */ from) => numbers(45).flatMap((id) =>
    [{ type: "rung", from: from(id), name: "Ada", room: `room ${id}` }, { type: "missed", from: from(id), room: `room ${id}` }]);
  await told(bob, calls(() => "ada@example.org"));
  await bob.page.getByText("You missed 45 calls from Ada.").waitFor();
  assert.equal(await bob.page.locator(".toast").count(), 1);
  assert.equal(await ring(bob).count(), 0);
  await fits(bob);
  await told(bob, calls((id) => `ada${id}@example.org`));
  assert.ok(await bob.page.locator(".toast").count() <= 5);
  await fits(bob);
  // Neither is a count lost with a message that gave way, nor does it outlive its dismissal.
  await told(bob, calls(() => "ada@example.org").slice(0, 2));
  const many = bob.page.locator(".toast").filter({ hasText: /You missed 4\d calls/ });
  await many.getByText("You missed 46 calls from Ada.").waitFor();
  await many.getByRole("button", { name: "Dismiss" }).click();
  await told(bob, calls(() => "ada@example.org").slice(0, 2));
  assert.equal(await many.count(), 0);
  await bob.leave();
});

test("rings of one friend to many rooms are one card; a refusal refuses all, and the next ones are silent for a while", async () => {
  const bob = await Person.arrive(product, browser, "Bob", { setUp: keepSockets });
  await bob.open("home.html");
  await bob.page.getByText("You can be reached").waitFor();
  const rung = (/** @type {number} */ id) => ({ type: "rung", from: "ada@example.org", name: "Ada", room: `room ${id}` });
  await told(bob, numbers(8).map(rung));
  await ring(bob).getByText("ada@example.org").waitFor();
  assert.equal(await ring(bob).count(), 1);
  await ring(bob).getByRole("button", { name: "Reject" }).click();
  await ring(bob).waitFor({ state: "detached" });
  await told(bob, numbers(8).map((id) => rung(id + 8)));
  // Another friend is not kept out.
  await told(bob, [{ type: "rung", from: "cy@example.org", name: "Cy", room: "another" }]);
  await bob.page.getByRole("dialog", { name: "Cy is calling" }).waitFor();
  assert.equal(await ring(bob).count(), 1);
  await told(bob, [{ type: "missed", from: "cy@example.org", room: "another" }]);
  await ring(bob).waitFor({ state: "detached" });
  await bob.leave();
});
