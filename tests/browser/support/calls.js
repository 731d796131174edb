/** Helpers to get into a call, shared by several suites. */
import { seesAndHears } from "./media.js";
import { Person } from "./people.js";

/**
 * @typedef {import("./product.js").Product} Product
 * @typedef {import("playwright-core").Browser} Browser
 */

/**
 * Waits until both see and hear each other.
 * @param {Person} one
 * @param {Person} other
 */
export async function meet(one, other) {
  await Promise.all([seesAndHears(one, other.name), seesAndHears(other, one.name)]);
}

/**
 * Puts Gus into a call with the host, in a new room of hers.
 * @param {Product} product
 * @param {Browser} browser
 * @param {Person} host
 * @param {(gus: Person) => Promise<unknown>} [prepare] before he opens the page
 * @returns {Promise<Person>} Gus
 */
export async function guestInCall(product, browser, host, prepare) {
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  await prepare?.(gus);
  await host.enter(link);
  await gus.enter(link);
  await meet(host, gus);
  return gus;
}

/** What tells somebody that a friend is calling. @param {Person} person */
export const ring = (person) => person.page.getByRole("dialog", { name: /is calling/ });

/** @param {Person} person */
export const accept = (person) => ring(person).getByRole("button", { name: "Accept" }).click();

/**
 * Takes two friends from their home pages into a call.
 * @param {Person} caller
 * @param {Person} friend
 */
export async function callFriend(caller, friend) {
  for (const person of [caller, friend]) {
    await person.open("home.html");
    await person.page.getByText("You can be reached").waitFor();
  }
  await caller.press(`Call ${friend.name}`);
  await accept(friend);
  await meet(caller, friend);
}
