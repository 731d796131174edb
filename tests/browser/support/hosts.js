/**
 * Signaling hosts that take turns: each has the real programs `signal` and `relay` as processes, and one address leads to one
 * of them, as a stack's Elastic IP address does; or it has `signal` and a tunnel. Their keys and tables are those of `local` on
 * an AWS emulator.
 */
import { spawn } from "node:child_process";
import { createHash, createHmac, randomUUID } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { get } from "node:http";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { freePort } from "./ports.js";
import { PROGRAM } from "./product.js";
import { Tunnel } from "./tunnel.js";

/** The stack of `local` without a configuration. */
const STACK = "peersync-dev";

/** @typedef {import("node:child_process").ChildProcess} Process */
/** @typedef {{ signal: Process, relay: Process, ports: { signal: number, relay: number } }} Host */

/** The programs that run. @type {Set<Process>} */
const running = new Set();

/**
 * Starts a program and waits until it serves.
 * @param {string} name
 * @param {Record<string, string>} environment
 * @returns {Promise<{ process: Process, log: Record<string, string> }>} with the entry of its log that says so
 */
async function start(name, environment) {
  const started = spawn(join(dirname(PROGRAM), name), { env: { RUST_LOG: "info", ...environment }, stdio: ["ignore", "pipe", "inherit"] });
  running.add(started);
  started.once("close", () => running.delete(started));
  /** @type {string[]} */
  const lines = [];
  /** @type {Record<string, string>} */
  const log = await new Promise((resolve, reject) => {
    createInterface({ input: started.stdout }).on("line", (line) => {
      lines.push(line);
      const entry = JSON.parse(line);
      if (entry.message === "listening") resolve(entry);
    });
    started.once("error", reject);
    started.once("exit", (code) => reject(new Error(`${name} ended with ${code}:\n${lines.join("\n")}`)));
  });
  started.removeAllListeners("exit");
  return { process: started, log };
}

/**
 * Returns what all programs of a host get.
 * @param {string} endpoint of the emulator
 * @param {string} site the URL of the pages
 * @returns {Record<string, string>}
 */
function environmentOf(endpoint, site) {
  return {
    PEERSYNC_STACK: STACK, SITE_URL: site, AWS_ENDPOINT_URL: endpoint, AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_EC2_METADATA_DISABLED: "true",
  };
}

/** The address: TCP for the WebSocket, with the key by which the edge proves itself, and UDP for the relay. */
class Address {
  /** @type {Host | undefined} */
  host;
  ports = { signal: 0, relay: 0 };
  key = "";
  /** @type {Map<string, import("node:dgram").Socket>} by the client's address and port */
  #ways = new Map();
  /** `told`: that the host is replaced. @type {Set<{ client: import("node:net").Socket, server: import("node:net").Socket, told: boolean }>} */
  #connections = new Set();
  #tcp = createServer((client) => this.#passOn(client));
  #udp = createSocket("udp4");

