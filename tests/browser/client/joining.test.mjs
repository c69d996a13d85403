// Joining a room by its address: what is not there is not made.

import assert from "node:assert/strict";
import test from "node:test";

const { join } = await import("../../../sanic_chatrooms/web/static/joining.js");

/** A book whose server gives these answers to `room`, one after the other; `done`: what was asked of it. */
function book(...answers) {
  const done = [];
  const chat = {
    request: async (type, { room }) => {
      done.push(`${type} ${room}`);
      const answer = answers.shift();
      if (answer) throw answer;
    },
    join: async (room) => done.push(`join ${room}`),
  };
  return { chat, done, first: "lobby", invitations: new Map([["party", {}]]) };
}

const room = (id, more) => ({ id, listed: false, isDirect: false, ...more });
const error = (code, more) => ({ code, temporary: false, ...more });

test("a room that nobody has told of is looked up before", async () => {
  const it = book();
  await join(it, room("general"));
  assert.deepEqual(it.done, ["room general", "join general"]);
});

test("a room that is not there is not joined, which would make it", async () => {
  const it = book(error("room_not_found"));
  await assert.rejects(join(it, room("genral")), { code: "room_not_found" });
  assert.deepEqual(it.done, ["room genral"]);
});

test("a room that is known is joined at once, and so is the first room of the app", async () => {
  const it = book();
  for (const known of [room("a", { listed: true }), room("b", { isDirect: true }), room("c", { epoch: "e1" }), room("lobby"), room("party")]) await join(it, known);
  await join(it, room("d"), true);
  assert.deepEqual(it.done, ["join a", "join b", "join c", "join lobby", "join party", "join d"]);
});

test("what else is wrong, the join says", async () => {
  const it = book(error("forbidden"));
  await join(it, room("general"));
  assert.deepEqual(it.done, ["room general", "join general"]);
});

test("without an answer it is looked up again, and not made meanwhile", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const it = book(error("lost", { temporary: true }), error("rate_limited", { temporary: true, retryAfter: 3 }), error("room_not_found"));
  const joining = assert.rejects(join(it, room("genral")), { code: "room_not_found" });
  for (const seconds of [1, 3]) {
    for (let turn = 0; turn < 5; turn++) await null;
    t.mock.timers.tick(seconds * 1000);
  }
  await joining;
  assert.deepEqual(it.done, ["room genral", "room genral", "room genral"]);
});
