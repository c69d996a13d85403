// What the page tells by a notice when it happens.

import { noticeOfReply } from "./for-you.js";
import { excerpt } from "./format.js";
import { calm } from "./richtext.js";

const WORDS = {
  invited: ({ by, title, id }) => ({ title: `${by ? `${by.name} invites you` : "You are invited"} to ${title || id}`, content: "Accept or decline it above the list of rooms." }),
  reported: ({ name }, { reason }) => ({ title: `A message in ${name} was reported`, content: calm(excerpt(reason)) }),
  unsent: ({ name }, { isOpen }) => !isOpen && { title: `Your reply in ${name} was not sent`, content: "Open the thread to try again, or to discard it." },
  replied: noticeOfReply,
  added: ({ name }, by) => ({ title: `${by ? `${by.name} added you` : "You were added"} to ${name}`, content: "It is in your list of rooms." }),
};

/** The notice of a change of the RoomBook, or undefined if it is for the eyes only. */
export function noticeOf(what, room, item) {
  return (Object.hasOwn(WORDS, what) && WORDS[what](room, item)) || undefined;
}
