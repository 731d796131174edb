/** A short run of the product on MiniStack: pages from the bucket, the API through API Gateway and real functions. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { callFriend } from "../support/calls.js";
import { launch } from "../support/chromium.js";
import { startMiniStack } from "../support/ministack.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

/** @type {Awaited<ReturnType<typeof startMiniStack>>} */
let emulator;
/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  emulator = await startMiniStack();
  product = await Product.start({ endpoint: emulator.url });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await product?.stop();
  await emulator?.stop();
});

/**
 * Signs up on the page and opens the link in the email, as a person does.
 * @param {string} name
 */
async function signUp(name) {
  const person = await Person.arrive(product, browser, name, { guest: true });
  person.email = `${name.toLowerCase()}@example.org`;
  await person.open("signup.html");
  await person.page.getByRole("textbox", { name: "Name" }).fill(name);
  await person.page.getByRole("textbox", { name: "Email" }).fill(person.email);
  await person.press("Sign up");
  await person.page.getByRole("heading", { name: "Check your email" }).waitFor();
  await person.open(link((await product.mail(person.email)).text, "login.html"));
  await person.press("Continue");
  await person.page.getByRole("heading", { name: `Hello, ${name}` }).waitFor();
  return person;
}

/** @param {string} text of a mail @param {string} page */
function link(text, page) {
  const found = text.split(/\s+/).find((word) => word.startsWith(`${product.url}/${page}#`));
  assert.ok(found, `no link to ${page} in: ${text}`);
  return found;
}

test("sign up, mail, sign in, befriend, call", async () => {
  assert.match(product.parts.Pages ?? "", /^at http/);
  assert.match(product.parts.API ?? "", /^at http/);
  assert.match(product.parts.DynamoDB ?? "", /^at http/);
  const ada = await signUp("Ada");
  const bob = await signUp("Bob");

  await ada.page.getByRole("searchbox", { name: "Find people" }).fill(bob.email);
  await ada.press("Add Bob as a friend");
  const request = await product.mail(bob.email, (mail) => mail.text.includes("friendre1.html#"));
  await bob.open(link(request.text, "friendre1.html"));
  await bob.press("Accept");
  await bob.page.getByRole("heading", { name: "You are now friends" }).waitFor();

  await callFriend(ada, bob);
  await ada.press("Leave");
  for (const person of [ada, bob]) await person.page.getByRole("heading", { name: "Call ended" }).waitFor();
  await ada.leave();
  await bob.leave();
});
