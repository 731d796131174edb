/** People are shown as who they are: the server says so, and neither a link nor a name that somebody chose. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { callFriend, meet, ring } from "../support/calls.js";
import { received, seesAndHears, until } from "../support/media.js";
import { Person } from "../support/people.js";
import { browser, product } from "../support/start.js";

/** @param {...string} names @returns {Promise<Person[]>} */
const arrive = (...names) => Promise.all(names.map((name) => Person.arrive(product, browser, name)));

/** What tells that somebody else is in the call. @param {Person} person */
const warning = (person) => person.page.getByRole("dialog", { name: "This is not Bob" });

/**
 * Returns what all connections of a page have sent as pictures and sound.
 * @param {Person} person
 * @returns {Promise<number>} packets
 */
const sent = ({ page }) => page.evaluate(async () => {
  let packets = 0;
  for (const connection of /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections)) {
    for (const entry of (await connection.getStats()).values()) if (entry.type === "outbound-rtp") packets += entry.packetsSent;
  }
  return packets;
});

/** @param {Person} person @returns {Promise<string[]>} the marks beside the names of the others */
const marks = ({ page }) => page.locator(".tile .mark-of").allTextContents();

test("a link that names somebody else asks in the name of whom the server knows", async () => {
  const [ada, eve] = await arrive("Ada", "Eve");
  assert.ok(ada && eve);
  await eve.post("/send-friend-request", { toEmail: ada.email });
  const mail = await product.mail(ada.email, ({ text }) => text.includes("friendre1.html#token="));
  const mailed = /\S+friendre1\.html#token=\S+/.exec(mail.text)?.[0] ?? "";
  assert.doesNotMatch(mailed, /name=/);
  for (const link of [`friendre1.html#from=${encodeURIComponent(eve.email.toUpperCase())}&name=Bob+from+work`, `${mailed}&name=Bob+from+work`]) {
    await ada.page.goto("about:blank");
    await ada.open(link);
    await ada.page.getByText("Eve would like to call you on PeerSync.").waitFor();
    await ada.page.getByText(eve.email).waitFor();
    assert.doesNotMatch(await ada.page.locator("main").innerText(), /Bob/);
  }
  await ada.press("Accept");
  await ada.page.getByRole("heading", { name: "You are now friends" }).waitFor();
  // Nobody asks any more, neither by the mailed link nor in the application.
  for (const link of [mailed, `friendre1.html#from=${encodeURIComponent(eve.email)}&name=Bob`]) {
    await ada.page.goto("about:blank");
    await ada.open(link);
    await ada.page.getByRole("heading", { name: "Nothing to answer" }).waitFor();
    await ada.page.getByText("This friend request was answered already").waitFor();
    assert.equal(await ada.page.getByRole("button", { name: "Accept" }).count(), 0);
  }
  await ada.leave();
  await eve.leave();
});

test("a link to call somebody shows the friend by the server's list, or says that it is none", async () => {
  const [ada, bob, eve] = await arrive("Ada", "Bob", "Eve");
  assert.ok(ada && bob && eve);
  await ada.befriend(bob);
  await ada.open(`friendcall.html#to=${encodeURIComponent(bob.email.toUpperCase())}&name=Carl`);
  await ada.page.getByRole("heading", { name: "Call Bob?" }).waitFor();
  await ada.page.goto("about:blank");
  await ada.open(`friendcall.html#to=${encodeURIComponent(eve.email)}&name=Bob`);
  await ada.page.getByRole("heading", { name: "You can only call friends." }).waitFor();
  await ada.page.getByText(`${eve.email} is not one of them.`).waitFor();
  for (const person of [ada, bob, eve]) await person.leave();
});

test("a call with Bob that is in Eve's room: she gets no picture and no sound before Ada agrees", async () => {
  const [ada, bob, eve] = await arrive("Ada", "Bob", "Eve");
  assert.ok(ada && bob && eve);
  await ada.befriend(bob);
  // Eve calls herself Bob, which anybody can.
  await eve.context.request.patch(`${product.url}/api/me`, { data: { name: "Bob" }, headers: { origin: product.url } });
  const link = await eve.makeRoom();
  await eve.enter(link);
  await ada.open(`friendcall.html#to=${encodeURIComponent(bob.email)}&room=${link.split("#")[1]}`);
  await ada.page.getByRole("heading", { name: "Call Bob?" }).waitFor();
  await ada.press("Join room");
  await warning(ada).getByText(`Bob (not your friend) is in this call. The server does not know them as Bob (${bob.email})`).waitFor();
  // The way is open, and pictures come the other way: nothing but the answer is missing.
  await until(async () => (await received(ada.page)).frames > 20, () => "no pictures of Eve arrive");
  assert.equal(await sent(ada), 0);
  const { frames, bytes } = await received(eve.page);
  assert.deepEqual({ frames, bytes }, { frames: 0, bytes: 0 });
  assert.deepEqual(await marks(ada), ["not your friend"]);
  assert.match(await ada.page.locator(".tile-status").innerText(), /neither see nor hear you/);

  await warning(ada).getByRole("button", { name: "Talk to them" }).click();
  await seesAndHears(eve, "Ada");
  for (const person of [ada, bob, eve]) await person.leave();
});

