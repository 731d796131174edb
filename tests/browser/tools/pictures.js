/**
 * Takes the screenshots of the README from the running product: node pictures.js [FOLDER]. With PEERSYNC_ENDPOINT, the
 * address of an AWS emulator, the terminal shows `up` there; without, it shows `local`, for which port 8080 must be
 * free.
 */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "../support/chromium.js";
import { pause, seesAndHears } from "../support/media.js";
import { Person } from "../support/people.js";
import { PROGRAM, Product } from "../support/product.js";

const target = process.argv[2] ?? fileURLToPath(new URL("../../../docs/pictures/", import.meta.url));
const FRAMES = 30;
/** Video content makes large PNG files. */
const JPEG = /** @type {const} */ ({ type: "jpeg", quality: 85 });
/** How each person looks: colours of wall, clothes, skin and hair. */
const PEOPLE = [
  { name: "Ada", wall: "#cfe3e8", wood: "#8a6d55", clothes: "#a8492c", skin: "#f0c7a4", hair: "#4a2c1d", long: true },
  { name: "Bob", wall: "#f0dfc4", wood: "#2c6f7f", clothes: "#22465a", skin: "#8d5a3c", hair: "#1d1512", long: false },
];

/**
 * Draws a person in front of a window with a view of the sea, moving a little from frame to frame.
 * @param {typeof PEOPLE[0]} who
 * @param {number} frame
 */
function drawing({ wall, wood, clothes, skin, hair, long }, frame) {
  const turn = (frame / FRAMES) * 2 * Math.PI;
  const [x, y] = [Math.sin(turn) * 8, Math.cos(turn * 2) * 4];
  const shut = frame % FRAMES > FRAMES - 3;
  const eye = (/** @type {number} */ at) => `<ellipse cx="${at}" cy="330" rx="9" ry="${shut ? 2 : 11}" fill="#2b1d16"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="720" viewBox="0 0 1280 720">
    <rect width="1280" height="720" fill="${wall}"/>
    <g><rect x="820" y="70" width="360" height="400" rx="14" fill="${wood}"/><rect x="840" y="90" width="320" height="360" fill="#8fd0e6"/>
    <rect x="840" y="300" width="320" height="150" fill="#2f8fab"/><path d="M960 300l46-120 8 120zM1020 300l40-70-36 70z" fill="#fff6e6"/><path d="M940 304h130l-22 26h-86z" fill="#f4805f"/>
    <circle cx="1100" cy="150" r="34" fill="#ffe9a8"/></g>
    <rect x="90" y="420" width="250" height="18" rx="6" fill="${wood}"/><g fill="#b9543b"><rect x="110" y="330" width="32" height="90"/><rect x="190" y="345" width="40" height="75" fill="#5a5aa6"/></g><rect x="148" y="318" width="36" height="102" fill="#2c7350"/>
    <g transform="translate(${x} ${y})">
      ${long ? `<path d="M460 330c-20-190 330-190 310 0l26 230h-362z" fill="${hair}"/>` : ""}
      <path d="M300 720c10-190 130-210 315-210s305 20 315 210z" fill="${clothes}"/><rect x="565" y="440" width="100" height="110" rx="45" fill="${skin}"/>
      <ellipse cx="615" cy="335" rx="118" ry="142" fill="${skin}"/>
      <path d="M495 320c-15-190 255-190 240 0-30-60-60-80-120-80s-95 20-120 80z" fill="${hair}"/>
      ${eye(570)}${eye(660)}<path d="M575 398q40 ${30 + Math.sin(turn * 3) * 8} 80 0" fill="none" stroke="#7a2f24" stroke-width="9" stroke-linecap="round"/>
    </g></svg>`;
}

/**
 * Creates the file that Chromium plays instead of a camera: one frame after the other.
 * @param {typeof PEOPLE[0]} who
 * @param {string} folder
 */
async function film(who, folder) {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  /** @type {Buffer[]} */
  const frames = [];
  for (let frame = 0; frame < FRAMES; frame += 1) {
    await page.setContent(`<body style="margin:0">${drawing(who, frame)}`);
    frames.push(await page.screenshot({ type: "jpeg", quality: 85 }));
  }
  await browser.close();
  const file = join(folder, `${who.name}.mjpeg`);
  await writeFile(file, Buffer.concat(frames));
  return file;
}

