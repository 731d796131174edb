/** Creating an account. */
import { api } from "../api.js";
import { byId } from "../dom.js";
import { nextPage } from "../asked.js";
import { onSubmit } from "../ui/form.js";
import { waitOut } from "../ui/waits.js";
import { showSent } from "../ui/mailed.js";

export function start() {
  onSubmit(byId("signup-form", HTMLFormElement), async (values) => {
    const answer = await api.signup({ name: values.name ?? "", email: values.email ?? "" });
    showSent(values.email ?? "", answer, nextPage(location.search));
  }, waitOut);
}
