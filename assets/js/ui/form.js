/** Forms: busy while sending, errors next to the field that caused them, and no input lost. */
import { element, within } from "../dom.js";
import { errorText } from "./notices.js";

/**
 * Takes over an error, and returns whether it has; it may send the form again later.
 * @typedef {(form: HTMLFormElement, error: unknown, again: () => void) => boolean} TakeOver
 */

/**
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} send
 * @param {TakeOver} [takeOver]
 */
export function onSubmit(form, send, takeOver) {
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit(form, send, takeOver);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} send
 * @param {TakeOver} [takeOver]
 */
async function submit(form, send, takeOver) {
  const control = within(form, "button[type=submit]", HTMLButtonElement);
  if (control.getAttribute("aria-busy") === "true") return;
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
    if (!takeOver?.(form, error, () => void submit(form, send, takeOver))) showProblem(form, fields(form)[0], errorText(error));
  } finally {
    control.removeAttribute("aria-busy");
  }
}

/**
 * Returns the visible fields: a hidden one is neither sent nor given a message.
 * @param {HTMLFormElement} form
 * @returns {HTMLInputElement[]}
 */
export function fields(form) {
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
