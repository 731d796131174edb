/** What suites without Hanna (host.js) begin with: the product and a browser. Importing this starts and ends them. */
import { after, before } from "node:test";
import { launch } from "./chromium.js";
import { Product } from "./product.js";

/** @type {Product} */
export let product;
/** @type {import("playwright-core").Browser} */
export let browser;
before(async () => {
  product = await Product.start();
  browser = await launch();
});
after(async () => { await browser?.close(); await product?.stop(); });
