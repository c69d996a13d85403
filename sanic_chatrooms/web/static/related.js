// What stands beside a message and changes without an edit of it: reactions, its pin, and the replies to it.

import { fold } from "../client.js";

/** Apply a durable event to the one of `items` that it is about. `me`: the id of the user. */
export function relate(items, { type, payload, ...event }, me) {
  const about = payload?.parent ?? (/^reaction\.|^message\.(un)?pinned$/.test(type) ? payload.msgId : undefined);
  const item = about && items.findLast(({ id }) => id === about);
  if (!item) return;
  const { id: msgId, deleted, reactions, thread, pinned } = item;
  const before = { msgId, deleted, reactions, thread, pinned };
  const after = fold(before, { ...event, type, payload }, me);
  if (after !== before) Object.assign(item, { reactions: after.reactions, thread: after.thread, pinned: after.pinned, version: item.version + 1 });
}
