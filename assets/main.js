/** The entry point of every page: translates it and starts the module named by `<body data-page>`. */
/** @type {Record<string, () => Promise<{ start(): void | Promise<void> }>>} */
const PAGES = {
  index: () => import("./js/pages/index.js"),
  signup: () => import("./js/pages/signup.js"),
  login: () => import("./js/pages/login.js"),
  home: () => import("./js/pages/home.js"),
  friendcall: () => import("./js/pages/friendcall.js"),
  room: () => import("./js/pages/room.js"),
  friendre1: () => import("./js/pages/friendre1.js"),
  missing: async () => ({ start() {} }),
};

const name = document.body.dataset.page ?? "";
const load = PAGES[name];
if (!load) {
  throw new Error(`This page says data-page="${name}", which main.js does not know.`);
}
const [{ translatePage }, page] = await Promise.all([import("./js/i18n.js"), load()]);
translatePage();
await page.start();
document.documentElement.dataset.ready = name;

export {};
