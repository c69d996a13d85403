// Who can be mentioned in a room, and what people are called there.

import { mentionsAfter, mentionsOf } from "./mentions.js";
import { words } from "./words.js";

const LATELY = 200; // messages

export class Addressees {
  constructor(chat, book) {
    Object.assign(this, { chat, book });
  }

  /** Who is there, who is a member, and who wrote lately: [{id, name, here}], without the user. */
  of(room) {
    const people = new Map(room.people);
    for (const { sender } of room.timeline.items.slice(-LATELY)) if (sender?.id && !people.has(sender.id)) people.set(sender.id, { ...sender, name: this.nameOf(room, sender.id) ?? sender.name, here: false });
    people.delete(this.chat.user?.id);
    return [...people.values(), ...(room.may.has("mention.room") && !room.isDirect ? [{ id: "@room", name: "room", hint: words.composer.everybody, here: true }] : [])];
  }

  nameOf(room, id) {
    const { user } = this.chat;
    return id === user?.id ? user.name : (this.book.names.of(id) ?? room.people.get(id)?.name);
  }

  /** What a message mentions when its text has changed, as a part of its body. */
  edited(room, { payload }, text) {
    const before = mentionsOf(payload);
    const mentions = mentionsAfter(before, text, this.of(room), (id) => (id[0] === "@" ? id.slice(1) : this.nameOf(room, id)));
    return mentions.length || before.length ? { mentions } : {};
  }
}
