/** Who knocks or rings: one card for each person, which goes with the person, and a pause after a refusal. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Callers } from "../../../assets/js/ui/attention.js";

/** @param {import("node:test").TestContext} context */
function door(context) {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  /** What is shown of whom. @type {Map<string, string[]>} */
  const cards = new Map();
  const callers = new Callers((who, asking) => { if (asking.length > 0) cards.set(who, asking); else cards.delete(who); });
  return { callers, cards };
}

test("however often somebody asks, there is one card", (context) => {
  const { callers, cards } = door(context);
  for (const id of ["1", "2", "3", "3"]) callers.add("bob", id);
  callers.add("cy", "4");
  assert.deepEqual([...cards], [["bob", ["1", "2", "3"]], ["cy", ["4"]]]);
});

test("of twenty-one who knocked, twenty have gone: one card", (context) => {
  const { callers, cards } = door(context);
  for (let id = 0; id < 21; id += 1) callers.add(`guest ${id}`, String(id));
  for (let id = 0; id < 20; id += 1) assert.equal(callers.end(String(id)), `guest ${id}`);
  assert.equal(callers.end("0"), undefined);
  assert.deepEqual([...cards], [["guest 20", ["20"]]]);
});

test("who was refused gets no new card for a minute, others do", (context) => {
  const { callers, cards } = door(context);
  callers.add("eve", "1");
  callers.add("eve", "2");
  assert.deepEqual(callers.refuse("eve"), ["1", "2"]);
  callers.add("eve", "3");
  callers.add("bob", "4");
  assert.deepEqual([...cards], [["bob", ["4"]]]);
  mock.timers.tick(59_999);
  assert.equal(cards.has("eve"), false);
  // Whoever still waits then is shown.
  mock.timers.tick(1);
  assert.deepEqual(cards.get("eve"), ["3"]);
});

test("who asks and goes during the pause is never shown", (context) => {
  const { callers, cards } = door(context);
  callers.add("eve", "1");
  callers.refuse("eve");
  for (let id = 2; id < 50; id += 1) {
    callers.add("eve", String(id));
    assert.equal(callers.end(String(id)), "eve");
  }
  mock.timers.tick(60_000);
  assert.deepEqual([...cards], []);
});

test("all cards go at once", (context) => {
  const { callers, cards } = door(context);
  callers.add("ada", "1");
  callers.add("bob", "2");
  callers.clear();
  assert.deepEqual([...cards], []);
});
