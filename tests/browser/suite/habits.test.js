/** What people do that no page asked them to: other keyboards, files beside the target, browsers that keep nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { guestInCall, meet } from "../support/calls.js";
import { browser, host, product } from "../support/host.js";
import { Person } from "../support/people.js";

test("a file dropped beside the chat is sent, and the call goes on", async () => {
  const gus = await guestInCall(product, browser, host);
  const prevented = await gus.page.evaluate(() => {
    const files = new DataTransfer();
    files.items.add(new File(["a"], "plan.txt"));
    const drop = new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
    document.querySelector(".stage")?.dispatchEvent(drop);
    return drop.defaultPrevented;
  });
  assert.ok(prevented, "the browser would open the file in place of the call");
  await gus.page.getByText("Sending plan.txt").waitFor();
  await host.press(/^Chat/);
  await host.press("Receive");
  await host.page.getByRole("link", { name: "Save plan.txt" }).waitFor();
  await meet(host, gus);
  await gus.leave();
});

test("Enter that ends a composition does not send", async () => {
  const gus = await guestInCall(product, browser, host);
  await gus.press("Chat");
  const field = gus.page.getByRole("textbox", { name: "Message" });
  await field.fill("にほん");
  // As Safari tells it: the composition is over already.
  await field.evaluate((node) => node.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true })));
  assert.equal(await field.inputValue(), "にほん");
  await field.press("Enter");
  assert.equal(await field.inputValue(), "");
  await gus.leave();
});

test("shortcuts work with a keyboard of another alphabet", async () => {
  const gus = await guestInCall(product, browser, host);
  const press = (/** @type {string} */ key, /** @type {string} */ code) =>
    gus.page.evaluate((init) => document.body.dispatchEvent(new KeyboardEvent("keydown", { ...init, bubbles: true, cancelable: true })), { key, code });
  await press("ь", "KeyM");
  await gus.page.getByRole("button", { name: "Unmute microphone" }).waitFor();
  // A Latin letter counts as what it is, wherever it lies.
  await press("q", "KeyM");
  await press("m", "KeyQ");
  await gus.page.getByRole("button", { name: "Mute microphone" }).waitFor();
  await gus.leave();
});

test("a guest whose browser keeps nothing gets in", async () => {
  const blocked = () => {
    for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
      Object.defineProperty(window, name, { get: () => { throw new DOMException("Access is denied.", "SecurityError"); } });
    }
  };
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true, setUp: blocked });
  await host.enter(link);
  await gus.enter(link);
  await meet(host, gus);
  await gus.page.keyboard.press("m");
  await host.page.getByRole("img", { name: "Gus is muted" }).waitFor();
  await gus.leave();
});

test("who loses a headset goes on speaking with another microphone", async () => {
  const gus = await guestInCall(product, browser, host);
  await gus.page.evaluate(() => {
    const sender = /** @type {any} */ (window).connections.at(-1).getSenders().find((/** @type {RTCRtpSender} */ one) => one.track?.kind === "audio");
    sender.track.dispatchEvent(new Event("ended"));
  });
  await gus.page.getByText("Your Microphone was unplugged.").waitFor();
  await gus.page.getByRole("button", { name: "Mute microphone" }).waitFor();
  await meet(host, gus);
  await gus.leave();
});
