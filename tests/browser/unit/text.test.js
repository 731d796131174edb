import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanLine, cleanText, fileSize, parts, safeFileName, sameAddress } from "../../../assets/js/text.js";

test("markup stays text, and characters that reverse or hide text are removed", () => {
  assert.equal(cleanLine("<img src=x onerror=alert(1)>", 64), "<img src=x onerror=alert(1)>");
  assert.equal(cleanLine("Ada\u202egnp.exe\u2066\u0000\u200b", 64), "Adagnp.exe");
  assert.equal(cleanLine("  a\n\tb  ", 64), "a b");
  assert.equal(cleanLine(42, 64), "");
});

test("length is counted in characters, and combining marks on a letter are limited", () => {
  assert.equal([...cleanLine("🦄".repeat(100), 64)].length, 64);
  assert.equal(cleanLine("x".repeat(10_000), 64).length, 64);
  assert.ok(cleanLine("a" + "\u0301".repeat(500), 64).length <= 5);
});

test("words joined by a zero-width joiner and scripts that need one survive", () => {
  assert.equal(cleanLine("👩‍💻 می‌خواهم", 64), "👩‍💻 می‌خواهم");
});

test("a chat keeps its lines, but not hundreds of empty ones", () => {
  assert.equal(cleanText("one\r\ntwo\n\n\n\n\nthree", 100), "one\ntwo\n\nthree");
  assert.equal([...cleanText("y\n".repeat(50_000), 4000)].length <= 4000, true);
});

test("a file name has no path, hides nothing and keeps its extension", () => {
  assert.equal(safeFileName("../../etc/passwd"), "_.._etc_passwd");
  assert.equal(safeFileName("C:\\Windows\\x.dll"), "C__Windows_x.dll");
  assert.equal(safeFileName(".bashrc"), "bashrc");
  assert.equal(safeFileName("invoice\u202efdp.exe"), "invoicefdp.exe");
  assert.equal(safeFileName(""), "file");
  assert.equal(safeFileName("..."), "file");
  assert.equal(safeFileName(undefined), "file");
  const long = safeFileName(`${"n".repeat(9000)}.tar.gz`);
  assert.equal(long.length <= 120 && long.startsWith("nnn"), true);
  const short = safeFileName(`${"n".repeat(900)}.pdf`);
  assert.ok(short.length === 120 && short.endsWith(".pdf"));
});

test("sizes are formatted for people", () => {
  assert.match(fileSize(0), /^0\b/);
  assert.match(fileSize(3_200_000), /3[.,]2 MB/);
  assert.match(fileSize(999), /999/);
});

test("an address is the same in any case, and with its domain in Unicode or ASCII; nothing else is", () => {
  for (const other of ["Ada@Example.org", "ADA@EXAMPLE.ORG"]) assert.ok(sameAddress("ada@example.org", other), other);
  assert.ok(sameAddress("ada@bücher.example", "Ada@xn--bcher-kva.example"));
  for (const other of ["", "ada@example.com", "adam@example.org", "example.org", "ada@example.org.evil.example", "eve@evil.example"]) {
    assert.ok(!sameAddress("ada@example.org", other), other);
  }
  // What no domain can be is compared as it is.
  assert.ok(!sameAddress("ada@a b", "ada@a c"));
});

test("web addresses in a text are links, and nothing else is", () => {
  const links = (/** @type {string} */ text) => parts(text).flatMap(({ text: shown, href }) => (href ? [[shown, href]] : []));
  assert.deepEqual(parts("see https://a.example/x?y=1#z, or call"), [
    { text: "see " }, { text: "https://a.example/x?y=1#z", href: "https://a.example/x?y=1#z" }, { text: ", or call" },
  ]);
  assert.deepEqual(links("(https://a.example/b) https://a.example/b_(c). HTTP://B.example!"), [
    ["https://a.example/b", "https://a.example/b"], ["https://a.example/b_(c)", "https://a.example/b_(c)"], ["HTTP://B.example", "http://b.example/"],
  ]);
  assert.deepEqual(links("https://раypal.example"), [["https://раypal.example", "https://xn--ypal-43d9g.example/"]]);
  for (const text of ["", "javascript:alert(1)", "data:text/html,x", "ftp://a.example", "a.example", "https://", "https://bank.example@evil.example/", "xhttps://a.example", "https:///"]) {
    assert.deepEqual(links(text), [], text);
    assert.equal(parts(text).map((part) => part.text).join(""), text);
  }
});
