// Reactions: what the chips show, and what becomes of a click.

import assert from "node:assert/strict";
import test from "node:test";

import "./page.mjs";

const { chipsOf, Reactions } = await import("../../../sanic_chatrooms/web/static/reactions.js");

const thumb = "👍";
const shown = (item) => chipsOf(item).map(({ emoji, count, me, pending }) => [emoji, count, me, pending]);

/** `answer`: of the server, or an error. */
function reacting(answer, item = { id: "m1", version: 0 }) {
  const asked = [];
  const refused = [];
  const chat = { user: { id: "ada" }, react: (...what) => (asked.push(what), answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)) };
  return { item, asked, refused, reactions: new Reactions(chat, () => {}, (title) => refused.push(title)) };
}

test("chips keep their order, whichever was changed last", () => {
  const one = { "👍": { count: 2 }, "🎉": { count: 1, me: true } };
  const other = { "🎉": { count: 1, me: true }, "👍": { count: 3 } };
  assert.deepEqual(shown({ reactions: one }).map(([emoji]) => emoji), shown({ reactions: other }).map(([emoji]) => emoji));
  assert.deepEqual(shown({}), []);
});

test("a click is counted at once, and dimmed until the server has answered", async () => {
  const { item, asked, reactions } = reacting({ count: 3, duplicate: false }, { id: "m1", version: 0, reactions: { [thumb]: { count: 2 } } });
  const done = reactions.toggle({ id: "general" }, item, thumb);
  assert.deepEqual(shown(item), [[thumb, 3, true, true]]);
  await done;
  assert.deepEqual(shown(item), [[thumb, 3, true, false]]);
  assert.deepEqual(asked, [["general", "m1", thumb, true]]);
});

test("a second click takes it back, also before the first was answered", async () => {
  const { item, asked, reactions } = reacting({ count: 0, duplicate: false });
  const first = reactions.toggle({ id: "general" }, item, thumb);
  const second = reactions.toggle({ id: "general" }, item, thumb);
  assert.deepEqual(shown(item), []);
  await Promise.all([first, second]);
  assert.deepEqual(shown(item), []);
  assert.deepEqual(asked.map(([, , , on]) => on), [true, false]);
});

test("what is refused is taken back, and the reason told", async () => {
  const { item, refused, reactions } = reacting(new Error("no"));
  await reactions.toggle({ id: "general" }, item, thumb);
  assert.deepEqual(shown(item), []);
  assert.deepEqual(refused, ["Your reaction was not added"]);
});

test("who reacted names ourselves first, and counts those who are not on the page", async () => {
  const { reactions } = reacting();
  reactions.chat.reactions = async () => ({ reactions: [{ user: { id: "bob", name: "Bob" } }, { user: { id: "ada", name: "Ada" } }] });
  const item = { id: "m1", reactions: { [thumb]: { count: 5 } } };
  assert.deepEqual(await reactions.who({ id: "general" }, item, thumb), { names: ["You", "Bob"], others: 3 });
});
