/** A question with two answers, as a modal dialog. */
import { button, element, uniqueId } from "../dom.js";

/**
 * @param {{ title: string, text: string, yes: string, no: string, danger?: boolean, until?: AbortSignal }} question until: it is
 *   no longer a question
 * @returns {Promise<boolean>} false also when it is closed by Escape
 */
export function ask(question) {
  return new Promise((resolve) => {
    const heading = element("h2", { text: question.title, id: uniqueId("ask") });
    const dialog = element("dialog", { class: "dialog", attributes: { "aria-labelledby": heading.id } }, [heading, element("p", { text: question.text })]);
    let answer = false;
    const give = (/** @type {boolean} */ value) => () => { answer = value; dialog.close(); };
    const no = button(question.no, give(false));
    dialog.append(element("div", { class: "row" }, [button(question.yes, give(true), { class: question.danger ? "danger" : "primary" }), no]));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    question.until?.addEventListener("abort", give(false));
    document.body.append(dialog);
    dialog.showModal();
    // Enter or a space typed just then must not answer.
    if (question.danger) no.focus();
  });
}
