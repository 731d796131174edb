/** People with a browser each: signed up, befriended, and watched for errors that must never happen. */
import assert from "node:assert/strict";

/**
 * @typedef {import("./product.js").Product} Product
 * @typedef {import("playwright-core").Page} Page
 * @typedef {import("playwright-core").BrowserContext} BrowserContext
 * @typedef {import("playwright-core").BrowserContextOptions} Options
 */

/** Runs in the page before its own scripts: records what tests check and the page does not show. */
function watch() {
  const own = /** @type {any} */ (window);
  own.connections = [];
  own.channels = {};
  own.iceStates = [];
  own.violations = [];
  const Native = RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    /** @param {RTCConfiguration} [configuration] */
    constructor(configuration) {
      super({ ...configuration, ...own.rtcConfiguration });
      own.connections.push(this);
      this.addEventListener("iceconnectionstatechange", () => own.iceStates.push(this.iceConnectionState));
    }

    /** @override @param {string} label @param {RTCDataChannelInit} [options] */
    createDataChannel(label, options) {
      own.channels[label] = super.createDataChannel(label, options);
      return own.channels[label];
    }
  };
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    own.longestStall = Math.max(own.longestStall ?? 0, now - last - 50);
    last = now;
  }, 50);
  addEventListener("securitypolicyviolation", (event) => own.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
}

/**
 * Runs in the page: makes the video small. Encoding the size that the pages ask for takes most of a core, and several
 * people share one machine in a test.
 */
function smallCamera() {
  const devices = navigator.mediaDevices;
  const native = devices?.getUserMedia.bind(devices);
  const small = { width: 320, height: 180 };
  if (native) {
    devices.getUserMedia = (wanted) => native(wanted?.video ? { ...wanted, video: typeof wanted.video === "object" ? { ...wanted.video, ...small } : small } : wanted);
  }
}

/** How long anything in a page may take, in milliseconds: test machines are busy. */
const PATIENCE_MS = 60_000;

/** Allowed console messages: deliberate error responses, and browsers reporting that the network went away. */
const EXPECTED = /status of 4\d\d|ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket|net::ERR_|status of 50\d/;

export class Person {
  context;
  page;
  name;
  email;
  /** @type {string[]} */
  problems = [];
  /** How often the browser has asked whether to leave a page. */
  asked = 0;
  #product;

  /**
   * @param {Product} product
   * @param {BrowserContext} context
   * @param {Page} page
   * @param {string} name
   * @param {string} email empty for a guest
   */
  constructor(product, context, page, name, email) {
    this.#product = product;
    this.context = context;
    this.page = page;
    this.name = name;
    this.email = email;
    context.on("page", (opened) => this.#listen(opened));
    this.#listen(page);
  }

  /** @param {Page} page */
  #listen(page) {
    // The question whether to leave a call, which a test answers by leaving.
    page.on("dialog", (dialog) => { this.asked += 1; void dialog.accept(); });
    page.on("pageerror", (error) => this.problems.push(`${this.name}: ${error.stack ?? error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !EXPECTED.test(message.text())) this.problems.push(`${this.name}: ${message.text()}`);
    });
  }

  /**
   * @param {Product} product
   * @param {import("playwright-core").Browser} browser
   * @param {string} name
   * @param {Options & { guest?: boolean, fullPicture?: boolean, setUp?: () => void }} [options] fullPicture: of the size that
   *   the pages ask for
   */
  static async arrive(product, browser, name, { guest = false, fullPicture = false, setUp, ...options } = {}) {
    const context = await browser.newContext({ locale: "en", viewport: { width: 1000, height: 700 }, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.grantPermissions(["camera", "microphone"], { origin: product.url });
    await context.addInitScript(watch);
    if (!fullPicture) await context.addInitScript(smallCamera);
    if (setUp) await context.addInitScript(setUp);
    const email = guest ? "" : `${name.toLowerCase().replace(/[^a-z]/g, "").slice(0, 12) || "somebody"}-${Math.random().toString(36).slice(2, 8)}@example.org`;
    const person = new Person(product, context, await context.newPage(), name, email);
    if (!guest) await person.#signUp();
    return person;
  }

  async #signUp() {
    await this.post("/signup", { name: this.name, email: this.email });
    const mail = await this.#product.mail(this.email);
    const code = /\b(\d{3})\s?(\d{3})\b/.exec(mail.text);
    assert.ok(code, `no code in the mail: ${mail.text}`);
    await this.post("/login/verify", { email: this.email, code: `${code[1]}${code[2]}` });
  }

  /**
   * @param {string} route
   * @param {unknown} body
   * @returns {Promise<any>}
   */
  async post(route, body) {
    const response = await this.context.request.post(`${this.#product.url}/api${route}`, { data: body, headers: { origin: this.#product.url } });
    assert.ok(response.ok(), `${route}: ${response.status()} ${await response.text()}`);
    return response.json().catch(() => ({}));
  }

  /** @param {Person} other */
  async befriend(other) {
    await this.post("/send-friend-request", { toEmail: other.email });
    await other.post("/respond-friend-request", { fromEmail: this.email, action: "accept" });
  }

  /** @returns {Promise<string>} the link of a new room */
  async makeRoom(name = "Harbour talk") {
    const room = await this.post("/create-room", { name });
    return `${this.#product.url}/room.html#${room.id}`;
  }

  /** @param {string} path */
  async open(path) {
    await this.page.goto(path.startsWith("http") ? path : `${this.#product.url}/${path}`);
    await this.page.waitForFunction(() => document.documentElement.dataset.ready);
    return this.page;
  }

  /**
   * Joins a room with camera and microphone.
   * @param {string} link
   */
  async enter(link) {
    await this.open(link);
    const name = this.page.getByRole("textbox", { name: "Name" });
    if (!this.email) await name.fill(this.name);
    await this.press("Join room");
    await this.page.locator(".call").waitFor();
  }

  /** @param {string | RegExp} name of a button */
  async press(name) {
    await this.page.getByRole("button", typeof name === "string" ? { name, exact: true } : { name }).click();
  }

  /** Reports errors that nobody saw, and closes the browser. */
  async leave() {
    for (const page of this.context.pages()) {
      const violations = await page.evaluate(() => /** @type {any} */ (window).violations ?? []).catch(() => []);
      this.problems.push(...violations.map((/** @type {string} */ text) => `${this.name}: policy violated: ${text}`));
    }
    await this.context.close();
    assert.deepEqual(this.problems, []);
  }
}
