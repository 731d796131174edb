/**
 * PNG files of drawings, a fifth of the browser's: with a palette of the 256 colours that lie closest to those of the
 * drawing, most of which are mixed along its edges.
 */
import { crc32, deflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const PALETTE = 256;
/** How often each palette entry is moved to the mean of the colours it represents. */
const ROUNDS = 12;

/** @typedef {[red: number, green: number, blue: number, count: number]} Colour count: pixels that have it */

/** @param {Uint8Array} pixels @returns {Colour[]} */
function colours(pixels) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (let at = 0; at < pixels.length; at += 3) {
    const key = keyOf(pixels, at);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => [key >> 16, (key >> 8) & 255, key & 255, count]);
}

/** @param {ArrayLike<number>} pixels @param {number} at */
const keyOf = (pixels, at) => ((pixels[at] ?? 0) << 16) | ((pixels[at + 1] ?? 0) << 8) | (pixels[at + 2] ?? 0);

/** @param {Colour[]} box @returns {Colour} their middle */
function middle(box) {
  const count = box.reduce((sum, colour) => sum + colour[3], 0);
  const mean = (/** @type {0 | 1 | 2} */ channel) => box.reduce((sum, colour) => sum + colour[channel] * colour[3], 0) / count;
  return [mean(0), mean(1), mean(2), count];
}

/** How far the colours of a box lie apart, many pixels counting more. @param {Colour[]} box */
function spread(box) {
  const mean = middle(box);
  const of = (/** @type {0 | 1 | 2} */ channel) => box.reduce((sum, colour) => sum + (colour[channel] - mean[channel]) ** 2 * colour[3], 0);
  const all = /** @type {const} */ ([0, 1, 2]).map((channel) => ({ channel, spread: of(channel) }));
  return { mean, ...all.reduce((one, other) => (other.spread > one.spread ? other : one)) };
}

/** Splits what lies furthest apart until there are as many boxes as the palette has places. @param {Colour[]} all */
function split(all) {
  const boxes = [{ box: all, ...spread(all) }];
  while (boxes.length < PALETTE) {
    boxes.sort((one, other) => other.spread - one.spread);
    const widest = boxes.shift();
    if (!widest || widest.box.length < 2) break;
    const { channel, mean, box } = widest;
    for (const half of [box.filter((colour) => colour[channel] <= mean[channel]), box.filter((colour) => colour[channel] > mean[channel])]) {
      boxes.push({ box: half, ...spread(half) });
    }
  }
  return boxes.map(({ mean }) => mean);
}

/** @param {Colour[]} palette @param {Colour} colour @returns {number} the place of the closest */
function closest(palette, [red, green, blue]) {
  let [best, least] = [0, Infinity];
  for (const [place, [r, g, b]] of palette.entries()) {
    const distance = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
    if (distance < least) [best, least] = [place, distance];
  }
  return best;
}

/**
 * @param {Colour[]} all
 * @returns {{ palette: Colour[], places: Map<number, number> }} places: of each colour in the palette
 */
function reduce(all) {
  let palette = split(all);
  for (let round = 0; round < ROUNDS; round += 1) {
    /** @type {Colour[][]} */
    const groups = palette.map(() => []);
    for (const colour of all) groups[closest(palette, colour)]?.push(colour);
    palette = groups.filter((group) => group.length > 0).map(middle);
  }
  palette = palette.map(([red, green, blue, count]) => [Math.round(red), Math.round(green), Math.round(blue), count]);
  return { palette, places: new Map(all.map((colour) => [keyOf(colour, 0), closest(palette, colour)])) };
}

/**
 * @param {string} type
 * @param {Buffer} data
 */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/**
 * @param {Uint8Array} pixels red, green, blue, red, …
 * @param {number} width
 * @param {number} height
 * @returns {Buffer} the file
 */
export function encode(pixels, width, height) {
  const { palette, places } = reduce(colours(pixels));
  // Each row begins with its filter: none, which suits a palette.
  const lines = Buffer.alloc((width + 1) * height);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    lines[pixel + Math.floor(pixel / width) + 1] = places.get(keyOf(pixels, pixel * 3)) ?? 0;
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  // 8 bits per pixel, an index into the palette.
  head.set([8, 3, 0, 0, 0], 8);
  const table = Buffer.from(palette.flatMap(([red, green, blue]) => [red, green, blue]));
  const data = deflateSync(lines, { level: 9, memLevel: 9 });
  return Buffer.concat([SIGNATURE, chunk("IHDR", head), chunk("PLTE", table), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}
