/** Rooms: creating one, and joining one by its link. */
import { api } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { goTo } from "../session.js";
import { roomOf } from "../text.js";
import { onSubmit, showProblem } from "../ui/form.js";
import { errorText, toast } from "../ui/notices.js";

/** @param {import("../api.js").User} user */
export function startRooms(user) {
  const make = byId("new-room", HTMLButtonElement);
  make.addEventListener("click", async () => {
    make.setAttribute("aria-busy", "true");
    try {
      const room = await api.createRoom(t("room.of", { name: user.name }).slice(0, 64));
      goTo(`room.html#${room.id}`);
    } catch (error) {
      toast(errorText(error), { kind: "bad" });
    } finally {
      make.removeAttribute("aria-busy");
    }
  });
  const form = byId("join-form", HTMLFormElement);
  onSubmit(form, async (values) => {
    const id = roomOf(values.link ?? "");
    if (id) goTo(`room.html#${id}`);
    else showProblem(form, byId("join-link", HTMLInputElement), t("room.badlink"));
  });
}
