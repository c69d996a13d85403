// The menu of a room.

import { hide } from "./hiding.js";
import { words } from "./words.js";

/** Entries for the room; null: none is open. `acts`: `details(at)`, `link()`, `jump(seq)`, `prefs(room)`, `leave(room)`, `moderate(act)`: `act` gets moderating.js; `attempt(act)` tells what goes wrong; `tell(notice)`. `more`: what else stands in it. */
export function roomMenu(room, { chat, book, details, link, jump, prefs, leave, moderate, attempt, tell, more = [] }) {
  const has = (action) => room?.may.has(action);
  return [
    has("room") && [words.room.details, () => details(), "room-details"],
    has("pins") && [words.pins.label, () => details("pins"), "room-pins"],
    has("room") && !room.isDirect && [words.message.link, link, "room-link"],
    room?.counted && [words.details.notifications, () => prefs(room), "room-notifications"],
    room?.counted && [room.notify === "none" ? words.menu.unmute : words.menu.mute, () => attempt(() => mute(chat, book, room)), "mute-room"],
    room?.visibility === "public" && [room.hidden ? words.menu.show : words.menu.hide, () => flip(chat, book, room, tell), "hide-room"],
    has("reports") && [words.menu.reports, () => moderate(({ reports }) => reports(chat, room, jump)), "reports"],
    has("restrictions") && [words.menu.restrictions, () => moderate(({ restrictions }) => restrictions(chat, room, book.names)), "restrictions"],
    ...more,
    // The page would join a public room again as soon as somebody opens it.
    has("leave") && room.visibility === "private" && [words.menu.leave, () => leave(room), "leave", "danger"],
  ].filter(Boolean);
}

function flip(chat, book, room, tell) {
  hide(chat.user.id, room, !room.hidden);
  if (!room.hidden) tell({ title: words.menu.hidden(room.name), content: words.menu.hiddenWhat });
  book.changed("list");
}

const before = new WeakMap(); // room → what was heard of it before it was muted

async function mute(chat, book, room) {
  const wanted = room.notify === "none" ? (before.get(room) ?? "all") : "none";
  before.set(room, room.notify);
  const { notify } = await chat.prefs(room.id, { notify: wanted });
  book.prefer(room.id, notify);
}
