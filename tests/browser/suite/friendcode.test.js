/** The verification code: compared with a friend once, remembered, and reported if it changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { callFriend } from "../support/calls.js";
import { Person } from "../support/people.js";
import { browser, product } from "../support/start.js";

/**
 * @param {Person} ada
 * @param {Person} bob
 */
async function hangUp(ada, bob) {
  await ada.press("Leave");
  for (const person of [ada, bob]) await person.page.getByRole("heading", { name: "Call ended" }).waitFor();
}

test("a compared device is recognised; a new one is reported until it is compared", async () => {
  const [ada, bob] = await Promise.all(["Ada", "Bob"].map((name) => Person.arrive(product, browser, name)));
  assert.ok(ada && bob);
  await ada.befriend(bob);
  const changed = /^Bob uses another device or browser/;

  await callFriend(ada, bob);
  await ada.press("Check the connection");
  await ada.press("They are the same");
  await ada.page.getByText("You have compared this device before, and it is still the same one.").waitFor();
  await ada.page.keyboard.press("Escape");
  await hangUp(ada, bob);

  await callFriend(ada, bob);
  await ada.press("Check the connection");
  await ada.page.getByText("You have compared this device before, and it is still the same one.").waitFor();
  assert.equal(await ada.page.getByText(changed).count(), 0);
  await ada.page.keyboard.press("Escape");
  await hangUp(ada, bob);

  // Bob on a new phone: the same account, another certificate.
  await bob.page.evaluate(() => new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase("peersync");
    request.onsuccess = resolve;
    request.onerror = reject;
  }));
  await callFriend(ada, bob);
  await ada.page.locator(".toast").getByText(changed).waitFor();
  await ada.press("Dismiss");
  await ada.press("Check the connection");
  await ada.page.getByRole("dialog").getByText(changed).waitFor();
  await ada.press("They are the same");
  await ada.page.getByText("You have compared this device before, and it is still the same one.").waitFor();
  await ada.page.keyboard.press("Escape");
  await hangUp(ada, bob);
  await ada.leave();
  await bob.leave();
});
