// Public rooms that the user does not want in the list. This browser remembers them, and Ctrl+K finds them.

import { kept } from "./kept.js";

const keyOf = (user) => `chatrooms hidden ${user}`;
const hiddenBy = (user) => new Set(kept.get(keyOf(user))?.split(" "));

/** Note in the rooms which of them this user has hidden. One that has become private is shown. */
export function markHidden(rooms, user) {
  const hidden = hiddenBy(user);
  for (const room of rooms) room.hidden = room.visibility === "public" && hidden.has(room.id);
}

/** Take the room off the list, or put it back. */
export function hide(user, { id }, yes) {
  const hidden = hiddenBy(user);
  hidden[yes ? "add" : "delete"](id);
  kept.set(keyOf(user), [...hidden].join(" "));
}
