/** What most suites begin with: the product, a browser, and Hanna, who has an account. Importing this starts and ends them. */
import { after, before } from "node:test";
import { launch } from "./chromium.js";
import { Person } from "./people.js";
import { Product } from "./product.js";

/** @type {Product} */
export let product;
/** @type {import("playwright-core").Browser} */
export let browser;
/** @type {Person} */
export let host;
before(async () => {
  product = await Product.start();
  browser = await launch();
  host = await Person.arrive(product, browser, "Hanna");
});
after(async () => { await host?.leave(); await browser?.close(); await product?.stop(); });
