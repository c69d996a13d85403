// What is unread, in numbers and words.

import { number } from "./language.js";

/** Whether the server has this feature; false until it has said so. */
export function offers(chat, feature) {
  return chat.welcome?.features?.includes(feature) ?? false;
}

/** How much in a room asks for attention, by what the user prefers there. */
export function loud({ unread, mentions, notify, hidden }) {
  return notify === "none" ? 0 : hidden || notify === "mentions" ? mentions : unread;
}

/** How often the user is mentioned there. */
export function named({ mentions, notify }) {
  return notify === "none" ? 0 : mentions;
}

/** The number of the first unread message, if it is further up than what is loaded of the room; else null. */
export function firstAbove({ unread, first, readTo, timeline }) {
  return unread && first > readTo && first < timeline.items[0]?.seq ? first : null;
}

/** "3", "99+" */
export function written(count, more = false) {
  return more || count > 99 ? `${number(99)}+` : number(count);
}

/** What asks for attention in all these rooms, and otherwise: {unread, mentions}. */
export function totals(rooms, others = 0) {
  return rooms.reduce((sum, one) => ({ unread: sum.unread + loud(one), mentions: sum.mentions + named(one) }), { unread: others, mentions: 0 });
}

/** The title of the page: "Chat", "(3, @1) General · Chat" */
export function titleOf({ unread, mentions }, room, title) {
  return `${unread ? `(${number(unread)}${mentions ? `, @${number(mentions)}` : ""}) ` : ""}${room ? `${room} · ` : ""}${title}`;
}

let badgeCount = 0;

/** On the icon of the app, where it is on the home screen. */
export function showBadge(unread) {
  if (unread === badgeCount || !navigator.setAppBadge) return;
  badgeCount = unread;
  navigator.setAppBadge(unread).catch(() => {}); // not on the home screen
}
