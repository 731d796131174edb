/** What somebody withdraws ends in the pages of others, and they say why. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seesAndHears } from "../support/media.js";
import { Person } from "../support/people.js";
import { browser, product } from "../support/start.js";

/** Somebody with a copy of the cookies of another person's browser. @param {Person} victim */
async function thiefOf(victim) {
  const thief = await Person.arrive(product, browser, "Thief", { guest: true });
  await thief.context.addCookies(await victim.context.cookies());
  thief.email = victim.email;
  return thief;
}

/** @param {Person} person @param {string} from the page that it was on */
async function isAskedToSignIn(person, from) {
  await person.page.waitForURL((url) => url.pathname === "/login.html");
  assert.ok(new URL(person.page.url()).searchParams.get("next")?.startsWith(from), person.page.url());
  await person.page.getByText("You were signed out. Sign in again to go on.").waitFor();
}

test("signing out on all devices ends the pages of a thief, a call included", async () => {
  const [ada, bob] = await Promise.all(["Ada", "Bob"].map((name) => Person.arrive(product, browser, name)));
  assert.ok(ada && bob);
  await ada.befriend(bob);
  const [calling, waiting] = await Promise.all([thiefOf(ada), thiefOf(ada)]);
  const link = await bob.makeRoom();
  await Promise.all([bob.enter(link), waiting.open("home.html")]);
  await calling.enter(link);
  await seesAndHears(bob, "Ada");
  await waiting.page.getByText("You can be reached").waitFor();
  await ada.post("/logout", { everywhere: true });
  await Promise.all([isAskedToSignIn(calling, "room.html#"), isAskedToSignIn(waiting, "home.html")]);
  assert.equal(calling.asked, 0, "whom the page sends away is not asked whether to stay");
  await bob.page.locator('video[aria-label="Ada"]').waitFor({ state: "detached" });
  for (const person of [ada, bob, calling, waiting]) await person.leave();
});

test("a block looks like going offline, in a page that asks nobody", async () => {
  const [ada, bob] = await Promise.all(["Ada", "Bob"].map((name) => Person.arrive(product, browser, name)));
  assert.ok(ada && bob);
  await ada.befriend(bob);
  await Promise.all([ada.open("home.html"), bob.open("home.html")]);
  const friends = bob.page.getByRole("list", { name: "Friends" });
  await friends.getByText("Online", { exact: true }).waitFor();
  await ada.post("/block", { email: bob.email });
  await friends.getByText("Online", { exact: true }).waitFor({ state: "detached" });
  for (const person of [ada, bob]) await person.leave();
});
