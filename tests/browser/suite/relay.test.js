/** If no direct connection is allowed, everything goes through TURN, with the credentials that the API issues. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { access } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { launch } from "../support/chromium.js";
import { pause, seesAndHears } from "../support/media.js";
import { Person } from "../support/people.js";
import { Product } from "../support/product.js";

const TURNSERVER = process.env.TURNSERVER ?? "/usr/bin/turnserver";
const missing = await access(TURNSERVER).then(() => false, () => "coturn is not installed");

/** @returns {Promise<number>} a free port on loopback */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

test("a call through the relay only", { skip: missing }, async () => {
  const [port, secret] = [await freePort(), randomBytes(16).toString("hex")];
  const turn = spawn(TURNSERVER, ["-n", "--no-cli", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", `--listening-port=${port}`,
    "--use-auth-secret", `--static-auth-secret=${secret}`, "--realm=peersync", "--allow-loopback-peers", "--no-tls", "--no-dtls", "--log-file=stdout"], { stdio: "ignore" });
  const [product, browser] = await Promise.all([
    Product.start({
      config: `[turn]\nurls = ["turn:127.0.0.1:${port}?transport=udp"]\nsecret = { env = "TURN_SECRET" }\n`, environment: { TURN_SECRET: secret },
    }),
    launch(),
  ]);
  try {
    await pause(500);
    const host = await Person.arrive(product, browser, "Hanna");
    const { iceServers } = await host.post("/ticket", {});
    assert.ok(iceServers.some((/** @type {any} */ server) => server.credential), "the API hands out credentials");
    const gus = await Person.arrive(product, browser, "Gus", { guest: true });
    for (const { context } of [host, gus]) await context.addInitScript(() => { /** @type {any} */ (window).rtcConfiguration = { iceTransportPolicy: "relay" }; });
    const link = await host.makeRoom();
    await host.enter(link);
    await gus.enter(link);
    await Promise.all([seesAndHears(host, "Gus"), seesAndHears(gus, "Hanna")]);
    await host.leave();
    await gus.leave();
  } finally {
    await browser.close();
    await product.stop();
    turn.kill();
  }
});
