// The menu of a room.

/** Entries for the room; null: none is open. `acts`: `details()`, `prefs(room)`, `leave(room)`, `moderate(act)`: `act` gets moderating.js. */
export function roomMenu(room, { chat, book, details, prefs, leave, moderate }) {
  const has = (action) => room?.may.has(action);
  return [
    has("room") && ["Details of this room", details, "room-details"],
    room?.counted && ["Notifications", () => prefs(room), "room-notifications"],
    has("reports") && ["Reports", () => moderate(({ reports }) => reports(chat, room, book)), "reports"],
    has("restrictions") && ["Banned and muted", () => moderate(({ restrictions }) => restrictions(chat, room)), "restrictions"],
    // The page would join a public room again as soon as somebody opens it.
    has("leave") && room.visibility === "private" && ["Leave this room", () => leave(room), "leave"],
  ].filter(Boolean);
}
