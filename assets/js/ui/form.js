/** Forms: busy while sending, errors next to the field that caused them, and no input lost. */
import { element, within } from "../dom.js";
import { errorText } from "./problems.js";

/**
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} send
 */
export function onSubmit(form, send) {
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit(form, send);
  });
}

/**
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} send
 */
async function submit(form, send) {
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
    showProblem(form, fields(form)[0], errorText(error));
  } finally {
    control.removeAttribute("aria-busy");
  }
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
