// Tells of messages that are meant for the user and are not on the screen, with a way to them: mentions, and replies.

import { addressOf } from "./address.js";
import { named } from "./counts.js";
import { excerpt } from "./format.js";
import { plainText } from "./richtext.js";
import { textOf } from "./timeline.js";
import { words } from "./words.js";

const SOONEST = 500; // ms; the message itself may come after the event that tells of it

/** `isSeen({room, seq})`: whether the message is on the screen. */
export function tellOfMentions(chat, book, notices, isSeen) {
  chat.on("mention", ({ payload }) => setTimeout(() => isSeen(payload) || tellOf(notices, book.get(payload.room), payload), SOONEST));
}

// It is counted beside the name of the room, if the user wants that.
function tellOf(notices, room, { seq, sender, text }) {
  const name = sender?.name ?? words.somebody;
  const notice = { title: words.notices.mentioned(name, room.name), content: words.message.said(name, plainText(text)), href: addressOf(room.id, "at", `${seq}`) };
  notices.add(notice, { room: room.id, seq, counted: named(room) > 0 });
}

/** Of a reply in a thread of the user's. */
export function noticeOfReply(room, { seq, sender, payload }) {
  const name = sender?.name ?? words.somebody;
  return { title: words.notices.replied(name, room.name), content: words.message.said(name, excerpt(plainText(textOf(payload)))), href: addressOf(room.id, "at", `${seq}`), about: { room: room.id, seq, parent: payload.parent } };
}
