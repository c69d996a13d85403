// What can be done with a message of a conversation: the acts of the app, in the room that is shown.

import { mayStop } from "./growing.js";
import { mayPin } from "./pinning.js";

const IN_ROOM = ["onRetry", "onDiscard", "onSave", "onDelete", "onReport", "onUnread", "onReact", "onPick", "onThread", "onPin", "onCopy", "onLink", "people", "reactors", "nameOf"];

/** The acts that only the messages concern, wherever they are shown. */
export const messageActs = (chat, book, addressees, reactions) => ({
  people: (room) => addressees.of(room),
  nameOf: (room, id) => addressees.nameOf(room, id),
  onRetry: (room, item) => (item.change ? book.edits.retry(room, item) : chat.retry(item.key)),
  onDiscard: (room, item) => (item.change ? book.edits.discard(room, item) : chat.discard(item.key)),
  onSave: (room, item, text) => book.edits.edit(room, item, text, addressees.edited(room, item, text)),
  onReact: (room, item, emoji) => reactions.toggle(room, item, emoji),
  reactors: (room, item, emoji) => reactions.who(room, item, emoji),
});

/** For the rows of a conversation; `room()`: the one that is shown. `acts`: each of IN_ROOM takes the room first, then what the row gives. What is not there is not offered. */
export function rowActs(chat, acts, room) {
  const inRoom = IN_ROOM.filter((name) => acts[name]).map((name) => [name, (...given) => acts[name](room(), ...given)]);
  return {
    me: () => chat.user,
    role: () => room().role,
    maxText: () => chat.welcome?.limits.maxText,
    /** Whether something can be changed by this feature of the server. */
    has: (feature) => !room().archived && room().shut?.code !== "muted" && (chat.welcome?.features.includes(feature) ?? true),
    edits: () => room().edits,
    onCard: acts.onCard,
    onFormat: acts.onFormat,
    isBlocked: acts.isBlocked,
    onStop: (item) => chat.cancel(room().id, item.id),
    files: acts.files,
    mayPin: () => mayPin(room()),
    mayStop: (item) => mayStop(item, chat.user, room()),
    ...Object.fromEntries(inRoom),
  };
}
