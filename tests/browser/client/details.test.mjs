// What a room is and what may be done in it, in words; and who may pin.

import assert from "node:assert/strict";
import test from "node:test";

import "./page.mjs";

const { byRole, entryInWords, inWords, mayChange, rolesToGive } = await import("../../../sanic_chatrooms/web/static/room-words.js");
const { changesOf } = await import("../../../sanic_chatrooms/web/static/room-changes.js");
const { mayPin } = await import("../../../sanic_chatrooms/web/static/pinning.js");
const { Room } = await import("../../../sanic_chatrooms/web/static/room.js");
const { happening } = await import("../../../sanic_chatrooms/web/static/rows.js");
const { part } = await import("../../../sanic_chatrooms/web/static/part.js");

const { roomMenu } = await import("../../../sanic_chatrooms/web/static/room-menu.js");

const ada = { id: "ada", name: "Ada" };
const { actsOver, muteOf } = await import("../../../sanic_chatrooms/web/static/moderating.js");

test("what one may do is one sentence, and says where one may not write", () => {
  assert.equal(inWords(["history"]), "You may read. You may not write.");
  assert.equal(inWords(["message"]), "You may read and write.");
  assert.equal(inWords(["message", "reaction.add", "room.delete"]), "You may read, write, react, and delete the room.");
  assert.equal(inWords(["member.ban"]), "You may read and remove, mute and ban people. You may not write.");
});

test("who can enter is said, and what new members read for private rooms only", () => {
  assert.equal(entryInWords({ visibility: "public", historyVisibility: "world" }).length, 1);
  assert.match(entryInWords({ visibility: "private", historyVisibility: "joined" })[1], /from then on/);
});

test("one gives roles below one's own, and the creator gives all", () => {
  assert.deepEqual(rolesToGive({ level: 75 }), ["moderator", "member", "reader"]);
  assert.equal(rolesToGive({ level: 100 })[0], "admin");
  assert.equal(rolesToGive({ level: 100, creator: true })[0], "owner");
});

test("the role of members below oneself can be changed, one's own only downwards", () => {
  const admin = { may: ["member.role"], level: 75, role: "admin" };
  assert.ok(mayChange(admin, { id: "bob", role: "moderator" }, "ada"));
  assert.ok(!mayChange(admin, { id: "bob", role: "admin" }, "ada"));
  assert.ok(mayChange(admin, { id: "bob", role: "editor" }, "ada"), "a role of the app: the server decides");
  assert.ok(mayChange(admin, { id: "ada", role: "admin" }, "ada"));
  assert.ok(!mayChange({ may: [], level: 10, role: "member" }, { id: "ada", role: "member" }, "ada"), "there is no way back");
  assert.ok(mayChange({ may: ["member.role"], level: 100, creator: true, role: "owner" }, { id: "bob", role: "owner" }, "ada"));
  assert.ok(!mayChange({ may: [], level: 10, role: "member" }, { id: "bob", role: "reader" }, "ada"));
});

test("members stand under their roles, the highest first", () => {
  const people = [{ id: "1", role: "member" }, { id: "2", role: "editor" }, { id: "3", role: "owner" }];
  assert.deepEqual(byRole(people).map(([role]) => role), ["owner", "member", "editor"]);
});

test("a line says what of the room has changed, and by whom", () => {
  const was = { title: "A", topic: "", archived: false, visibility: "public", slowMode: 0 };
  assert.equal(changesOf({ ...was, title: "B", changed: ["title"], by: ada }), "Ada renamed the room to B");
  assert.equal(changesOf({ ...was, topic: "Soup", changed: ["topic"] }), "The topic is now: Soup");
  assert.equal(changesOf({ ...was, archived: true, changed: ["archived"], by: ada }), "Ada archived the room");
  assert.equal(changesOf({ ...was, title: "B", slowMode: 30, changed: ["title", "slowMode"], by: ada }), "Ada renamed the room to B. Slow mode is on: one message per person every 30 s");
  assert.equal(changesOf({ ...was, changed: ["permissions"] }), "The room was changed");
  assert.equal(changesOf({ ...was, by: ada }), "Ada changed the room", "an older server does not say what");
});