test("who does not want to talk to a stranger leaves without having been seen", async () => {
  const [ada, bob] = await arrive("Ada", "Bob");
  const eve = await Person.arrive(product, browser, "Eve");
  assert.ok(ada && bob);
  await ada.befriend(bob);
  const link = await eve.makeRoom();
  await eve.enter(link);
  await ada.open(`friendcall.html#to=${encodeURIComponent(bob.email)}&room=${link.split("#")[1]}`);
  await ada.press("Join room");
  await until(async () => (await received(ada.page)).frames > 5, () => "no pictures of Eve arrive");
  await warning(ada).getByRole("button", { name: "Leave" }).click();
  await ada.page.getByRole("heading", { name: "Call ended" }).waitFor();
  assert.equal((await received(eve.page)).frames, 0);
  for (const person of [ada, bob, eve]) await person.leave();
});

test("a stranger who comes into a call between friends gets nothing, and the call goes on", async () => {
  const [ada, bob] = await arrive("Ada", "Bob");
  const eve = await Person.arrive(product, browser, "Eve", { guest: true });
  assert.ok(ada && bob);
  await ada.befriend(bob);
  await callFriend(ada, bob);
  assert.deepEqual(await marks(ada), [""]);
  const room = new URLSearchParams(new URL(bob.page.url()).hash.slice(1)).get("room");
  await eve.enter(`${product.url}/room.html#${room}`);
  await warning(ada).getByRole("button", { name: "Send them nothing" }).click();
  const other = bob.page.getByRole("dialog", { name: "This is not Ada" });
  await other.getByText(/^Eve \(guest\) is in this call/).waitFor();
  await other.getByRole("button", { name: "Send them nothing" }).click();
  await eve.page.getByRole("img", { name: "Ada is muted" }).waitFor();
  await eve.page.getByRole("img", { name: "Bob is muted" }).waitFor();
  // A message is for those who are seen, too.
  await ada.press("Chat");
  await ada.page.getByRole("textbox", { name: "Message" }).fill("Who is that?");
  await ada.page.keyboard.press("Enter");
  await bob.press(/^Chat/);
  await bob.page.getByText("Who is that?", { exact: true }).waitFor();
  await meet(ada, bob);
  const { frames, bytes } = await received(eve.page);
  assert.deepEqual({ frames, bytes }, { frames: 0, bytes: 0 });
  assert.equal(await eve.page.locator(".log .chat-text").count(), 0);
  // She goes, and they are still in their call.
  await eve.press("Leave");
  await ada.page.locator('video[aria-label="Eve"]').waitFor({ state: "detached" });
  await meet(ada, bob);
  for (const person of [ada, bob, eve]) await person.leave();
});

test("a stranger in the room of a call neither ends the ringing nor the call that is not answered yet", async () => {
  const [ada, bob] = await arrive("Ada", "Bob");
  const eve = await Person.arrive(product, browser, "Eve", { guest: true });
  assert.ok(ada && bob);
  await ada.befriend(bob);
  /** @type {string} */
  let room = "";
  bob.page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
    const message = JSON.parse(String(payload));
    if (message.type === "rung") ({ room } = message);
  }));
  for (const person of [ada, bob]) {
    await person.open("home.html");
    await person.page.getByText("You can be reached").waitFor();
  }
  await ada.press("Call Bob");
  await ring(bob).waitFor();
  await eve.enter(`${product.url}/room.html#${room}`);
  await warning(ada).waitFor();
  await eve.press("Leave");
  await warning(ada).waitFor({ state: "detached" });
  await ring(bob).getByRole("button", { name: "Accept" }).click();
  await meet(ada, bob);
  for (const person of [ada, bob, eve]) await person.leave();
});

test("in a room, guests and users who are no friends are marked, and two of one name are told apart", async () => {
  const [hanna, bob] = await arrive("Hanna", "Bob");
  assert.ok(hanna && bob);
  await hanna.befriend(bob);
  const link = await hanna.makeRoom();
  await hanna.enter(link);
  await bob.enter(link);
  const guests = await Promise.all(["Bob", "Bob"].map((name) => Person.arrive(product, browser, name, { guest: true })));
  for (const [index, guest] of guests.entries()) {
    await guest.enter(link);
    await hanna.page.locator(".tile").nth(index + 1).waitFor();
  }
  assert.deepEqual(await marks(hanna), ["", "guest", "guest 2"]);
  assert.deepEqual(await hanna.page.locator('video[aria-label="Bob"]').count(), 3);
  const [first] = guests;
  assert.ok(first);
  // A guest has no friends: only other guests are marked.
  assert.deepEqual((await marks(first)).sort(), ["", "", "guest"]);
  await seesAndHears(hanna, "Bob");
  await hanna.press("Chat");
  await first.press("Chat");
  await first.page.getByRole("textbox", { name: "Message" }).fill("Hello");
  await first.page.keyboard.press("Enter");
  await hanna.page.getByText(/^Bob \(guest\), /).waitFor();
  for (const person of [hanna, bob, ...guests]) await person.leave();
});
