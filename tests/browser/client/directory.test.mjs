// Finding people by their names.

import assert from "node:assert/strict";
import test from "node:test";

const { Directory } = await import("../../../sanic_chatrooms/web/static/directory.js");

/** `find`: of the app. */
function world(find) {
  const [asked, met] = [[], []];
  const chat = { state: "online", members: async (room, { query }) => (asked.push(`${room} ${query}`), { members: [{ id: room, name: query }] }) };
  const rooms = [{ id: "team", counted: true }, { id: "open" }, { id: "bob", counted: true, isDirect: true }];
  const book = { listed: () => rooms, meet: (people) => met.push(...people.map(({ id }) => id)) };
  return { asked, met, chat, directory: new Directory(chat, book, find) };
}

test("rooms of which the user is a member are asked, and the app, and what one of them refuses is left out", async () => {
  const it = world(async () => [{ id: "carl" }]);
  assert.equal(await it.directory.look("ca"), true);
  assert.deepEqual([it.asked, it.met], [["team ca"], ["carl", "team"]]);
  const other = world(() => Promise.reject(new Error("busy")));
  await other.directory.look("ca");
  assert.deepEqual(other.met, ["team"]);
});

test("only the last of several questions is asked, and nothing while the page is offline", async () => {
  const it = world();
  assert.deepEqual(await Promise.all([it.directory.look("c"), it.directory.look("ca")]), [false, true]);
  assert.deepEqual(it.asked, ["team ca"]);
  it.chat.state = "connecting";
  assert.equal(await it.directory.look(""), true);
  assert.deepEqual(it.asked, ["team ca"]);
});
