// The mailbox page: shows the messages, the newest first, and follows changes. Mail is untrusted: it is only ever set
// as text, and HTML stays inside a sandboxed frame.

/**
 * @typedef {{id: number, to: string, from: string, subject: string, text: string, html: string,
 *   received_at: string}} Message
 */

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/gu;

/**
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
function element(root, selector, type) {
  const found = root.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`the page lacks ${selector}`);
  return found;
}

const list = element(document, "#messages", HTMLOListElement);
const empty = element(document, "#empty", HTMLElement);
const state = element(document, "#state", HTMLElement);
const template = element(document, "#message", HTMLTemplateElement);

/**
 * Fills the element with the text, with its URLs as links.
 * @param {HTMLElement} target
 * @param {string} text
 */
function fill(target, text) {
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = document.createElement("a");
    link.href = match[0];
    link.textContent = match[0];
    link.rel = "noreferrer";
    target.append(text.slice(end, match.index), link);
    end = match.index + match[0].length;
  }
  target.append(text.slice(end));
}

/** @param {Message} message */
function item(message) {
  const copy = document.importNode(template.content, true);
  const entry = element(copy, "li", HTMLLIElement);
  entry.dataset.id = String(message.id);
  element(entry, "h2", HTMLElement).textContent = message.subject || "(no subject)";
  element(entry, ".to", HTMLElement).textContent = `to ${message.to}`;
  const time = element(entry, "time", HTMLTimeElement);
  time.dateTime = message.received_at;
  time.textContent = new Date(message.received_at).toLocaleTimeString();
  fill(element(entry, ".text", HTMLElement), message.text);
  if (message.html) showHtml(entry, message.id);
  return entry;
}

/**
 * @param {HTMLElement} entry
 * @param {number} id
 */
function showHtml(entry, id) {
  const details = element(entry, "details", HTMLDetailsElement);
  details.hidden = false;
  const frame = element(details, "iframe", HTMLIFrameElement);
  details.addEventListener("toggle", () => {
    if (details.open && !frame.src) frame.src = `/_mail/message/${id}`;
  });
}

async function refresh() {
  const answer = await fetch("/_mail/messages.json");
  if (!answer.ok) throw new Error(`the mailbox answered ${answer.status}`);
  /** @type {Message[]} */
  const messages = await answer.json();
  const wanted = new Set(messages.map((message) => String(message.id)));
  for (const entry of [...list.children]) {
    if (entry instanceof HTMLElement && !wanted.delete(entry.dataset.id ?? "")) entry.remove();
  }
  for (const message of messages) {
    if (wanted.has(String(message.id))) list.prepend(item(message));
  }
  empty.hidden = messages.length > 0;
  state.textContent = messages.length === 1 ? "1 message" : `${messages.length} messages`;
}

/** Runs one refresh at a time, and one more if something changed in the meantime. */
let again = false;
let running = false;
async function update() {
  again = true;
  if (running) return;
  running = true;
  try {
    while (again) {
      again = false;
      await refresh();
    }
  } catch (error) {
    state.textContent = error instanceof Error ? error.message : "the mailbox does not answer";
  } finally {
    running = false;
  }
}

element(document, "#clear", HTMLButtonElement).addEventListener("click", async () => {
  await fetch("/_mail/messages.json", { method: "DELETE" });
  await update();
});

const events = new EventSource("/_mail/events");
events.addEventListener("message", update);
events.addEventListener("open", update);
events.addEventListener("error", () => {
  state.textContent = "Connection lost, reconnecting…";
});