  async open() {
    this.#tcp.listen(0, "127.0.0.1");
    this.#udp.bind(0, "127.0.0.1");
    this.#udp.on("message", (packet, client) => this.#send(packet, client));
    await Promise.all([once(this.#tcp, "listening"), once(this.#udp, "listening")]);
    this.ports = { signal: /** @type {import("node:net").AddressInfo} */ (this.#tcp.address()).port, relay: this.#udp.address().port };
  }

  /**
   * Moves to a host. It knows nothing of the connections that the one before had: it resets them once a client sends something,
   * and until then nobody notices.
   * @param {Host} host
   */
  lead(host) {
    this.host = host;
    for (const { client, server } of this.#connections) {
      server.unpipe(client);
      client.unpipe(server);
      client.once("data", () => client.destroy());
      client.resume();
    }
    this.#connections.clear();
    for (const way of this.#ways.values()) way.close();
    this.#ways.clear();
  }

  /**
   * Waits until the host has told everybody that it is replaced. On AWS an address takes long enough to move.
   * @param {() => Promise<void>} asking
   */
  async tells(asking) {
    for (const one of this.#connections) one.told = false;
    await asking();
    const end = Date.now() + 3000;
    while ([...this.#connections].some(({ told }) => !told) && Date.now() < end) await setTimeout(20);
  }

  /** @param {import("node:net").Socket} client */
  #passOn(client) {
    const server = connect(this.host?.ports.signal ?? 0, "127.0.0.1");
    const both = { client, server, told: false };
    this.#connections.add(both);
    client.on("error", () => undefined);
    server.on("error", () => undefined);
    client.on("close", () => { this.#connections.delete(both); server.destroy(); });
    server.on("close", () => { if (this.#connections.delete(both)) client.destroy(); });
    client.once("data", (head) => {
      const end = head.indexOf("\r\n") + 2;
      server.write(Buffer.concat([head.subarray(0, end), Buffer.from(`x-peersync-origin-key: ${this.key}\r\n`), head.subarray(end)]));
      client.pipe(server);
      server.pipe(client);
      server.on("data", (data) => { both.told ||= data.includes('"draining"'); });
    });
  }

  /**
   * @param {Buffer} packet
   * @param {import("node:dgram").RemoteInfo} client
   */
  #send(packet, { address, port }) {
    const known = this.#ways.get(`${address}:${port}`);
    const way = known ?? createSocket("udp4");
    if (!known) {
      way.on("message", (answer) => this.#udp.send(answer, port, address));
      // Nobody is there any more.
      way.on("error", () => undefined);
      this.#ways.set(`${address}:${port}`, way);
    }
    way.send(packet, this.host?.ports.relay ?? 0, "127.0.0.1");
  }

  close() {
    this.#tcp.close();
    for (const way of this.#ways.values()) way.close();
    this.#udp.close();
  }
}

export class Hosts {
  address = new Address();
  #endpoint = "";
  #site = "";
  #ticketKey = Buffer.alloc(0);

  /** Opens the address, which leads nowhere yet. */
  static async open() {
    const hosts = new Hosts();
    await hosts.address.open();
    return hosts;
  }

  /**
   * Starts the first host.
   * @param {string} endpoint of the emulator
   * @param {string} site the URL of the pages
   * @param {string} secret of the relay
   */
  async begin(endpoint, site, secret) {
    this.#endpoint = endpoint;
    this.#site = site;
    this.address.key = await this.#parameter("origin-key");
    this.#ticketKey = Buffer.from(await this.#parameter("ticket-key"), "base64url");
    await this.#ssm("PutParameter", { Name: `/peersync/${STACK}/turn-secret`, Value: secret, Type: "SecureString" });
    this.address.lead(await this.#start());
  }

  /** @param {string} name @returns {Promise<string>} the value of a parameter of the stack */
  async #parameter(name) {
    const answer = await this.#ssm("GetParameter", { Name: `/peersync/${STACK}/${name}`, WithDecryption: true });
    return answer.Parameter.Value;
  }

  /** @param {string} operation @param {object} input @returns {Promise<any>} the answer of Parameter Store */
  async #ssm(operation, input) {
    const headers = {
      "content-type": "application/x-amz-json-1.1", "x-amz-target": `AmazonSSM.${operation}`,
      "authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/ssm/aws4_request, SignedHeaders=host, Signature=0",
    };
    return (await fetch(this.#endpoint, { method: "POST", headers, body: JSON.stringify(input) })).json();
  }

  /** @returns {Promise<Host>} */
  async #start() {
    const environment = environmentOf(this.#endpoint, this.#site);
    const port = await freePort();
    const ports = { RELAY_ADDRESS: "127.0.0.1", RELAY_UDP_PORTS: String(port), RELAY_TCP_PORTS: String(port) };
    const [signal, relay] = await Promise.all([
      start("signal", { ...environment, LISTEN: "127.0.0.1:0" }), start("relay", { ...environment, ...ports }),
    ]);
    const listens = Number(String(signal.log.address).split(":").at(-1));
    return { signal: signal.process, relay: relay.process, ports: { signal: listens, relay: port } };
  }

  /** Tells the host that it is about to be replaced, as `up` does (crates/resources/src/kinds/signal_instance/handover.rs). */
  async #handOver() {
    const now = Math.floor(Date.now() / 1000);
    const kid = createHash("sha256").update(this.#ticketKey).digest("hex").slice(0, 8);
    const claims = { iss: STACK, aud: "handover", sub: "up", name: "", jti: randomUUID(), iat: now, exp: now + 60 };
    const parts = [{ typ: "JWT", alg: "HS256", kid }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
    const signature = createHmac("sha256", this.#ticketKey).update(parts.join(".")).digest("base64url");
    const headers = { "x-peersync-handover": [...parts, signature].join(".") };
    // By a connection of its own: one that is kept may lead to the host before.
    const asking = get(`http://127.0.0.1:${this.address.ports.signal}/ws`, { headers, agent: false });
    /** @type {import("node:http").IncomingMessage[]} */
    const [answer] = await once(asking, "response");
    answer?.resume();
    if (answer?.statusCode !== 204) throw new Error(`the host answers ${answer?.statusCode}`);
  }

  /** Replaces the host, as `up` does: the next one is ready, the address moves, the old one ends. */
  async replace() {
    const old = this.address.host;
    const next = await this.#start();
    await this.address.tells(() => this.#handOver());
    this.address.lead(next);
    old?.signal.kill("SIGTERM");
    old?.relay.kill("SIGTERM");
    return { ended: Promise.all([old?.signal, old?.relay].map((process) => process && once(process, "exit"))) };
  }

  async close() {
    // Also what was started for a host that then did not come about.
    for (const process of running) process.kill("SIGKILL");
    this.address.close();
  }
}

/** Hosts behind a named tunnel, which has no address that moves: the next one connects once the one before has ended. */
export class TunnelledHosts {
  /** @type {{ signal: Process, connector: import("./tunnel.js").Connector } | undefined} */
  #host;
  tunnel = new Tunnel();
  #environment;

  /**
   * @param {string} endpoint of the emulator
   * @param {string} site the URL of the pages
   */
  constructor(endpoint, site) {
    this.#environment = environmentOf(endpoint, site);
  }

  get port() { return this.tunnel.port; }

  /** Starts the first host. */
  async begin() {
    await this.tunnel.open();
    this.#host = await this.#start();
    await this.#host.connector.connected;
  }

  async #start() {
    const signal = await start("signal", { ...this.#environment, LISTEN: "127.0.0.1:0", ENTRANCE: "tunnel" });
    const port = Number(String(signal.log.address).split(":").at(-1));
    return { signal: signal.process, connector: this.tunnel.connector(port) };
  }

  /** Replaces the host, as `up` does: the next one stands by, and the old one is switched off. */
  async replace() {
    const old = this.#host;
    const next = await this.#start();
    await next.connector.standsBy();
    this.#host = next;
    old?.signal.kill("SIGTERM");
    // As systemd does, by the order of the units.
    const ended = old && once(old.signal, "exit").then(() => old.connector.end());
    return { ended: Promise.all([ended, next.connector.connected]) };
  }

  async close() {
    this.#host?.signal.kill("SIGKILL");
    await this.#host?.connector.end();
    this.tunnel.close();
  }
}
