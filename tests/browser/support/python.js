/** The Python environment of the tests. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const PYTHON = process.env.PEERSYNC_PYTHON ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "venv/bin/python");