/** @param {Product} product @param {string} folder */
async function call(product, folder) {
  /** @type {import("playwright-core").BrowserContextOptions[]} */
  const looks = [{ viewport: { width: 1440, height: 900 }, colorScheme: "light" }, { viewport: { width: 390, height: 844 }, colorScheme: "dark", deviceScaleFactor: 2, hasTouch: true }];
  const arrived = await Promise.all(PEOPLE.map(async (who, index) => {
    const browser = await launch({ switches: [`--use-file-for-fake-video-capture=${await film(who, folder)}`] });
    return { browser, person: await Person.arrive(product, browser, who.name, { ...looks[index], fullPicture: true }) };
  }));
  const [one, other] = arrived;
  if (!one || !other) return;
  const [ada, bob] = [one.person, other.person];
  await ada.befriend(bob);
  await bob.open("home.html");
  await ada.open("home.html");
  await ada.page.getByText("Online", { exact: true }).waitFor();
  await ada.page.screenshot({ ...JPEG, path: join(target, "home.jpg") });
  await ada.press("Call Bob");
  await bob.page.getByRole("dialog", { name: /calling/ }).getByRole("button", { name: "Accept" }).click();
  await Promise.all([seesAndHears(ada, "Bob"), seesAndHears(bob, "Ada")]);
  await ada.press("Chat");
  const say = async (/** @type {Person} */ person, /** @type {string} */ text) => {
    await person.page.getByRole("textbox", { name: "Message" }).fill(text);
    await person.page.keyboard.press("Enter");
  };
  await say(ada, "Is the boat back in the water?");
  await bob.press(/^Chat/);
  await say(bob, "Since this morning! How about six o’clock?");
  await bob.press("Close");
  await say(ada, "I bring the sandwiches.");
  await pause(8000);
  await ada.page.screenshot({ ...JPEG, path: join(target, "call.jpg") });
  await bob.page.screenshot({ ...JPEG, path: join(target, "call-phone.jpg") });
  await ada.press("Leave");
  for (const { browser, person } of arrived) {
    await person.leave();
    await browser.close();
  }
}

/** @returns {Promise<{ command: string, output: string }>} what a terminal would show, colours included */
async function session() {
  const endpoint = process.env.PEERSYNC_ENDPOINT;
  const given = endpoint ? ["--endpoint-url", endpoint, "up", "-y"] : ["local", "--ephemeral", "--embedded"];
  const started = spawn(PROGRAM, given, { env: { ...process.env, CLICOLOR_FORCE: "1", FORCE_COLOR: "1", TERM: "xterm-256color" }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const done = new Promise((resolve) => {
    for (const stream of [started.stdout, started.stderr]) {
      stream.on("data", (text) => {
        output += text;
        if (!endpoint && /ready after/.test(output)) setTimeout(resolve, 700);
      });
    }
    started.once("exit", resolve);
  });
  await done;
  started.kill();
  if (!endpoint && !/ready after/.test(output)) throw new Error(`local is not ready:\n${output}`);
  return { command: ["peersync-deploy", ...given].join(" "), output };
}

const COLOURS = ["#1f2d36", "#ff8a7c", "#62d39b", "#f2c066", "#7db9e8", "#c9a2e0", "#58c7e0", "#e9f3f7"];

/** Terminal colours as markup; everything else as text. @param {string} text */
function coloured(text) {
  const escaped = text.replace(/\r(?!\n)[^\n]*/g, "").replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  let open = 0;
  // eslint-disable-next-line no-control-regex
  const marked = escaped.replace(/\u001b\[([\d;]*)m/g, (_, codes) => {
    const closing = "</span>".repeat(open);
    open = 0;
    const styles = String(codes).split(";").map(Number).flatMap((code) => {
      if (code === 1) return ["font-weight:700"];
      if (code === 2) return ["opacity:.65"];
      const base = code >= 90 ? code - 90 : code - 30;
      return base >= 0 && base < 8 ? [`color:${COLOURS[base]}`] : [];
    });
    if (styles.length === 0) return closing;
    open = 1;
    return `${closing}<span style="${styles.join(";")}">`;
  });
  // eslint-disable-next-line no-control-regex
  return (marked + "</span>".repeat(open)).replace(/\u001b\[[\d;?]*[A-Za-z]/g, "");
}

async function terminal() {
  const { command, output } = await session();
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1000, height: 200 }, deviceScaleFactor: 2 });
  await page.setContent(`<body style="margin:0;background:transparent"><div id="t" style="background:#0b1a24;color:#e9f3f7;border-radius:12px;padding:16px 22px 22px;font:15px/1.5 'DejaVu Sans Mono',monospace;width:fit-content;min-width:820px">
    <div style="margin-bottom:12px"><i style="color:#ff8a7c">●</i> <i style="color:#f2c066">●</i> <i style="color:#62d39b">●</i></div><pre style="margin:0;font:inherit;white-space:pre-wrap"><b style="color:#62d39b">$</b> ${command}\n${coloured(output.trimEnd())}</pre></div>`);
  await page.locator("#t").screenshot({ path: join(target, "terminal.png"), omitBackground: true });
  await browser.close();
}

await mkdir(target, { recursive: true });
const folder = await mkdtemp(join(tmpdir(), "peersync-pictures-"));
const product = await Product.start();
try {
  await call(product, folder);
  await terminal();
} finally {
  await product.stop();
  await rm(folder, { recursive: true, force: true });
}
