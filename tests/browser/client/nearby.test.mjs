// Whether the other one of a direct conversation is here.

import assert from "node:assert/strict";
import test from "node:test";

const { Nearby } = await import("../../../sanic_chatrooms/web/static/nearby.js");

/** `online`: who is, by the server. */
function world(online) {
  const asked = [];
  const listeners = {};
  const chat = {
    state: "online",
    on: (type, act) => (listeners[type] = act),
    members: async (room) => (asked.push(room), { members: [{ id: "me", online: true }, { id: room, online: online.has(room) }] }),
  };
  let drawn = 0;
  const rooms = ["ada", "bob"].map((id) => ({ id, isDirect: true, partner: { id } }));
  return { asked, chat, rooms, nearby: new Nearby(chat, () => drawn++), say: (payload) => listeners.presence({ payload }), drawn: () => drawn };
}

test("it is asked once a minute for each conversation, and for no other room", async () => {
  const it = world(new Set(["bob"]));
  const rooms = [...it.rooms, { id: "general" }, { id: "@eve", isDirect: true, isDraft: true, partner: { id: "eve" } }];
  await it.nearby.look(rooms, 1000);
  assert.deepEqual(it.rooms.map(({ near }) => near), [false, true]);
  await it.nearby.look(rooms, 60_000);
  assert.deepEqual(it.asked, ["ada", "bob"]);
  await it.nearby.look(rooms, 61_000);
  assert.deepEqual(it.asked, ["ada", "bob", "ada", "bob"]);
});

test("nothing is asked while the page is offline", async () => {
  const it = world(new Set());
  it.chat.state = "connecting";
  await it.nearby.look(it.rooms, 1000);
  assert.deepEqual(it.asked, []);
  assert.equal(it.rooms[0].near, undefined);
});

test("somebody who comes is here at once; where somebody leaves, it is asked again", async (t) => {
  const online = new Set(["ada"]);
  const it = world(online);
  await it.nearby.look(it.rooms, 1000);
  it.say({ joined: [{ id: "bob" }] });
  assert.equal(it.rooms[1].near, true);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  online.delete("ada");
  it.say({ left: [{ id: "ada" }, { id: "somebody" }] });
  t.mock.timers.tick(1000);
  t.mock.timers.reset();
  await it.nearby.look(it.rooms, 2000);
  assert.deepEqual(it.asked, ["ada", "bob", "ada"]);
  assert.equal(it.rooms[0].near, false);
});
