// Joining a room. Where `AUTO_CREATE` is on, that makes a room that is not there: a mistake in an address must not.

import { words } from "./words.js";

const WAIT = 1; // seconds

/** Join a room that is there. `known`: the user was in it before. Rejects as the client's `join` does. */
export async function join(book, room, known) {
  if (!known && !isKnown(book, room)) await lookUp(book.chat, room);
  return book.chat.join(room.id);
}

function isKnown({ first, invitations }, { id, listed, isDirect, epoch }) {
  return listed || isDirect || epoch || id === first || invitations.has(id);
}

// Any other reason not to enter comes with the join.
async function lookUp(chat, room) {
  for (;;) {
    try {
      return await chat.request("room", { room: room.id });
    } catch (error) {
      if (error.code === "room_not_found") throw room.id.startsWith("~") ? ofOthers(room) : error;
      if (!error.temporary) return null;
      await new Promise((resolve) => setTimeout(resolve, (error.retryAfter ?? WAIT) * 1000));
    }
  }
}

// A direct conversation: nobody can create one by its id, which also says nothing to people.
function ofOthers(room) {
  room.title = words.room.ofOthers;
  return Object.assign(new Error(words.room.ofOthersWhy), { code: "forbidden", details: {} });
}
