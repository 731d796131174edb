/** Name, visibility, notifications, signing out everywhere, deleting the account. */
import { api } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { goTo } from "../session.js";
import { ask } from "../ui/ask.js";
import { onSubmit } from "../ui/form.js";
import { errorText, toast } from "../ui/notices.js";

/**
 * @param {import("../api.js").User} user
 * @param {(user: import("../api.js").User) => void} onChange
 */
export function startAccount(user, onChange) {
  const dialog = byId("account", HTMLDialogElement);
  const name = byId("account-name", HTMLInputElement);
  const hidden = byId("account-hidden", HTMLInputElement);
  let current = user;
  byId("open-account", HTMLButtonElement).addEventListener("click", () => {
    name.value = current.name;
    hidden.checked = current.hidden ?? false;
    byId("account-email", HTMLElement).textContent = current.email;
    showNotify();
    dialog.showModal();
  });
  byId("account-close", HTMLButtonElement).addEventListener("click", () => dialog.close());
  onSubmit(byId("account-form", HTMLFormElement), async (values) => {
    await api.changeMe({ name: values.name ?? "", hidden: hidden.checked });
    current = { ...current, name: values.name ?? "", hidden: hidden.checked };
    onChange(current);
    dialog.close();
    toast(t("account.saved"));
  });
  byId("everywhere", HTMLButtonElement).addEventListener("click", () => void leave(() => api.logout({ everywhere: true })));
  byId("delete", HTMLButtonElement).addEventListener("click", async () => {
    if (await ask({ title: t("account.delete.title"), text: t("account.delete.text"), yes: t("account.delete.yes"), no: t("common.cancel"), danger: true })) {
      await leave(() => api.deleteMe());
    }
  });
  byId("notify", HTMLButtonElement).addEventListener("click", async () => {
    await Notification.requestPermission();
    showNotify();
  });
}

function showNotify() {
  const control = byId("notify", HTMLButtonElement);
  control.hidden = !("Notification" in window) || Notification.permission !== "default";
}

/** @param {() => Promise<unknown>} end */
async function leave(end) {
  try {
    await end();
  } catch (error) {
    toast(errorText(error), { kind: "bad" });
    return;
  }
  localStorage.removeItem("peersync.signed-in");
  goTo("index.html");
}
