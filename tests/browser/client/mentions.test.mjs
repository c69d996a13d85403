// Mentions: where one is typed, who is offered, whom a text mentions, and how it is drawn.

import assert from "node:assert/strict";
import test from "node:test";

import { textOf } from "./page.mjs";

const { isTo, marked, mentionsAfter, mentionsIn, mentionsOf, offered, typedAt } = await import("../../../sanic_chatrooms/web/static/mentions.js");

const ADA = { id: "u1", name: "Ada" };
const LOVELACE = { id: "u2", name: "Ada Lovelace" };
const ZOE = { id: "u3", name: "Zoë" };
const PEOPLE = [ADA, LOVELACE, ZOE];

test("a name is typed after an @ that begins a word", () => {
  const at = (text) => typedAt(text, text.length);
  assert.deepEqual(at("@"), { from: 0, typed: "" });
  assert.deepEqual(at("Hello @Ad"), { from: 6, typed: "Ad" });
  assert.deepEqual(at("(@Ada Lo"), { from: 1, typed: "Ada Lo" });
  assert.deepEqual(typedAt("@Ad is here", 3), { from: 0, typed: "Ad" });
  for (const text of ["", "ada@example.org", "@ ada", "@Ada\n", "@Ada  ", `@${"x".repeat(100)}`]) assert.equal(at(text), null, JSON.stringify(text));
});

test("names that begin so come first, then later words, and accents do not matter", () => {
  const names = (typed) => offered(PEOPLE, typed).map(({ name }) => name);
  assert.deepEqual(names("ada"), ["Ada", "Ada Lovelace"]);
  assert.deepEqual(names("love"), ["Ada Lovelace"]);
  assert.deepEqual(names("zoe"), ["Zoë"]);
  assert.deepEqual(names("x"), []);
  assert.equal(offered([...PEOPLE, { id: "u4", name: "Adam", here: true }], "ad")[0].name, "Adam");
  assert.equal(offered(Array.from({ length: 20 }, (_, at) => ({ id: `u${at}`, name: `A${at}` })), "a").length, 8);
});

test("the longest name counts, and a word that only begins like a name does not", () => {
  const ids = (text, ...more) => mentionsIn(text, PEOPLE, ...more);
  assert.deepEqual(ids("@Ada, @Zoë: look"), ["u1", "u3"]);
  assert.deepEqual(ids("@Ada Lovelace"), ["u2"]);
  assert.deepEqual(ids("@Adam and ada@Ada"), []);
  assert.deepEqual(ids("@Ada @Ada"), ["u1"]);
});

test("capitals do not matter, except between names that differ in nothing else", () => {
  const ids = (text, people = PEOPLE) => mentionsIn(text, people);
  assert.deepEqual(ids("@ada and @ZOË"), ["u1", "u3"]);
  assert.deepEqual(ids("@ada lovelace"), ["u2"]);
  const both = [ADA, { id: "u8", name: "ada" }];
  assert.deepEqual(ids("@ada", both), ["u8"]);
  assert.deepEqual(ids("@Ada", both), ["u1"]);
  assert.deepEqual(ids("@ADA", both), []);
  assert.deepEqual(ids("İİİ @ada"), ["u1"]);
  assert.equal(textOf(marked(["İ @ada!"], [{ name: "Ada", isMe: true }]).slice(1, 2)), "@ada");
});

test("of two people with one name only the chosen one is mentioned", () => {
  const twins = [ADA, { id: "u9", name: "Ada" }];
  assert.deepEqual(mentionsIn("@Ada", twins), []);
  assert.deepEqual(mentionsIn("@Ada", twins, new Map([["Ada", "u9"]])), ["u9"]);
});

test("an edit drops who is not named any more, and keeps whom nobody here knows", () => {
  const nameOf = (id) => (id[0] === "@" ? id.slice(1) : PEOPLE.find((one) => one.id === id)?.name);
  assert.deepEqual(mentionsAfter(["u1", "gone", "@admins"], "now @Zoë and @admins", PEOPLE, nameOf), ["gone", "@admins", "u3"]);
});

test("mentions are marked, our own apart, and code is left alone", () => {
  const code = { tag: "code", text: "@Ada" };
  const nodes = marked(["Hi @Ada and @Zoë", code], [{ name: "Ada", isMe: true }, { name: "Zoë", isMe: false }]);
  assert.deepEqual(nodes.map((node) => node.tag ?? node), ["Hi ", "mark", " and ", "span", "", "code"]);
  assert.equal(textOf(nodes), "Hi @Ada and @Zoë@Ada");
  assert.ok(marked(["@Ada".repeat(4000).replaceAll("a@", "a @")], [{ name: "Ada", isMe: false }]).length <= 201);
});

test("whatever an app puts into mentions breaks nothing", () => {
  for (const mentions of [undefined, null, "u1", 5, {}, [5, null, {}]]) assert.deepEqual(mentionsOf({ mentions }), []);
  assert.equal(mentionsOf({ mentions: Array(100).fill("u1") }).length, 50);
  assert.equal(isTo({ payload: { mentions: ["u1"] }, sender: ZOE }, ADA), true);
  assert.equal(isTo({ payload: { mentions: ["@room"] }, sender: ADA }, ADA), false);
  assert.equal(isTo({ payload: { mentions: ["u1"] } }, null), false);
});
