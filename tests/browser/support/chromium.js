/** The installed Chromium with made-up camera and microphone, and nothing of its own on the network. */
import { chromium } from "playwright-core";

const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--use-fake-ui-for-media-stream",
  // Few pictures a second: two cores have to send, receive and show those of up to four people.
  "--use-fake-device-for-media-stream=device-count=2,fps=15",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--autoplay-policy=no-user-gesture-required",
  // Addresses on this machine as they are: nobody here answers multicast DNS.
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
