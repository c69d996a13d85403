// Searching from what is shown, and opening what was found. Loaded when somebody searches.

import { search } from "./searching.js";

/** `go(id, seq)` opens a room at a message; `query`: what to look for in all rooms; without it the user writes it. */
export async function find({ chat, book, room }, go, query) {
  const isOpen = room?.status === "ready" && !room.isDraft;
  const hit = await search(chat, { room: isOpen ? room : null, nameOf: (id) => book.rooms.get(id)?.name ?? id, isPrivate: (id) => book.rooms.get(id)?.visibility === "private", query });
  if (hit) go(hit.room, hit.seq);
}
