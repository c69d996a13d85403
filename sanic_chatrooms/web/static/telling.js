// What the page tells by a notice when it happens.

import { addressOf } from "./address.js";
import { noticeOfReply } from "./for-you.js";
import { excerpt } from "./format.js";
import { calm } from "./richtext.js";
import { words } from "./words.js";

const TOLD = {
  invited: ({ by, title, id }, _, said) => ({ title: said.invited(by?.name, title || id), content: said.answer, about: { invitation: id } }),
  reported: ({ id, name }, { reason }, said) => ({ title: said.reported(name), content: calm(excerpt(reason)), href: addressOf(id) }),
  unsent: ({ name }, { isOpen }, said) => !isOpen && { title: said.unsent(name), content: said.unsentWhat },
  replied: noticeOfReply,
  added: ({ name }, by, said) => ({ title: said.added(by?.name, name), content: said.addedWhere }),
};

/** The notice of a change of the RoomBook, or undefined if it is for the eyes only. */
export function noticeOf(what, room, item) {
  return (Object.hasOwn(TOLD, what) && TOLD[what](room, item, words.notices)) || undefined;
}
