/** Finding people: searches while the user types, never for one letter, never twice at once. */
import { api } from "../api.js";
import { button, byId } from "../dom.js";
import { t } from "../i18n.js";
import { errorText, toast } from "../ui/notices.js";
import { personRow } from "../ui/people.js";

const PAUSE_MS = 350;
const SHORTEST = 2;

/** @param {() => void} onChange called when a request was sent */
export function startSearch(onChange) {
  const field = byId("search", HTMLInputElement);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let asked = 0;
  const ask = async () => {
    clearTimeout(timer);
    const query = field.value.trim();
    asked += 1;
    const mine = asked;
    if (query.length < SHORTEST) {
      show([], query === "" ? "" : t("search.short"), onChange);
      return;
    }
    try {
      const found = await api.users(query);
      if (mine === asked) show(found, foundText(found.length, query), onChange, query);
    } catch (error) {
      if (mine === asked) show([], errorText(error), onChange);
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), PAUSE_MS);
  });
  byId("search-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void ask();
  });
}

/**
 * @param {number} count
 * @param {string} query
 */
function foundText(count, query) {
  if (count > 0) return t("search.count", { count });
  return t(looksLikeAddress(query) ? "search.invite" : "search.none");
}

/** @param {string} text */
const looksLikeAddress = (text) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text);

/**
 * @param {import("../api.js").Found[]} found
 * @param {string} status
 * @param {() => void} onChange
 * @param {string} [query]
 */
function show(found, status, onChange, query = "") {
  byId("search-status", HTMLElement).textContent = status;
  const rows = found.map((person) => row(person.name, person.email, person, onChange, query));
  if (found.length === 0 && looksLikeAddress(query)) rows.push(row(query, query, {}, onChange, query));
  byId("found", HTMLUListElement).replaceChildren(...rows);
}

/**
 * @param {string} name
 * @param {string} email as shown, perhaps masked
 * @param {{ id?: string, status?: string }} person
 * @param {() => void} onChange
 * @param {string} query
 */
function row(name, email, person, onChange, query) {
  if (person.status && person.status !== "none" && person.status !== "rejected") {
    return personRow({ name, email, detail: t(person.status === "accepted" ? "search.friend" : "search.pending") }, []);
  }
  const add = button(t("search.add", { name }), () => void request(), { class: "round", icon: "add", iconOnly: true });
  const request = async () => {
    add.disabled = true;
    try {
      await api.requestFriend(whom(email, person.id, query));
      add.replaceWith(t("search.sent"));
      toast(t("search.sent.more", { name }));
      onChange();
    } catch (error) {
      add.disabled = false;
      toast(errorText(error), { kind: "bad" });
    }
  };
  return personRow({ name, email }, [add]);
}

/**
 * People found by name have masked addresses and are identified by id. Whoever typed the full address knows it.
 * @param {string} shown
 * @param {string | undefined} id
 * @param {string} query
 * @returns {Record<string, string>}
 */
function whom(shown, id, query) {
  if (looksLikeAddress(query)) return { toEmail: query };
  return id ? { toId: id } : { toEmail: shown };
}
