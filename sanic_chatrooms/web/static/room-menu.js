// The menu of a room.

/** Entries for the room; null: none is open. `acts`: `details(at)`, `prefs(room)`, `leave(room)`, `moderate(act)`: `act` gets moderating.js; `attempt(act)` tells what goes wrong. */
export function roomMenu(room, { chat, book, details, prefs, leave, moderate, attempt }) {
  const has = (action) => room?.may.has(action);
  return [
    has("room") && ["Details of this room", () => details(), "room-details"],
    has("pins") && ["Pinned messages", () => details("pins"), "room-pins"],
    room?.counted && ["Notifications", () => prefs(room), "room-notifications"],
    room?.counted && [room.notify === "none" ? "Unmute this room" : "Mute this room", () => attempt(() => mute(chat, book, room)), "mute-room"],
    has("reports") && ["Reports", () => moderate(({ reports }) => reports(chat, room, book)), "reports"],
    has("restrictions") && ["Banned and muted", () => moderate(({ restrictions }) => restrictions(chat, room)), "restrictions"],
    // The page would join a public room again as soon as somebody opens it.
    has("leave") && room.visibility === "private" && ["Leave this room", () => leave(room), "leave"],
  ].filter(Boolean);
}

const before = new WeakMap(); // room → what was heard of it before it was muted

async function mute(chat, book, room) {
  const wanted = room.notify === "none" ? (before.get(room) ?? "all") : "none";
  before.set(room, room.notify);
  const { notify } = await chat.prefs(room.id, { notify: wanted });
  book.prefer(room.id, notify);
}
