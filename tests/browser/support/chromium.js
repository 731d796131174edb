/** The installed Chromium with a fake camera and microphone, and no network traffic of its own. */
import { chromium } from "playwright-core";

const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--use-fake-ui-for-media-stream",
  // A low frame rate: two cores have to send, receive and show the video of up to four people.
  "--use-fake-device-for-media-stream=device-count=2,fps=15",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--autoplay-policy=no-user-gesture-required",
  // Use this machine's plain addresses: nothing in a test answers multicast DNS.
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/**
 * @param {{ switches?: string[], without?: string[] }} [options] what to add to and leave out of the usual switches
 * @returns {Promise<import("playwright-core").Browser>}
 */
export function launch({ switches = [], without = [] } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [...SWITCHES.filter((name) => !without.some((start) => name.startsWith(start))), ...switches],
  });
}