test("a line about a member begins with who acted, unless that is the member", () => {
  const said = (what, payload) => happening({ type: `member.${what}`, payload: { user: { id: "bob", name: "Bob" }, ...payload } });
  assert.equal(said("muted", { by: ada, reason: "spam" }), "Ada muted Bob: spam");
  assert.equal(said("unmuted", {}), "Bob was unmuted");
  assert.equal(said("joined", { by: ada }), "Ada added Bob");
  assert.equal(said("joined", { by: { id: "bob", name: "Bob" } }), "Bob joined");
  assert.equal(said("role", { by: ada, role: "member" }), "Ada changed the role of Bob to member");
  assert.equal(said("role", { role: "editor" }), "The role of Bob is now editor");
});

test("until the server has said who may pin, the role counts", () => {
  const room = new Room("a");
  assert.ok(!mayPin(room));
  room.role = "moderator";
  assert.ok(mayPin(room));
  room.may = new Set(["message"]);
  assert.ok(!mayPin(room));
  room.may.add("message.pin");
  assert.ok(mayPin(room));
});

test("what cannot be loaded says why, and is loaded by another try", async () => {
  const chat = { state: "online" };
  let fails = true;
  const load = async () => {
    if (fails) throw Object.assign(new Error("no"), { code: "lost" });
    return "there";
  };
  const box = part(chat, load, (found) => [found], {});
  await new Promise(setImmediate);
  assert.match(box.text, /^You are offline\. Try again when you are back\.Try again$/);
  fails = false;
  await box.children[1].clicked();
  assert.equal(box.text, "there");
});

test("in the menu of a room, what the app adds stands above leaving it", () => {
  const room = Object.assign(new Room("a"), { visibility: "private", may: new Set(["room", "leave"]) });
  const ids = roomMenu(room, { more: [["Greet", () => {}, "greet"]] }).map(([, , id]) => id);
  assert.deepEqual(ids.slice(-2), ["greet", "leave"]);
});

test("a mute is found on whatever page of the list it is, and none is looked for behind it", async () => {
  const asked = [];
  const request = async (type, { payload: { cursor = 0 } }) => {
    asked.push(cursor);
    return { restrictions: [{ user: { id: `u${cursor}` }, until: cursor }], cursor: cursor < 3 ? cursor + 1 : undefined };
  };
  const room = { id: "general", may: new Set(["restrictions", "member.mute"]) };
  const chat = { state: "online", request };
  assert.equal((await muteOf(chat, room, { id: "u2" })).until, 2);
  assert.deepEqual(asked.splice(0), [0, 1, 2]);
  assert.equal(await muteOf(chat, room, { id: "nobody" }), undefined);
  assert.deepEqual(asked, [0, 1, 2, 3]);
});

test("where nobody can say whether a person is muted, a mute can be ended, too", async () => {
  const room = { id: "general", may: new Set(["restrictions", "member.mute"]) };
  const chat = (answer) => ({ state: "online", request: async () => answer() });
  const endless = chat(() => ({ restrictions: [{ user: { id: "u2" } }], cursor: "more" }));
  const refusing = chat(() => Promise.reject(new Error("forbidden")));
  const acts = async (from, at = room) => actsOver(at, await muteOf(from, at, { id: "u1" })).map(([act]) => act);
  const both = ["member.unmute", "member.mute"];

  assert.deepEqual(await acts(endless), both);
  assert.deepEqual(await acts(refusing), both);
  assert.deepEqual(await acts(endless, { ...room, may: new Set(["member.mute"]) }), both);
  assert.deepEqual(await acts(chat(() => ({ restrictions: [] }))), ["member.mute"]);
  assert.deepEqual(await acts(chat(() => ({ restrictions: [{ user: { id: "u1" } }] }))), ["member.unmute"]);
  assert.deepEqual(await acts(refusing, { ...room, may: new Set() }), []);
});
