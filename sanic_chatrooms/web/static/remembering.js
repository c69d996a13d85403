// What this device remembers for the user over a reload: drafts, notices, and messages that were not sent. Loaded after the first view.

import { Drafts } from "./drafts.js";
import { kept, SIGNED_OUT } from "./kept.js";
import { Unsent } from "./unsent.js";

const PAUSE = 500; // ms after a key
const AGAIN = 1000; // ms, until the rooms are known

/** `app`: {chat, book, talk, column, room, notices}. Returns {open(room): it is about to be shown; save(): returns whether nothing that is unsent would be lost}. */
export function remember(app) {
  const { chat, book, talk, column } = app;
  const user = chat.user.id;
  const before = kept.get(SIGNED_OUT);
  // After signing out, in any tab, nothing may be written. Nor in the name of somebody else.
  const isOver = () => kept.get(SIGNED_OUT) !== before || chat.user.id !== user;
  const set = (key, text) => !isOver() && kept.set(key, text);

  const key = `chatrooms drafts ${user}`;
  const drafts = new Drafts({ get: () => kept.get(key), set: (text) => set(key, text) });
  const placeOf = (room, thread) => `${room.isDirect && room.partner ? `@${room.partner.id}` : room.id}${thread ? ` ${thread}` : ""}`;
  const texts = function* () {
    for (const room of book.rooms.values()) {
      yield [placeOf(room), room === talk.room ? talk.composer.text : room.draft];
      for (const thread of room.threads.values()) yield [placeOf(room, thread.id), thread === column.pane?.thread ? column.pane.composer.text : thread.draft];
    }
  };
  const noticed = `chatrooms notices ${user}`;
  app.notices.remember({ get: () => kept.get(noticed), set: (text) => set(noticed, text) });

  let timer = null;
  const keepDrafts = () => {
    timer = null;
    drafts.keep(texts());
  };
  const soon = () => (timer ??= setTimeout(keepDrafts, PAUSE));

  const unsent = new Unsent(chat, user, { ...kept, set }, navigator.locks, {
    history: async (entry) => {
      const room = await roomOf(entry);
      return room.isDraft ? null : chat.history(room.id, {});
    },
    resume: async (entry, error) => {
      const room = await roomOf(entry);
      if (isOver()) return;
      const { parent } = entry.body;
      const thread = parent && !room.threads.has(parent) && book.threads.open(room, parent);
      book.follow(room, entry);
      if (thread) book.threads.close(thread); // it stays as long as it has something to send
      chat.restore({ ...entry, error });
    },
  });
  // It is joined first: what is sent before might be refused.
  async function roomOf({ type, room: id, to }) {
    if (!book.known) await book.refresh();
    while (!book.known) await new Promise((resolve) => setTimeout(resolve, AGAIN)); // each welcome refreshes it
    const room = type === "direct" ? book.with({ id: to, name: to }) : book.get(id);
    book.enter(room, true);
    return room;
  }

  const open = (room) => {
    keepDrafts(); // or what was sent or taken away just now would come back
    room.draft ||= drafts.of(placeOf(room));
  };
  const save = () => {
    keepDrafts();
    return unsent.save();
  };
  book.threads.draftOf = (room, id) => drafts.of(placeOf(room, id));
  book.threads.keep = keepDrafts;
  for (const { composer, room, thread } of [talk, column.pane ?? {}]) {
    if (!room && !thread) continue;
    const draft = drafts.of(room ? placeOf(room) : placeOf(thread.room, thread.id));
    if (draft && !composer.text) composer.open(draft);
  }
  document.addEventListener("input", soon);
  chat.on("outbox", ({ status }) => status === "queued" && soon());
  window.addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => document.hidden && save());
  unsent.begin();
  return { open, save };
}
