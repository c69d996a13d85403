// Shows one message, wherever it is: in what the room has, in a window far up, or in a thread.

const GONE = { title: "This message is not there any more", content: "It was deleted, or it is older than what this room keeps." };

/** `isHere()`: whether the room is still shown. `onThread(parent)`: open the thread of this message. */
export async function jump(room, seq, { book, talk, notices, isHere, onThread }) {
  try {
    await book.entered(room);
    const found = isHere() && (await book.paging.find(room, seq));
    if (isHere()) show(found);
  } catch (error) {
    notices.refused("The message cannot be shown", error);
  }

  function show(found) {
    if (!found) return notices.add(GONE);
    if (found.parent) {
      onThread(found.parent);
      return book.threads.aim(book.threads.open(room, found.parent), seq);
    }
    talk.open(room, talk.conversation.newAfter, found.item);
    talk.conversation.needNewer();
  }
}
