// Shows one message, wherever it is: in what the room has, in a window far up, or in a thread.

import { words } from "./words.js";

/** `isHere()`: whether the room is still shown. `onThread(parent)`: open the thread of this message. */
export async function jump(room, seq, { book, talk, notices, isHere, onThread }) {
  try {
    await book.entered(room);
    const found = isHere() && (await book.paging.find(room, seq));
    if (isHere()) show(found);
  } catch (error) {
    notices.refused(words.message.notShown, error);
  }

  function show(found) {
    if (!found) return notices.add({ title: words.message.gone, content: words.message.goneWhy });
    if (found.parent) {
      onThread(found.parent);
      return book.threads.aim(book.threads.open(room, found.parent), seq);
    }
    talk.open(room, talk.conversation.newAfter, found.item);
    talk.conversation.needNewer();
  }
}
