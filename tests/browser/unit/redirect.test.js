/** Where the sign-in page leads: only to our own pages, whatever a link says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextPage } from "../../../assets/js/asked.js";

const next = (/** @type {string} */ value) => nextPage(`?next=${encodeURIComponent(value)}`);

test("next= leads to our own pages, with what belongs to them", () => {
  for (const page of ["home.html", "room.html?room=abc#name=x", "friendcall.html#to=bob@example.org", "friendre1.html#token=abc"]) {
    assert.equal(next(page), page);
  }
});

test("next= leads nowhere else", () => {
  const elsewhere = [
    "", "https://evil.example/", "//evil.example/home.html", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//home.html", "data:text/html,home.html", " home.html", "\thome.html", "home.html@evil.example", "home.html.evil.example",
    "home.htmlx", "./home.html", "../home.html", "/home.html", "login.html?next=home.html", "evil.example/home.html", "_mail", "api/logout",
    "https:home.html", "home.html\n//evil.example", "blob:home.html",
  ];
  for (const place of elsewhere) assert.equal(next(place), "home.html", JSON.stringify(place));
  assert.equal(nextPage(""), "home.html");
  assert.equal(nextPage("?next=https://evil.example&next=room.html"), "home.html", "the first one counts, and is none of ours");
});
