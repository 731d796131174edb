/** Pages of other origins in the same browser: they read no mail and throw no switch of `local`, and its user goes on. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { browser, host, product } from "../support/host.js";

/** Another program's pages on this computer, which browsers take for the same site. */
const other = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>other</title>"));
let otherPort = 0;
before(async () => {
  await new Promise((resolve) => other.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = other.address();
  otherPort = address && typeof address === "object" ? address.port : 0;
});
after(() => other.close());

/** Runs in the attacker's page: everything that a page can send without being asked. @param {string} target */
async function attack(target) {
  const mailbox = `${target}/_mail/messages.json`;
  const tries = [
    () => fetch(mailbox, { credentials: "include" }),
    () => fetch(mailbox, { mode: "no-cors" }),
    () => fetch(mailbox, { method: "DELETE" }),
    () => fetch(`${target}/_network/kill-signaling`, { method: "POST", mode: "no-cors", body: "x" }),
    () => fetch(`${target}/_network/kill-signaling`, { method: "POST", mode: "no-cors", referrerPolicy: "no-referrer" }),
    () => fetch(`${target}/_network`, { method: "PUT", headers: { "content-type": "application/json" }, body: '{"drop":1}' }),
    async () => void navigator.sendBeacon(`${target}/_network/kill-signaling`, "x"),
  ];
  const read = [];
  for (const one of tries) read.push(await one().then((response) => response?.text(), () => ""));
  for (const kind of ["script", "img", "iframe"]) {
    const element = /** @type {HTMLScriptElement} */ (document.createElement(kind));
    const ended = new Promise((resolve) => { element.onload = element.onerror = resolve; });
    element.src = mailbox;
    document.body.append(element);
    await ended;
  }
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: `${target}/_network/kill-signaling`, target: "result" });
  const frame = Object.assign(document.createElement("iframe"), { name: "result" });
  const sent = new Promise((resolve) => { frame.onload = resolve; });
  document.body.append(frame, form);
  form.submit();
  await sent;
  return read.filter(Boolean);
}

for (const name of ["localhost", "127.0.0.1"]) {
  test(`a page of another port of ${name}`, async () => {
    const before = await (await fetch(`${product.url}/_mail/messages.json`)).json();
    const context = await browser.newContext();
    const page = await context.newPage();
    /** What the browser sent, and below what it got: it tells of no answer that it keeps from the page. @type {string[]} */
    const sent = [];
    /** @type {string[]} */
    const answered = [];
    const target = `${product.url}/_`;
    page.on("request", (request) => { if (request.url().startsWith(target)) sent.push(`${request.method()} ${request.url()}`); });
    page.on("response", (response) => {
      if (response.url().startsWith(target)) answered.push(`${response.request().method()} ${response.url()} ${response.status()}`);
    });
    await page.goto(`http://${name}:${otherPort}/`);
    assert.deepEqual(await page.evaluate(attack, product.url), []);
    assert.ok(sent.length >= 8, `the attack was not sent: ${sent.join("\n")}`);
    assert.ok(answered.length > 0);
    for (const line of answered) assert.match(line, / 403$/);
    await context.close();
    assert.deepEqual(await (await fetch(`${product.url}/_mail/messages.json`)).json(), before);
    assert.equal((await (await fetch(`${product.url}/_network`)).json()).drop, 0);
    // Whoever runs it reads the mail.
    const mail = await browser.newPage();
    await mail.goto(`${product.url}/_mail`);
    await mail.getByText(host.email).first().waitFor();
    await mail.close();
  });
}
