/** The installed Chromium with made-up camera and microphone, and nothing of its own on the network. */
import { chromium } from "playwright-core";

const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--autoplay-policy=no-user-gesture-required",
];

/**
 * @param {{ switches?: string[], without?: string[] }} [options] what to add to and leave out of the usual switches
 * @returns {Promise<import("playwright-core").Browser>}
 */
export function launch({ switches = [], without = [] } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [...SWITCHES.filter((name) => !without.includes(name)), ...switches],
  });
}
