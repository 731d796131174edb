/** The browsers of the network lab: Chromium and stock Firefox, each with a fake camera and microphone. */
import puppeteer from "puppeteer-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--use-fake-ui-for-media-stream",
  // A low frame rate: two cores have to send, receive and show the video of up to three people.
  "--use-fake-device-for-media-stream=fps=15",
  "--disable-background-networking",
  "--autoplay-policy=no-user-gesture-required",
];
const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  // Nothing in the lab answers questions about names, so do not wait for answers.
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.dns.disabled": true,
};

/**
 * Both accept the certificate of `local --https`, which nobody has signed.
 * @param {string} name "chromium" or "firefox"
 * @returns {Promise<import("puppeteer-core").Browser>}
 */
export function launch(name) {
  const shared = { headless: true, acceptInsecureCerts: true, protocolTimeout: 120_000, defaultViewport: { width: 1000, height: 700 } };
  return name === "firefox"
    ? puppeteer.launch({ ...shared, browser: "firefox", executablePath: FIREFOX, extraPrefsFirefox: PREFERENCES })
    : puppeteer.launch({ ...shared, browser: "chrome", executablePath: CHROMIUM, args: SWITCHES });
}
