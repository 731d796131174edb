/** The whole product as `peersync-deploy local` runs it: pages, API, signaling, mailbox. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const PROGRAM = process.env.PEERSYNC_DEPLOY ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release/peersync-deploy");
/** Pages to serve instead of those built into the program, so that work on the pages needs no build. */
const ASSETS = process.env.PEERSYNC_ASSETS;
const PATIENCE_MS = 15_000;

/** @typedef {{ to: string, subject: string, text: string, html: string, received_at: string }} Mail */

export class Product {
  url = "";
  /** Where each part runs. @type {Record<string, string>} */
  parts = {};
  /** The addresses of the pages in the network, if it listens there. @type {string[]} */
  networkUrls = [];
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #folder;
  #environment;
  #where;
  #port = 0;

  /**
   * @param {string} folder of its data
   * @param {Record<string, string>} environment
   * @param {string[]} where the flags that choose what runs in its process
   */
  constructor(folder, environment, where) {
    this.#folder = folder;
    this.#environment = environment;
    this.#where = where;
  }

  /**
   * @param {{
   *   config?: string, environment?: Record<string, string>, endpoint?: string, published?: boolean, flags?: string[],
   * }} [options] its peersync.toml, its secrets, the AWS emulator that it uses, whether to serve the published pages built
   *   into the program (with an emulator that is always so, because they come from the bucket), and more flags
   */
  static async start({ config = "", environment = {}, endpoint, published = false, flags = [] } = {}) {
    const folder = await mkdtemp(join(tmpdir(), "peersync-browser-"));
    await writeFile(join(folder, "peersync.toml"), config);
    const where = endpoint ? ["--endpoint-url", endpoint] : ["--embedded", ...(ASSETS && !published ? ["--assets", ASSETS] : [])];
    where.push(...flags);
    // Fake credentials: whoever runs the tests may have real ones.
    /** @type {Record<string, string>} */
    const account = endpoint ? { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_REGION: "eu-central-1" } : {};
    const product = new Product(folder, { ...account, ...environment }, where);
    await product.#run();
    return product;
  }

  async #run() {
    const flags = ["--config", join(this.#folder, "peersync.toml"), "--output", "json", "local", ...this.#where, "--port", String(this.#port),
      "--data", join(this.#folder, "data")];
    const started = spawn(PROGRAM, flags, { cwd: this.#folder, env: { ...process.env, ...this.#environment }, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = started;
    let told = "";
    started.stderr?.on("data", (text) => { told = (told + text).slice(-4000); });
    /** @type {Promise<{ url: string, parts: Record<string, string>, network_urls: string[] }>} */
    const ready = new Promise((resolve, reject) => {
      createInterface({ input: /** @type {import("node:stream").Readable} */ (started.stdout) }).on("line", (line) => {
        const event = JSON.parse(line);
        if (event.event === "ready") resolve(event);
      });
      started.once("error", reject);
      started.once("exit", (code) => reject(new Error(`local ended with ${code}:\n${told}`)));
    });
    ({ url: this.url, parts: this.parts, network_urls: this.networkUrls } = await ready);
    this.#port = Number(new URL(this.url).port);
  }

  /** Kills the program as if the machine lost power: nobody is notified. Data stays. */
  async kill() {
    await this.#end("SIGKILL");
  }

  /** Starts again at the same address after kill(). */
  async restart() {
    await this.#run();
  }

  async stop() {
    await this.#end("SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const running = this.#process;
    this.#process = undefined;
    if (!running || running.exitCode !== null) return;
    running.removeAllListeners("exit");
    running.kill(signal);
    await once(running, "exit");
  }

  /** Cuts all WebSockets without a close frame; the server keeps the sessions. */
  async cut() {
    await fetch(`${this.url}/_network/kill-signaling`, { method: "POST" });
  }

  /** @param {{ latency_ms?: number, drop?: number, kill_signaling_every_ms?: number }} conditions */
  async network(conditions) {
    await fetch(`${this.url}/_network`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(conditions) });
  }

  /**
   * Waits for the latest mail to an address and returns it.
   * @param {string} to
   * @param {(mail: Mail) => boolean} [matches]
   * @returns {Promise<Mail>}
   */
  async mail(to, matches = () => true) {
    const end = Date.now() + PATIENCE_MS;
    while (Date.now() < end) {
      /** @type {Mail[]} */
      const all = await (await fetch(`${this.url}/_mail/messages.json`)).json();
      const found = all.filter((mail) => String(mail.to).includes(to) && matches(mail)).sort((a, b) => b.received_at.localeCompare(a.received_at))[0];
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`No mail to ${to} within ${PATIENCE_MS / 1000} s.`);
  }
}
