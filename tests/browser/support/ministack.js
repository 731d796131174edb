/** MiniStack, an AWS emulator: on loopback and a free port, in the Python environment of the tests. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./ports.js";
import { PYTHON } from "./python.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Exits when its standard input closes, which happens however this process ends. */
const EMULATOR = join(ROOT, "tests/support/emulator.py");
const PATIENCE_MS = 90_000;

/** @returns {Promise<{ url: string, stop: () => Promise<void> }>} */
export async function startMiniStack() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const started = spawn(PYTHON, ["-u", EMULATOR, "ministack", String(port)], { stdio: ["pipe", "pipe", "pipe"] });
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
