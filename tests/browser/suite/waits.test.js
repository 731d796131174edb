/** Signing in after too many attempts: the page says how long to wait, and goes on by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "../support/people.js";
import { browser, product } from "../support/start.js";

/** What the API answers to an attempt that comes too early. @param {number} seconds */
const tooEarly = (seconds) => ({
  status: 429, headers: { "retry-after": String(seconds) }, contentType: "application/json",
  body: '{"error":{"code":"slow_down","message":"x"}}',
});

test("codes typed wrong: the page waits as long as the API says, and signs in with what was typed meanwhile", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true });
  const { page } = ada;
  const email = `waits-${Math.random().toString(36).slice(2, 8)}@example.org`;
  await page.clock.install();
  await ada.open("signup.html");
  await page.getByRole("textbox", { name: "Name" }).fill("Ada");
  await page.getByRole("textbox", { name: "Email" }).fill(email);
  await ada.press("Sign up");
  const code = page.getByRole("textbox", { name: "Code from the email" });
  const right = /\b\d{3}\s?\d{3}\b/.exec((await product.mail(email)).text)?.[0].replace(/\s/, "");
  assert.ok(right);
  await code.fill(right === "000000" ? "000001" : "000000");
  for (let tries = 0; tries < 3; tries += 1) {
    const answered = page.waitForResponse("**/api/login/verify");
    await ada.press("Continue");
    assert.equal((await answered).status(), 400);
    await page.getByRole("alert").getByText("This code does not work.").waitFor();
  }
  await ada.press("Continue");
  // The API's clock is another one, and goes on.
  await page.getByRole("alert").getByText(/^Too many attempts\. This page tries again by itself in \d+ seconds\.$/).waitFor();
  await page.getByRole("timer").getByText(/^\d+ seconds left$/).waitFor();
  await code.fill(right);
  await page.route("**/api/login/verify", (route) => route.fulfill(tooEarly(20)));
  const again = page.waitForRequest("**/api/login/verify");
  await page.clock.runFor(10_000);
  assert.deepEqual((await again).postDataJSON(), { email, code: right });
  await page.getByRole("alert").getByText("in 20 seconds.").waitFor();
  await page.unroute("**/api/login/verify");
  await page.route("**/api/login/verify", (route) => route.fulfill({ json: {} }));
  const signedIn = page.waitForRequest("**/home.html");
  await page.clock.runFor(20_000);
  await signedIn;
  await ada.leave();
});

test("a wait of an hour is told and not waited out", async () => {
  const ada = await Person.arrive(product, browser, "Ada", { guest: true });
  const { page } = ada;
  await page.clock.install();
  let requests = 0;
  await page.route("**/api/login", (route) => {
    requests += 1;
    return route.fulfill(tooEarly(3600));
  });
  await ada.open("login.html");
  await page.getByRole("textbox", { name: "Email" }).fill("ada@example.org");
  await ada.press("Email me a link");
  await page.getByRole("alert").getByText("Too many attempts. Try again in 3600 seconds.").waitFor();
  await page.clock.runFor(3_700_000);
  assert.equal(requests, 1);
  await ada.leave();
});
