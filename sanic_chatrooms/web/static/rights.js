// What the user may do in a room, asked for when the room is shown: whoever may not write is told why before they try.

const LONGEST_WAIT = 2 ** 31 - 1; // ms; a longer timer runs at once

/** Milliseconds until it is worth to ask again, because a mute has ended then; Infinity: not by itself. The server's clock may be behind ours. */
export function opensIn(shut) {
  const left = Math.max(1000, (shut?.details.until ?? Infinity) * 1000 - Date.now() + 250);
  return left < LONGEST_WAIT ? left : Infinity;
}

/** {about, may, shut}: the server's description (null: no answer now), names of actions, and why nothing can be written: an error or null. `known`: what it was before. */
export async function rightsIn(chat, room, known = new Set()) {
  const about = await chat.request("room", { room }).catch(() => null);
  const may = about ? new Set(about.may) : known;
  const refused = may.size && !may.has("message");
  const shut = refused ? await chat.request("typing", { room, payload: { active: false } }).then(() => null, (error) => (error.temporary ? null : error)) : null;
  return { about, may, shut };
}

// On what it depends who may do what; the server tells it with every change of a room.
export const rulesOf = ({ visibility, permissions, archived }) => JSON.stringify([visibility, permissions, archived]);
