/** What people are told if the server or the other person cannot be reached, and how they get in over slow networks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { meet } from "../support/calls.js";
import { browser, host, product } from "../support/host.js";
import { until } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";
import { toldWays } from "../support/sockets.js";

/** Runs in the page: the WebSocket is refused until `window.proxyOff` is set, as by a proxy that does not know it. */
function behindProxy() {
  const Native = WebSocket;
  window.WebSocket = class extends Native {
    /** @param {string | URL} url */
    constructor(url) {
      super(/** @type {any} */ (window).proxyOff ? url : String(url).replace("/ws", "/nothing"));
    }
  };
}

/** Runs in the page: nothing is ever sent to another browser, and no STUN server answers. */
function behindWall() {
  /** @type {any} */ (window).rtcConfiguration = { iceServers: [{ urls: "stun:127.0.0.1:9" }] };
  RTCPeerConnection.prototype.addIceCandidate = () => Promise.resolve();
  const native = /** @type {(description: RTCSessionDescriptionInit) => Promise<void>} */ (RTCPeerConnection.prototype.setRemoteDescription);
  RTCPeerConnection.prototype.setRemoteDescription = function described(/** @type {RTCSessionDescriptionInit} */ description) {
    return native.call(this, { ...description, sdp: description.sdp?.replaceAll(/a=candidate.*\r\n/g, "") ?? "" });
  };
}

/**
 * @param {Person} person
 * @returns {Promise<any>} the next report that the page sends, with the answer's status
 */
async function reported({ page }) {
  const response = await page.waitForResponse((one) => one.url().endsWith("/api/reports"));
  return { ...response.request().postDataJSON(), status: response.status() };
}

/** @param {Person} person @param {string} link */
async function join(person, link) {
  await person.open(link);
  const name = person.page.getByRole("textbox", { name: "Name" });
  if (!person.email) await name.fill(person.name);
  await person.press("Join room");
}

test("the API works, the WebSocket is refused: the lobby says so, reports it, and goes on trying", async () => {
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true, setUp: behindProxy });
  const report = reported(gus);
  await join(gus, link);
  await gus.page.getByText("Connecting to the server…").waitFor();
  await gus.page.getByText(/live connection that a call needs \(WebSocket\) is refused/).waitFor();
  const { failure, room, status } = await report;
  assert.deepEqual({ failure, room, status }, { failure: "socket_refused", room: link.split("#")[1], status: 204 });
  await gus.page.evaluate(() => { /** @type {any} */ (window).proxyOff = true; });
  await gus.page.locator(".call").waitFor();
  await gus.leave();
});

test("the server is away: the lobby says so, and lets everybody in once it is back", async () => {
  // Pages from a folder would be reloaded when it is back.
  const fragile = await Product.start({ published: true });
  const ada = await Person.arrive(fragile, browser, "Ada");
  const gus = await Person.arrive(fragile, browser, "Gus", { guest: true });
  await gus.open(await ada.makeRoom());
  await gus.page.getByRole("textbox", { name: "Name" }).fill("Gus");
  await gus.page.getByRole("button", { name: "Join room" }).hover();
  await gus.page.waitForLoadState("networkidle");
  await fragile.kill();
  await gus.press("Join room");
  await gus.page.getByText("The server cannot be reached.").waitFor();
  await fragile.restart();
  await gus.page.locator(".call").waitFor();
  await gus.leave();
  await ada.leave();
  await fragile.stop();
});

test("the server refuses for a while: the lobby says how long", async () => {
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  await gus.page.route("**/api/ticket", (route) => route.fulfill({
    status: 429, headers: { "retry-after": "40" }, contentType: "application/json", body: '{"error":{"code":"slow_down","message":"x"}}',
  }));
  await join(gus, await host.makeRoom());
  await gus.page.getByText("Too many attempts. Try again in 40 seconds.").waitFor();
  await gus.page.unroute("**/api/ticket");
  await gus.page.locator(".call").waitFor();
  await gus.leave();
});

test("a round trip of 2.5 seconds: both get in and see each other", async () => {
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  await product.network({ latency_ms: 1250 });
  try {
    await Promise.all([host.enter(link), gus.enter(link)]);
    await meet(host, gus);
  } finally {
    await product.network({});
  }
  await gus.leave();
});

