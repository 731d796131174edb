/** If no direct connection is allowed, everything goes through a relay, with the credentials that the API issues. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { launch } from "../support/chromium.js";
import { pause, seesAndHears, until } from "../support/media.js";
import { Person } from "../support/people.js";
import { freePort } from "../support/ports.js";
import { Product } from "../support/product.js";
import { toldWays } from "../support/sockets.js";

const TURNSERVER = process.env.TURNSERVER ?? "/usr/bin/turnserver";
const missing = await access(TURNSERVER).then(() => false, () => "coturn is not installed");

/** @typedef {{ urls: string[], username?: string, credential?: string }} IceServer */

/**
 * Makes connections use relays alone, and of those only the ones that are reached by this protocol.
 * @param {Person} person
 * @param {"udp" | "tcp"} protocol
 */
function relayOnly({ context }, protocol) {
  return context.addInitScript((wanted) => {
    const Native = RTCPeerConnection;
    window.RTCPeerConnection = class extends Native {
      /** @param {RTCConfiguration} [configuration] */
      constructor(configuration) {
        const servers = (configuration?.iceServers ?? []).map((server) => ({ ...server, urls: [server.urls].flat().filter((url) => url.endsWith(`=${wanted}`)) }));
        super({ ...configuration, iceServers: servers.filter(({ urls }) => urls.length > 0), iceTransportPolicy: "relay" });
      }
    };
  }, protocol);
}

/**
 * Returns how the selected pair of each open connection is made.
 * @param {Person} person
 * @returns {Promise<{ local: string, remote: string, protocol: string }[]>}
 */
function ways({ page }) {
  return page.evaluate(async () => {
    const open = /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections).filter(({ connectionState }) => connectionState === "connected");
    return Promise.all(open.map(async (connection) => {
      const all = await connection.getStats();
      const transport = [...all.values()].find(({ type }) => type === "transport");
      const pair = all.get(transport.selectedCandidatePairId);
      const [local, remote] = [all.get(pair.localCandidateId), all.get(pair.remoteCandidateId)];
      return { local: local.candidateType, remote: remote.candidateType, protocol: local.relayProtocol };
    }));
  });
}

/**
 * Lets two people talk through a relay, and checks that their connection uses it.
 * @param {Product} product
 * @param {"udp" | "tcp"} protocol
 */
async function talk(product, protocol) {
  const browser = await launch();
  try {
    const host = await Person.arrive(product, browser, "Hanna");
    const gus = await Person.arrive(product, browser, "Gus", { guest: true });
    for (const person of [host, gus]) await relayOnly(person, protocol);
    const told = [host, gus].map(toldWays);
    const link = await host.makeRoom();
    await host.enter(link);
    await gus.enter(link);
    await Promise.all([seesAndHears(host, "Gus"), seesAndHears(gus, "Hanna")]);
    for (const person of [host, gus]) assert.deepEqual(await ways(person), [{ local: "relay", remote: "relay", protocol }]);
    await until(async () => told.every((ways) => ways.length > 0), () => "they do not tell the server how they reached each other");
    assert.deepEqual(told, [["relayed"], ["relayed"]]);
    await host.leave();
    await gus.leave();
  } finally {
    await browser.close();
  }
}

for (const protocol of /** @type {const} */ (["udp", "tcp"])) {
  test(`a call through the relay of local alone, by ${protocol}`, async () => {
    const product = await Product.start();
    try {
      await talk(product, protocol);
    } finally {
      await product.stop();
    }
  });
}

test("relay credentials are valid for an hour and do not tell whose they are", async () => {
  const [product, browser] = await Promise.all([Product.start(), launch()]);
  try {
    const host = await Person.arrive(product, browser, "Hanna");
    /** @type {{ iceServers: IceServer[] }} */
    const { iceServers } = await host.post("/ticket", {});
    const [turn] = iceServers.filter(({ credential }) => credential);
    const [expires, holder] = turn?.username?.split(":") ?? [];
    const left = Number(expires) - Date.now() / 1000;
    assert.ok(left > 3500 && left <= 3601, `${left} s`);
    assert.match(holder ?? "", /^u[\w-]{16}$/);
    assert.deepEqual(turn?.urls.map((url) => url.split("=").at(-1)), ["udp", "tcp"]);
    assert.ok(iceServers.some(({ urls }) => urls.some((url) => url.startsWith("stun:"))));
  } finally {
    await browser.close();
    await product.stop();
  }
});

test("a call through an owner's coturn alone", { skip: missing }, async () => {
  const [port, secret] = [await freePort(), randomBytes(16).toString("hex")];
  const turn = spawn(TURNSERVER, ["-n", "--no-cli", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", `--listening-port=${port}`,
    "--use-auth-secret", `--static-auth-secret=${secret}`, "--realm=peersync", "--allow-loopback-peers", "--no-tls", "--no-dtls", "--log-file=stdout"], { stdio: "ignore" });
  const product = await Product.start({
    config: `[turn]\nurls = ["turn:127.0.0.1:${port}?transport=udp"]\nsecret = { env = "TURN_SECRET" }\n`, environment: { TURN_SECRET: secret },
  });
  try {
    await pause(500);
    await talk(product, "udp");
  } finally {
    await product.stop();
    turn.kill();
  }
});
