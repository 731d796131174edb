/** Makes assets/sailbeach.png, the landing picture, out of its drawing sailbeach.svg: node picture.js [TARGET]. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch } from "../support/chromium.js";

const WIDTH = 1600;
const HEIGHT = 1000;
const drawing = await readFile(new URL("sailbeach.svg", import.meta.url), "utf8");
const target = process.argv[2] ?? fileURLToPath(new URL("../../../assets/sailbeach.png", import.meta.url));

const browser = await launch();
const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT } });
await page.setContent(`<style>body{margin:0}svg{display:block}</style>${drawing}`);
await writeFile(target, await page.screenshot({ type: "png" }));
await browser.close();
