/** A tab that stays open: credentials expire, the network changes, the machine sleeps. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { guestInCall, meet } from "../support/calls.js";
import { launch } from "../support/chromium.js";
import { until } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

const HOUR_MS = 3600_000;

/** @type {Product} */
let product;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Person} */
let host;
before(async () => {
  const config = '[turn]\nurls = ["turn:127.0.0.1:9?transport=udp"]\nsecret = { env = "TURN_SECRET" }\n';
  product = await Product.start({ config, environment: { TURN_SECRET: "a secret of the tests" } });
  browser = await launch();
  host = await Person.arrive(product, browser, "Hanna");
});
after(async () => { await host?.leave(); await browser?.close(); await product?.stop(); });

/** Returns a guest who is in a call with the host. @param {(gus: Person) => Promise<unknown>} [prepare] */
const inCall = (prepare) => guestInCall(product, browser, host, prepare);

/** The id of the current ICE session, which a restart changes. @param {Person} person */
const session = ({ page }) => page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(/** @type {any} */ (window).connections.at(-1).localDescription.sdp)?.[1]);

/** The expiry time of the TURN credentials in use, in epoch seconds. @param {Person} person */
const credentialsEnd = ({ page }) => page.evaluate(() => {
  const { iceServers } = /** @type {any} */ (window).connections.at(-1).getConfiguration();
  return Number.parseInt(iceServers.find((/** @type {RTCIceServer} */ server) => server.username)?.username ?? "", 10);
});

test("expired TURN credentials are refreshed in an open tab, and the call continues", async () => {
  const gus = await inCall(({ page }) => page.clock.install());
  const before = await credentialsEnd(gus);
  assert.ok(before > Date.now() / 1000, "the API hands out credentials");
  const tickets = gus.page.waitForResponse((response) => response.url().endsWith("/api/ticket"));
  await gus.page.clock.fastForward(24 * HOUR_MS);
  assert.ok((await tickets).ok());
  await until(async () => (await credentialsEnd(gus)) > before, () => "the connection keeps its old credentials");
  await meet(host, gus);
  await gus.leave();
});

/**
 * @param {Person} person
 * @returns {Promise<(state: { offline?: boolean, latency?: number }) => Promise<unknown>>} simulates network
 *   events in the page; latency in milliseconds; packets are not affected
 */
async function network({ context, page }) {
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  // Newer than the protocol version that Playwright knows.
  const send = /** @type {(method: string, parameters: object) => Promise<unknown>} */ (/** @type {unknown} */ (devtools.send.bind(devtools)));
  return (state) => send("Network.overrideNetworkState", { offline: false, latency: 20, downloadThroughput: 1e6, uploadThroughput: 1e6, ...state });
}

test("network changed: ICE restarts by itself, and the call continues", async () => {
  const gus = await inCall();
  const before = await session(gus);
  await gus.page.evaluate(() => {
    const own = /** @type {any} */ (window);
    own.changes = 0;
    /** @type {any} */ (navigator).connection.addEventListener("change", () => { own.changes += 1; });
  });
  const tell = await network(gus);
  await tell({ latency: 100 });
  await gus.page.waitForFunction(() => /** @type {any} */ (window).changes > 0);
  assert.equal(await session(gus), before, "another estimate of the delay is no other network");
  await tell({ latency: 500 });
  await until(async () => (await session(gus)) !== before, () => "ICE did not restart when the kind of network changed");
  await meet(host, gus);
  await gus.leave();
});

test("network lost and back: ICE restarts by itself, and the call continues", async () => {
  const gus = await inCall();
  const before = await session(gus);
  const tell = await network(gus);
  await tell({ offline: true });
  await gus.page.waitForFunction(() => !navigator.onLine);
  await tell({});
  await until(async () => (await session(gus)) !== before, () => "ICE did not restart when the network came back");
  await meet(host, gus);
  await gus.leave();
});

test("after sleep, a dead server connection is dropped at once, and the call continues", async () => {
  /** Drops all messages, as if a router had forgotten the connection. */
  let deaf = false;
  let sockets = 0;
  const gus = await inCall(async ({ context, page }) => {
    await context.routeWebSocket(/\/ws$/, (socket) => {
      sockets += 1;
      const born = sockets;
      const server = socket.connectToServer();
      socket.onMessage((message) => { if (!deaf || born > 1) server.send(message); });
      server.onMessage((message) => { if (!deaf || born > 1) socket.send(message); });
    });
    await page.clock.install();
  });
  assert.equal(sockets, 1);
  deaf = true;
  // Like a lid closed for an hour: timers due meanwhile run once, and the clock stops until it is resumed.
  await gus.page.clock.pauseAt(Date.now() + HOUR_MS);
  // Shorter than the heartbeat, which would notice by itself.
  for (let second = 0; second < 8 && sockets === 1; second += 1) await gus.page.clock.runFor(1000);
  await until(async () => sockets === 2, () => "the dead connection was not given up");
  await gus.page.clock.resume();
  await gus.page.getByText("Connected to the server again.").waitFor();
  await meet(host, gus);
  await host.press("Chat");
  await host.page.getByRole("textbox", { name: "Message" }).fill("Awake?");
  await host.page.keyboard.press("Enter");
  await gus.press(/^Chat/);
  await gus.page.getByText("Awake?", { exact: true }).waitFor();
  await gus.leave();
});
