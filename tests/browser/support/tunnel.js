/**
 * A named Cloudflare Tunnel: an address in front of the hosts whose connectors are connected, any of them. Each host runs the
 * script of the product (host/tunnel.sh) with a replacement of cloudflared.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const SCRIPT = new URL("../../../crates/resources/src/kinds/signal_instance/host/tunnel.sh", import.meta.url).pathname;
/**
 * It connects within a second, as cloudflared does. When it is to end, it takes leave at once, and ends after the grace period of
 * the script.
 */
const CLOUDFLARED = `#!/bin/bash
trap 'echo leaves; sleep 1; exit' TERM
sleep 1
echo connected
while :; do sleep 0.05; done
`;
/** Cloudflare's mark of an answer. */
const RAY = "cf-ray: 0-SJC\r\n";

/** One host's end of the tunnel. */
export class Connector {
  #folder = mkdtempSync(join(tmpdir(), "peersync-tunnel-"));
  #process;
  /** @type {Set<import("node:net").Socket>} the connections that it carries */
  carried = new Set();
  /** @type {Promise<void>} once it is connected */
  connected;

  /**
   * @param {Tunnel} tunnel
   * @param {number} port of the signaling server
   */
  constructor(tunnel, port) {
    this.port = port;
    for (const [name, text] of [["cloudflared", CLOUDFLARED], ["timeout", "#!/bin/sh\n"]]) {
      writeFileSync(join(this.#folder, String(name)), String(text));
      chmodSync(join(this.#folder, String(name)), 0o755);
    }
    this.#process = spawn("bash", [SCRIPT], {
      env: {
        PATH: `${this.#folder}:${process.env.PATH}`, RUNTIME_DIRECTORY: this.#folder,
        TUNNEL_TOKEN: "a-token", HEALTH_URL: `http://127.0.0.1:${tunnel.port}/healthz`,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: this.#process.stdout });
    this.connected = new Promise((resolve) => {
      lines.on("line", (line) => {
        if (line === "connected") { tunnel.connectors.add(this); resolve(); }
        if (line === "leaves") tunnel.connectors.delete(this);
      });
    });
    this.#process.once("exit", () => {
      tunnel.connectors.delete(this);
      for (const socket of this.carried) socket.destroy();
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** Waits until it stands by for another host. */
  async standsBy() {
    while (!existsSync(join(this.#folder, "standby"))) {
      if (this.#process.exitCode !== null) throw new Error("the tunnel has ended");
      await setTimeout(20);
    }
  }

  /** Ends it, as systemd does. */
  async end() {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await ended;
  }
}

export class Tunnel {
  /** @type {Set<Connector>} those that are connected */
  connectors = new Set();
  #server = createServer((client) => this.#serve(client));

  async open() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get port() { return /** @type {import("node:net").AddressInfo} */ (this.#server.address()).port; }

  /** @param {number} port of the signaling server @returns {Connector} of a host */
  connector(port) { return new Connector(this, port); }

  /** @param {import("node:net").Socket} client */
  #serve(client) {
    client.on("error", () => undefined);
    client.once("data", (head) => {
      // No connector is preferred.
      const all = [...this.connectors];
      const connector = all[Math.floor(Math.random() * all.length)];
      if (!connector) client.end(`HTTP/1.1 530 \r\n${RAY}content-length: 0\r\nconnection: close\r\n\r\n`);
      else if (head.includes("GET /healthz")) this.#tell(client, connector);
      else this.#carry(client, connector, head);
    });
  }

  /**
   * Answers as the host does.
   * @param {import("node:net").Socket} client
   * @param {Connector} connector
   */
  #tell(client, { port }) {
    const asking = get({ port, path: "/healthz", agent: false }, async (answer) => {
      const body = Buffer.concat(await answer.toArray());
      client.end(`HTTP/1.1 ${answer.statusCode} \r\n${RAY}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
    });
    asking.on("error", () => { this.#cannotReach(client); });
  }

  /** @param {import("node:net").Socket} client */
  #cannotReach(client) {
    client.end(`HTTP/1.1 502 \r\n${RAY}content-length: 0\r\nconnection: close\r\n\r\n`);
  }

  /**
   * @param {import("node:net").Socket} client
   * @param {Connector} connector
   * @param {Buffer} head
   */
  #carry(client, { port, carried }, head) {
    const server = connect(port, "127.0.0.1");
    const end = head.indexOf("\r\n") + 2;
    server.once("connect", () => {
      carried.add(client);
      server.write(Buffer.concat([head.subarray(0, end), Buffer.from("cf-connecting-ip: 192.0.2.1\r\n"), head.subarray(end)]));
      client.pipe(server);
      server.pipe(client);
    });
    server.on("error", () => { this.#cannotReach(client); });
    server.on("close", () => { client.destroySoon(); });
    client.on("close", () => { carried.delete(client); server.destroy(); });
  }

  close() {
    this.#server.close();
  }
}
