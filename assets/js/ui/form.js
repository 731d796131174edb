/** Forms: busy while sending, errors next to the field that caused them, and no input lost. */
import { ApiError } from "../api.js";
import { element, within } from "../dom.js";
import { t } from "../i18n.js";
import { errorText } from "./notices.js";

/** A longer wait is told and not waited out: nobody looks at the page for so long. The API's waits between tries are shorter. */
const LONGEST_WAIT_S = 330;
/** How long we wait if the gateway refuses, which does not say how long. */
const GATEWAY_WAIT_S = 15;

/** The forms that wait, with what ends the wait. @type {WeakMap<HTMLFormElement, () => void>} */
const waits = new WeakMap();

/**
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} send
 * @param {{ waits?: boolean }} [how] waits: after too many attempts the form is sent again by itself, as soon as the server allows
 */
export function onSubmit(form, send, how = {}) {
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit(form, send, how);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} send
 * @param {{ waits?: boolean }} how
 */
async function submit(form, send, how) {
  const control = within(form, "button[type=submit]", HTMLButtonElement);
  if (control.getAttribute("aria-busy") === "true") return;
  waits.get(form)?.();
  clearProblems(form);
  const wrong = fields(form).find((field) => !field.checkValidity());
  if (wrong) {
    showProblem(form, wrong, wrong.dataset.problem ?? wrong.validationMessage);
    return;
  }
  control.setAttribute("aria-busy", "true");
  try {
    await send(Object.fromEntries(fields(form).map((field) => [field.name, field.value.trim()])));
  } catch (error) {
    const seconds = error instanceof ApiError && error.status === 429 ? error.retryAfter ?? GATEWAY_WAIT_S : Infinity;
    if (how.waits && seconds <= LONGEST_WAIT_S) waitOut(form, seconds, () => void submit(form, send, how));
    else showProblem(form, fields(form)[0], errorText(error));
  } finally {
    control.removeAttribute("aria-busy");
  }
}

/**
 * Shows how long the server wants no further attempt, and then makes it with what the form has by then.
 * @param {HTMLFormElement} form
 * @param {number} seconds
 * @param {() => void} again
 */
function waitOut(form, seconds, again) {
  const end = Date.now() + seconds * 1000;
  showProblem(form, fields(form)[0], t("wait.for", { seconds }));
  // A timer is not read out each second.
  const left = element("p", { class: "quiet", attributes: { role: "timer" } });
  within(form, ".problem", HTMLElement).after(left);
  const show = () => {
    const rest = Math.ceil((end - Date.now()) / 1000);
    left.textContent = t("wait.left", { seconds: Math.max(0, rest) });
    const shown = form.closest("[hidden]") === null;
    if (rest <= 0 || !shown) stop();
    if (rest <= 0 && shown) again();
  };
  const stop = () => {
    clearInterval(timer);
    waits.delete(form);
    left.remove();
  };
  const timer = setInterval(show, 1000);
  waits.set(form, stop);
  show();
}

/**
 * Returns the visible fields: a hidden one is neither sent nor given a message.
 * @param {HTMLFormElement} form
 * @returns {HTMLInputElement[]}
 */
function fields(form) {
  return [...form.querySelectorAll("input")].filter((field) => field.name !== "" && field.closest("[hidden]") === null);
}

/** @param {HTMLFormElement} form */
export function clearProblems(form) {
  for (const note of form.querySelectorAll(".problem")) note.remove();
  for (const field of fields(form)) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement | undefined} field the one to focus
 * @param {string} text
 */
export function showProblem(form, field, text) {
  const id = `${form.id}-problem`;
  const note = element("p", { class: "problem", id, text, attributes: { role: "alert" } });
  if (!field) {
    form.append(note);
    return;
  }
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  field.after(note);
  field.focus();
}