test("no way to the other person: both are told why, it is reported without addresses, and the attempt goes on", async () => {
  const link = await host.makeRoom();
  const [ada, gus] = await Promise.all(["Ada", "Gus"].map((name) => Person.arrive(product, browser, name, { guest: true, setUp: behindWall })));
  assert.ok(ada && gus);
  const reports = Promise.all([reported(ada), reported(gus)]);
  const told = [ada, gus].map(toldWays);
  await ada.enter(link);
  await gus.enter(link);
  await Promise.all([[ada, "Gus"], [gus, "Ada"]].map(async ([one, other]) => {
    const { page } = /** @type {Person} */ (one);
    await page.getByText(new RegExp(`No way to ${other} has been found yet. Your network lets neither UDP nor TCP out`)).first().waitFor();
  }));
  for (const { room, ...report } of await reports) {
    assert.deepEqual(report, { failure: "no_way_out", local: "host", remote: "none", status: 204 });
    assert.equal(room, link.split("#")[1]);
  }
  assert.deepEqual(told, [["failed"], ["failed"]]);
  await ada.leave();
  await gus.leave();
});

test("call details say which way it goes, over what, how fast and how much", async () => {
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  const told = toldWays(gus);
  await host.enter(link);
  await gus.enter(link);
  await meet(host, gus);
  await until(async () => told.length > 0, () => "the server is not told");
  assert.deepEqual(told, ["direct"], "once");
  await host.press("Check the connection");
  await host.page.getByRole("dialog").getByText(/: direct over UDP, \d+ ms, [\d.]+ % lost, [1-9]\d* kbit\/s in, [1-9]\d* kbit\/s out/).waitFor();
  await host.page.keyboard.press("Escape");
  await gus.leave();
});

test("a phone in the network and the computer at localhost, over HTTPS, see each other", async (context) => {
  const shared = await Product.start({ flags: ["--host", "0.0.0.0", "--https"] });
  try {
    const [site] = shared.networkUrls;
    if (!site) {
      context.skip("this computer is in no network");
      return;
    }
    // Nobody has signed the certificate.
    const [ada, phone] = await Promise.all(["Ada", "Gus"].map((name) => Person.arrive(shared, browser, name, { guest: true, ignoreHTTPSErrors: true })));
    assert.ok(ada && phone);
    ada.email = "ada@example.org";
    await ada.post("/signup", { name: "Ada", email: ada.email });
    const [mail] = await (await ada.context.request.get(`${shared.url}/_mail/messages.json`)).json();
    await ada.post("/login/verify", { email: ada.email, code: /^\s*(\d{6})\s*$/m.exec(mail.text)?.[1] });
    const link = await ada.makeRoom();
    await ada.enter(link);
    await phone.enter(link.replace(shared.url, site));
    await meet(ada, phone);
    await Promise.all([ada.leave(), phone.leave()]);
  } finally {
    await shared.stop();
  }
});

test("over plain HTTP from another computer: signed in by the code, and connected to a guest", async (context) => {
  const shared = await Product.start({ flags: ["--host", "0.0.0.0"] });
  try {
    const [site] = shared.networkUrls;
    if (!site) {
      context.skip("this computer is in no network");
      return;
    }
    const ada = await Person.arrive(shared, browser, "Ada", { guest: true });
    const { page } = ada;
    await ada.open(`${site}/signup.html`);
    assert.equal(await page.evaluate(() => isSecureContext), false);
    await page.getByRole("textbox", { name: "Name" }).fill("Ada");
    await page.getByRole("textbox", { name: "Email" }).fill("ada@example.org");
    await ada.press("Sign up");
    const mail = await shared.mail("ada@example.org");
    assert.ok(mail.text.includes(`${site}/login.html#token=`), mail.text);
    await page.getByRole("textbox", { name: "Code from the email" }).fill(/^\s*(\d{6})\s*$/m.exec(mail.text)?.[1] ?? "");
    await ada.press("Continue");
    await page.getByText("You can be reached").waitFor();
    await ada.press("New room");
    await page.waitForURL(/room\.html#/);
    await ada.press("Join room");
    await page.getByText("Nobody else is here yet.").waitFor();
    const gus = await Person.arrive(shared, browser, "Gus", { guest: true });
    await gus.enter(page.url());
    await Promise.all([ada, gus].map((person) => person.page.locator('.tile[data-status="connected"]').waitFor()));
    for (const person of [ada, gus]) {
      // Chromium remarks that it heeds one of the headers only over HTTPS.
      person.problems = person.problems.filter((problem) => !problem.includes("Cross-Origin-Opener-Policy header has been ignored"));
      await person.leave();
    }
  } finally {
    await shared.stop();
  }
});
