/**
 * A call by PeerJS for comparison: its own signaling server, and the smallest page that joins with one click. Host and
 * guest open the same page; whoever comes later calls the first one.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pause } from "../support/media.js";
import { notePhases, phasesOf } from "./phases.js";

export const NAME = "PeerJS 1.5.5";
/** It brings 178 packages, so it is installed for this benchmark alone. */
const PACKAGES = ["peer@1.0.2", "peerjs@1.5.5"];
const FOLDER = join(process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../../target", import.meta.url)), "bench-peerjs");

const PAGE = `<!doctype html><title>Reference</title><button>Join room</button><script src="/peerjs.js"></script><script>
  const media = () => navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 }, audio: true });
  const server = { host: location.hostname, port: Number(location.port), path: "/peer", config: { iceServers: [] } };
  const show = (stream) => {
    if (document.querySelector("video")) return;
    const video = Object.assign(document.createElement("video"), { autoplay: true, muted: true, srcObject: stream });
    document.body.append(video);
  };
  async function host() {
    const stream = await media();
    const peer = new Peer("host", server);
    peer.on("call", (call) => call.answer(stream));
    await new Promise((resolve) => peer.on("open", resolve));
  }
  document.querySelector("button").addEventListener("click", async () => {
    const opened = new Promise((resolve) => { const peer = new Peer(server); peer.on("open", () => resolve(peer)); });
    const [stream, peer] = await Promise.all([media(), opened]);
    peer.call("host", stream).on("stream", show);
  });
</script>`;

/** @returns {Promise<{ url: string, stop: () => void }>} */
async function serve() {
  await mkdir(FOLDER, { recursive: true });
  await promisify(execFile)("npm", ["install", "--no-save", "--no-audit", "--prefix", FOLDER, ...PACKAGES]);
  const load = createRequire(join(FOLDER, "package.json"));
  const { PeerServer } = load("peer");
  const library = await readFile(load.resolve("peerjs").replace(/[^/]*$/, "peerjs.min.js"));
  return new Promise((resolve) => {
    const app = PeerServer({ port: 0, host: "127.0.0.1", path: "/peer" }, (/** @type {import("node:http").Server} */ server) => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      resolve({ url: `http://localhost:${port}/`, stop: () => { server.close(); server.closeAllConnections(); } });
    });
    app.get("/", (/** @type {any} */ _, /** @type {any} */ answer) => { answer.type("html").send(PAGE); });
    app.get("/peerjs.js", (/** @type {any} */ _, /** @type {any} */ answer) => { answer.type("js").send(library); });
  });
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {number} rounds
 * @returns {Promise<number[]>} milliseconds from the click to the first picture
 */
export async function reference(browser, rounds) {
  const { url, stop } = await serve();
  /** @type {number[]} */
  const times = [];
  const host = await browser.newPage();
  try {
    await host.goto(url);
    await host.evaluate("host()");
    for (let round = 0; round < rounds; round += 1) {
      const guest = await browser.newPage();
      await guest.addInitScript(notePhases);
      await guest.goto(url);
      await pause(1000);
      await guest.getByRole("button").click();
      await guest.waitForFunction(() => /** @type {any} */ (window).moments.frame !== undefined);
      times.push((await phasesOf(guest)).frame ?? NaN);
      await guest.close();
    }
  } finally {
    await host.close();
    stop();
  }
  return times;
}
