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

test("the browser asks before a call is left by accident, and does not when it is left by a click", async () => {
  const gus = await guestInCall(product, browser, host);
  assert.equal(gus.asked, 0);
  await gus.page.reload();
  assert.equal(gus.asked, 1);
  await gus.page.getByRole("button", { name: "Join room" }).waitFor();
  await gus.page.reload();
  assert.equal(gus.asked, 1, "nobody is lost before a call");
  await gus.enter(gus.page.url());
  await meet(host, gus);
  await gus.press("Leave");
  await gus.page.getByRole("button", { name: "Join again" }).click();
  await gus.page.getByRole("button", { name: "Join room" }).waitFor();
  assert.equal(gus.asked, 1);
  await gus.leave();
});

test("a web address in the chat is a link to another tab, and nothing is fetched before the click", async () => {
  const gus = await guestInCall(product, browser, host);
  await gus.press("Chat");
  await gus.page.getByRole("textbox", { name: "Message" }).fill("see https://chat.example/page, or javascript:alert(1)");
  /** @type {string[]} */
  const asked = [];
  host.context.on("request", (request) => asked.push(request.url()));
  await gus.page.keyboard.press("Enter");
  await host.press(/^Chat/);
  const link = host.page.getByRole("link", { name: "https://chat.example/page" });
  await link.waitFor();
  const attributes = await link.evaluate((/** @type {HTMLAnchorElement} */ { href, target, rel }) => ({ href, target, rel }));
  assert.deepEqual(attributes, { href: "https://chat.example/page", target: "_blank", rel: "noopener noreferrer" });
  assert.equal(await host.page.locator(".chat-text a").count(), 1);
  assert.ok(!asked.some((url) => url.includes("chat.example")), asked.join(" "));
  await host.context.route("https://chat.example/page", (route) => route.fulfill({ body: "there" }));
  const [opened] = await Promise.all([host.context.waitForEvent("page"), link.click()]);
  await opened.waitForURL("https://chat.example/page");
  assert.equal(await opened.evaluate(() => `${opener} ${document.referrer}`), "null ");
  await opened.close();
  await meet(host, gus);
  await gus.leave();
});

test("a camera that looks away is shown as it sees, and an upright picture is not cropped", async () => {
  const upright = () => {
    const settings = MediaStreamTrack.prototype.getSettings;
    MediaStreamTrack.prototype.getSettings = function rear() { return { ...settings.call(this), facingMode: "environment" }; };
    const { mediaDevices } = navigator;
    const native = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wanted) => {
      const stream = await native(wanted);
      if (!wanted?.video) return stream;
      const canvas = Object.assign(document.createElement("canvas"), { width: 180, height: 320 });
      setInterval(() => canvas.getContext("2d")?.fillRect(Math.random() * 180, Math.random() * 320, 9, 9), 50);
      for (const track of stream.getVideoTracks()) { track.stop(); stream.removeTrack(track); }
      for (const track of canvas.captureStream(20).getVideoTracks()) stream.addTrack(track);
      return stream;
    };
  };
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true, setUp: upright });
  await host.enter(link);
  await gus.open(link);
  await gus.press("Test camera and microphone");
  const look = (/** @type {Person} */ person, /** @type {string} */ name) => person.page.locator(`video[aria-label="${name}"]`).evaluate((video) => {
    const { transform, objectFit } = getComputedStyle(video);
    return { transform, objectFit };
  });
  await gus.page.waitForFunction(() => document.querySelector("video")?.srcObject);
  assert.equal((await look(gus, "You")).transform, "none");
  await gus.page.getByRole("textbox", { name: "Name" }).fill("Gus");
  await gus.press("Join room");
  await meet(host, gus);
  assert.equal((await look(gus, "You")).transform, "none");
  assert.equal((await look(host, "You")).transform, "matrix(-1, 0, 0, 1, 0, 0)");
  await host.page.locator('.tile[data-tall="true"]').waitFor();
  assert.equal((await look(host, "Gus")).objectFit, "contain");
  assert.equal((await look(gus, host.name)).objectFit, "cover");
  await gus.leave();
});

test("the sound of a shared screen arrives in stereo, unprocessed, and without the call's own sound", async () => {
  const music = () => {
    /** @type {any} */ (window).wanted = [];
    navigator.mediaDevices.getDisplayMedia = async (wanted) => {
      /** @type {any} */ (window).wanted.push(wanted);
      const audio = new AudioContext();
      const out = audio.createMediaStreamDestination();
      const both = audio.createChannelMerger(2);
      const left = audio.createOscillator();
      // The right channel stays silent.
      left.connect(both, 0, 0);
      both.connect(out);
      left.start();
      const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 180 });
      setInterval(() => canvas.getContext("2d")?.fillRect(Math.random() * 320, Math.random() * 180, 9, 9), 50);
      return new MediaStream([...canvas.captureStream(15).getTracks(), ...out.stream.getTracks()]);
    };
  };
  const link = await host.makeRoom();
  const gus = await Person.arrive(product, browser, "Gus", { guest: true, setUp: music });
  await host.enter(link);
  await gus.enter(link);
  await meet(host, gus);
  await gus.press("Share screen");
  const label = "Screen shared by Gus";
  await host.page.locator(`video[aria-label="${label}"]`).waitFor();
  const levels = await host.page.evaluate(async (name) => {
    const video = /** @type {HTMLVideoElement} */ (document.querySelector(`video[aria-label="${name}"]`));
    const stream = /** @type {MediaStream} */ (video.srcObject);
    while (stream.getAudioTracks().length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const audio = new AudioContext();
    const channels = audio.createChannelSplitter(2);
    audio.createMediaStreamSource(stream).connect(channels);
    const meters = [0, 1].map((channel) => {
      const meter = audio.createAnalyser();
      channels.connect(meter, channel);
      return meter;
    });
    const level = (/** @type {AnalyserNode} */ meter) => {
      const samples = new Float32Array(meter.fftSize);
      meter.getFloatTimeDomainData(samples);
      return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    };
    for (;;) {
      const [left = 0, right = 0] = meters.map(level);
      if (left > 0.2) return { left, right };
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }, label);
  assert.ok(levels.right < levels.left / 10, JSON.stringify(levels));
  const [wanted] = await gus.page.evaluate(() => /** @type {any} */ (window).wanted);
  const { echoCancellation, noiseSuppression, autoGainControl, restrictOwnAudio } = wanted.audio;
  assert.deepEqual({ echoCancellation, noiseSuppression, autoGainControl, restrictOwnAudio },
    { echoCancellation: false, noiseSuppression: false, autoGainControl: false, restrictOwnAudio: true });
  await gus.leave();
});

test("a page whose scripts are gone says that it has to be reloaded", async () => {
  const gus = await Person.arrive(product, browser, "Gus", { guest: true });
  await gus.context.route("**/js/view/running.js", (route) => route.fulfill({ status: 404, body: "" }));
  await gus.open(await host.makeRoom());
  await gus.page.getByRole("textbox", { name: "Name" }).fill("Gus");
  await gus.press("Join room");
  await gus.page.getByText("Please reload the page.").waitFor();
  await gus.leave();
});
