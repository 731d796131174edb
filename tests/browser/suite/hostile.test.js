/** Hostile input from others: names, chat lines and files are only ever shown as text. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { browser, host, product } from "../support/host.js";
import { seesAndHears, until } from "../support/media.js";
import { Person } from "../support/people.js";
import { keepSockets, say } from "../support/sockets.js";

const MARKUP = "<img src=x onerror=\"document['title']='owned'\">";
const TURNED = "Gus\u202egnp.exe\u2066";

/** Checks that nothing became an element, ran as a script, or broke the page's layout. */
async function unharmed() {
  const { page } = host;
  assert.equal(await page.locator("img[src=x], script:not([src])").count(), 0);
  assert.doesNotMatch(await page.title(), /owned/);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
}

for (const [name, shown] of [[MARKUP, MARKUP], ["Gus\u202egnp\u2066", "Gusgnp"]]) {
  test(`a guest called ${JSON.stringify(name)}`, async () => {
    const link = await host.makeRoom();
    const gus = await Person.arrive(product, browser, name ?? "", { guest: true });
    await host.enter(link);
    await gus.enter(link);
    await seesAndHears(host, shown ?? "");
    assert.equal(await host.page.locator(".tile .tile-name").textContent(), shown);
    await unharmed();
    await gus.leave();
  });
}

test("a member with markup for a name, in the requests, the search and a link", async () => {
  const gus = await Person.arrive(product, browser, MARKUP);
  await gus.post("/send-friend-request", { toEmail: host.email });
  await host.page.goto(`${product.url}/home.html`);
  await host.page.getByText(MARKUP).first().waitFor();
  await unharmed();
  await host.page.getByRole("searchbox", { name: "Find people" }).fill(gus.email);
  await host.page.getByText(gus.email).first().waitFor();
  await unharmed();
  await host.page.goto(`${product.url}/friendre1.html#from=${encodeURIComponent(gus.email)}`);
  await host.page.getByRole("button", { name: "Accept" }).first().waitFor();
  await unharmed();
  await gus.leave();
});

test("chat lines: markup, direction overrides, 10,000 characters, and invalid messages", async () => {
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  await host.enter(link);
  await gus.enter(link);
  await Promise.all([seesAndHears(host, "Gus"), seesAndHears(gus, "Hanna")]);
  await host.press("Chat");
  // Straight into the channel, as somebody with a modified page would.
  await gus.page.evaluate(([markup, turned]) => {
    const { talk } = /** @type {any} */ (window).channels;
    for (const text of [markup, turned, "x".repeat(10_000)]) talk.send(JSON.stringify({ type: "chat", text }));
    for (const odd of [{ type: "__proto__" }, { type: "chat" }, { type: "chat", text: { toString: 1 } }, [], "nonsense", 5, null]) talk.send(JSON.stringify(odd));
    talk.send("{");
    talk.send(new Uint8Array(50_000));
  }, [MARKUP, TURNED]);
  const lines = host.page.locator(".log .chat-text");
  await lines.nth(2).waitFor();
  assert.deepEqual((await lines.allTextContents()).map((text) => text.slice(0, 60)), [MARKUP, "Gusgnp.exe", "x".repeat(60)]);
  assert.equal((await lines.nth(2).textContent())?.length, 4000);
  await unharmed();
  await gus.leave();
});

test("a file with a hostile name is saved under a harmless one, with its contents intact", async () => {
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  await host.enter(link);
  await gus.enter(link);
  await Promise.all([seesAndHears(host, "Gus"), seesAndHears(gus, "Hanna")]);
  await host.press("Chat");
  await gus.press("Chat");
  const content = Buffer.from(Array.from({ length: 2_000_000 }, (_, index) => index % 253));
  const name = `${MARKUP}\u202efdp.html`;
  await gus.page.locator("input[type=file]").setInputFiles({ name, mimeType: "text/html", buffer: content });
  await host.press("Receive");
  const save = host.page.getByRole("link", { name: /^Save / });
  await save.waitFor();
  const [download] = await Promise.all([host.page.waitForEvent("download"), save.click()]);
  assert.doesNotMatch(download.suggestedFilename(), /[<>"\\/\u202e]/);
  assert.deepEqual(await readFile(await download.path()), content);
  await gus.page.getByText(/^Sent:/).waitFor();
  await unharmed();
  await gus.leave();
});

test("who left the room and claims the id of a newcomer does not keep the newcomer apart, even under the same name", async () => {
  const link = await host.makeRoom();
  /** Who joined, in their order. @type {string[]} */
  const joined = [];
  host.page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
    const { type, peer } = JSON.parse(String(payload));
    if (type === "peer-joined") joined.push(peer);
  }));
  await host.enter(link);
  const eve = await Person.arrive(product, browser, "Cy", { guest: true, setUp: keepSockets });
  await eve.enter(link);
  await seesAndHears(host, "Cy");
  // Her page goes on; only the server thinks that she is gone.
  await say(eve, { type: "leave" });
  const cy = await Person.arrive(product, browser, "Cy", { guest: true });
  const entering = cy.enter(link);
  await until(async () => joined.length > 1, () => "nobody joins");
  await eve.page.evaluate((peer) => /** @type {any} */ (window).channels.talk.send(JSON.stringify({ type: "peer", peer })), joined[1]);
  await entering;
  await seesAndHears(cy, "Hanna");
  await host.page.locator('video[aria-label="Cy"]').nth(1).waitFor();
  await cy.press("Chat");
  await cy.page.getByRole("textbox", { name: "Message" }).fill("It is me");
  await cy.page.keyboard.press("Enter");
  await host.press(/^Chat/);
  await host.page.getByText("It is me", { exact: true }).waitFor();
  await cy.leave();
  await eve.leave();
});
