/** Measures what a page transfers, as CloudFront sends it. */
import { gzipSync } from "node:zlib";

/** CloudFront compresses files from 1,000 to 10,000,000 bytes (its developer guide, "Serve compressed files"). */
const COMPRESSED_BYTES = { least: 1000, most: 10_000_000 };
const COMPRESSED_TYPES = /^(text\/(html|css|javascript|plain)|application\/json|image\/svg\+xml)\b/;

/**
 * Returns the body as transferred. Browsers get Brotli, at a level that AWS does not state; this is gzip, for
 * clients without it, which is larger.
 * @param {Buffer} body
 * @param {string} path
 * @param {string} type content type
 * @returns {{ body: Buffer, compressed: boolean }}
 */
export function asSent(body, path, type) {
  // The distribution does not cache the API's answers, and what it does not cache it does not compress.
  const compressed = !path.startsWith("/api/") && COMPRESSED_TYPES.test(type)
    && body.length >= COMPRESSED_BYTES.least && body.length <= COMPRESSED_BYTES.most;
  return { body: compressed ? gzipSync(body, { level: 6 }) : body, compressed };
}

/** Sums what one page loads over HTTP from one origin, from its opening on, except images. */
export class Scales {
  #origin;
  /** What the browser may keep for good: Chromium asks its cache for the icon again when the address changes. @type {Set<string>} */
  #kept = new Set();
  /** @type {Array<Promise<[string, number]>>} */
  #all = [];

  /**
   * @param {import("playwright-core").Page} page with an empty cache
   * @param {string} origin
   */
  constructor(page, origin) {
    this.#origin = origin;
    page.on("response", (response) => {
      const { pathname, origin: from } = new URL(response.url());
      if (from !== origin || pathname.endsWith(".png") || this.#kept.has(pathname)) return;
      if (response.headers()["cache-control"]?.includes("immutable")) this.#kept.add(pathname);
      this.#all.push(this.#weigh(response, pathname));
    });
  }

  /**
   * @param {import("playwright-core").Response} response
   * @param {string} path
   * @returns {Promise<[string, number]>}
   */
  async #weigh(response, path) {
    const type = response.headers()["content-type"] ?? "";
    const body = await response.body().catch(() => Buffer.alloc(0));
    // Readers of another language get its texts instead.
    const others = path.includes("/texts/en/") ? [await this.#get(path.replace("/en/", "/de/"))] : [];
    return [path, Math.max(...[body, ...others].map((one) => asSent(one, path, type).body.length))];
  }

  /** @param {string} path */
  async #get(path) {
    return Buffer.from(await (await fetch(this.#origin + path)).arrayBuffer());
  }

  /** @returns {Promise<Array<[string, number]>>} path and bytes of everything loaded, the largest first */
  async parts() {
    return (await Promise.all(this.#all)).sort(([, one], [, other]) => other - one);
  }

  /** @returns {Promise<number>} bytes */
  async total() {
    return (await this.parts()).reduce((sum, [, bytes]) => sum + bytes, 0);
  }
}
