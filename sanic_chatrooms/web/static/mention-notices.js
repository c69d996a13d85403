// Tells of messages that mention the user and are not on the screen, with a way to them.

import { addressOf } from "./address.js";
import { calm } from "./richtext.js";

const LATER = 500; // ms; the message itself may come after the event that tells of it

/** `isSeen({room, seq})`: whether the message is on the screen. */
export function tellOfMentions(chat, book, notices, isSeen) {
  chat.on("mention", ({ payload }) => setTimeout(() => isSeen(payload) || notices.add(notice(book.get(payload.room), payload)), LATER));
}

function notice(room, { seq, sender, text }) {
  return { title: `${sender?.name ?? "Somebody"} mentioned you in ${room.name}`, content: calm(text), href: addressOf(room.id, "at", `${seq}`) };
}
