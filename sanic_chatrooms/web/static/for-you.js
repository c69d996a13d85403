// Tells of messages that are meant for the user and are not on the screen, with a way to them: mentions, and replies.

import { addressOf } from "./address.js";
import { excerpt } from "./format.js";
import { plainText } from "./richtext.js";
import { textOf } from "./timeline.js";
import { words } from "./words.js";

const LATER = 500; // ms; the message itself may come after the event that tells of it

/** `isSeen({room, seq})`: whether the message is on the screen. */
export function tellOfMentions(chat, book, notices, isSeen) {
  chat.on("mention", ({ payload }) => setTimeout(() => isSeen(payload) || notices.add(notice(book.get(payload.room), payload)), LATER));
}

function notice(room, { seq, sender, text }) {
  return { title: words.notices.mentioned(sender?.name ?? words.somebody, room.name), content: plainText(text), href: addressOf(room.id, "at", `${seq}`) };
}

/** Of a reply in a thread of the user's. */
export function noticeOfReply(room, { seq, sender, payload }) {
  return { title: words.notices.replied(sender?.name ?? words.somebody, room.name), content: excerpt(plainText(textOf(payload))), href: addressOf(room.id, "at", `${seq}`) };
}
