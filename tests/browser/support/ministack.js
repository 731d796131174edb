/** MiniStack, which stands for AWS: on loopback and a free port, in the Python environment of the tests. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PYTHON = process.env.PEERSYNC_PYTHON ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "venv/bin/python");
const PATIENCE_MS = 90_000;

/** It and the functions that it runs end when its standard input closes, which it does when we end, however that is. */
const MAIN = `
import os, signal, sys, threading
os.setpgrp()
def watch():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
from ministack.app import main
main()
`;

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/** @returns {Promise<{ url: string, stop: () => Promise<void> }>} */
export async function startMiniStack() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = spawn(PYTHON, ["-c", MAIN], {
    // Side ports would listen on every interface. Functions ask at the address of the gateway.
    env: { ...process.env, GATEWAY_PORT: String(port), BIND_HOST: "127.0.0.1", AWS_ENDPOINT_URL: url, SFTP_ENABLED: "0", IOT_MTLS_ENABLED: "0",
      LAMBDA_EXECUTOR: "local", PYTHONUNBUFFERED: "1", NO_PROXY: "*" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(started, "exit");
  ended.catch(() => undefined);
  let told = "";
  for (const stream of [started.stdout, started.stderr]) stream.on("data", (text) => { told = (told + text).slice(-4000); });
  const stop = async () => {
    started.stdin.end();
    await ended;
  };
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end && started.exitCode === null) {
    if (await fetch(`${url}/_ministack/health`).then((answer) => answer.ok, () => false)) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error(`MiniStack does not come up:\n${told}`);
}
