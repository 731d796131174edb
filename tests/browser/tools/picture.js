/** Makes assets/sailbeach.png, the landing picture, from its drawing sailbeach.svg: node picture.js [TARGET]. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch } from "../support/chromium.js";
import { encode } from "./png.js";

const WIDTH = 1600;
const HEIGHT = 1000;
const drawing = await readFile(new URL("sailbeach.svg", import.meta.url), "utf8");
const target = process.argv[2] ?? fileURLToPath(new URL("../../../assets/sailbeach.png", import.meta.url));

const browser = await launch();
const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT } });
await page.setContent(`<style>body{margin:0}svg{display:block}</style>${drawing}`);
const shown = `data:image/png;base64,${(await page.screenshot({ type: "png" })).toString("base64")}`;
const pixels = await page.evaluate(async ([source = "", width, height]) => {
  const picture = new Image();
  picture.src = String(source);
  await picture.decode();
  const canvas = new OffscreenCanvas(Number(width), Number(height));
  const context = canvas.getContext("2d");
  context?.drawImage(picture, 0, 0);
  const { data } = context?.getImageData(0, 0, Number(width), Number(height)) ?? { data: [] };
  return [...data].filter((_, index) => index % 4 !== 3);
}, [shown, WIDTH, HEIGHT]);
await browser.close();
await writeFile(target, encode(Uint8Array.from(pixels), WIDTH, HEIGHT));
