/** A full room: four people who all see and hear each other, and a fifth who is told that the room is full. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { framesOfEach, seesAndHears, until } from "../support/media.js";
import { Person } from "../support/people.js";
import { browser, product } from "../support/start.js";

const NAMES = ["Gus", "Gil", "Lea"];

test("four people see and hear each other; the fifth is told that the room is full, and gets in when somebody leaves", async () => {
  const host = await Person.arrive(product, browser, "Hanna");
  const link = await host.makeRoom();
  await host.enter(link);
  const guests = [];
  for (const name of NAMES) {
    const guest = await Person.arrive(product, browser, name, { guest: true });
    await guest.enter(link);
    guests.push(guest);
  }
  const all = [host, ...guests];
  await Promise.all(all.map((person) => seesAndHears(person, ...all.filter((one) => one !== person).map(({ name }) => name))));
  const before = await Promise.all(all.map(({ page }) => framesOfEach(page)));
  for (const [index, person] of all.entries()) {
    assert.equal(before[index]?.length, 3, `${person.name}'s connections`);
    await until(async () => (await framesOfEach(person.page)).every((frames, one) => frames > (before[index]?.[one] ?? Infinity)),
      () => `${person.name} does not get new pictures of everybody`);
    assert.equal(await person.page.locator(".tile").count(), 3);
  }

  const fifth = await Person.arrive(product, browser, "Pia", { guest: true });
  await fifth.open(link);
  await fifth.page.getByRole("textbox", { name: "Name" }).fill("Pia");
  await fifth.press("Join room");
  await fifth.page.getByText("This room is full.").waitFor();
  assert.equal(await host.page.locator(".tile").count(), 3);

  await guests[0]?.press("Leave");
  await host.page.locator('video[aria-label="Gus"]').waitFor({ state: "detached" });
  await fifth.press("Join room");
  await seesAndHears(fifth, "Hanna", "Gil", "Lea");
  for (const person of [...all, fifth]) await person.leave();
});
