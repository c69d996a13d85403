// Our changes of existing messages. Shown at once, dimmed until the server has stored them, with the reason if one fails.

/** Who moderates, unless the room or the app says otherwise. */
export const MODERATORS = ["owner", "admin", "moderator"];

/** What this user may do to a message: {edit, remove, report, answer}; `answer`: react, reply, point at it. One that is being
 * written is edited when it is done. */
export function rightsOver(item, me, role) {
  const there = item.type === "message" && item.status === "sent" && item.id && !item.deleted && !item.change;
  const mine = Boolean(there && item.sender && item.sender.id === me?.id);
  return { edit: mine && !item.streaming, remove: mine || Boolean(there && MODERATORS.includes(role)), report: Boolean(there && !mine && item.sender), answer: Boolean(there) };
}

export class Edits {
  /** `changed(room)`: redraw the room. */
  constructor(chat, changed) {
    this.chat = chat;
    this.changed = changed;
  }

  /** `more`: what else is in the body now. */
  edit(room, item, text, more) {
    const body = () => ({ ...item.payload, text, ...more });
    const saved = (seq) => room.timeline.edited(item, body(), seq);
    this.#begin(room, item, { text, act: () => this.chat.edit(room.id, item.id, body()), done: saved });
  }

  /** `why`: {reason}. */
  remove(room, item, why = {}) {
    const gone = (seq) => room.timeline.deleted(item, seq, why.reason);
    this.#begin(room, item, { act: () => this.chat.delete(room.id, item.id, why), done: gone });
  }

  retry(room, item) {
    this.#begin(room, item, { ...item.change, error: null });
  }

  discard(room, item) {
    this.#set(room, item, null);
  }

  async #begin(room, item, change) {
    this.#set(room, item, change);
    try {
      const { seq } = await change.act();
      change.done(seq);
      if (item.change === change) this.#set(room, item, null);
    } catch (error) {
      // It was deleted meanwhile: nothing to report.
      if (item.change === change) this.#set(room, item, item.deleted ? null : { ...change, error });
    }
  }

  #set(room, item, change) {
    item.change = change;
    item.version++;
    this.changed(room);
  }
}
