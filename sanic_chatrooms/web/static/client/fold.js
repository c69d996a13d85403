/** See client.d.ts: the message as it is after an event of its room. */
export function fold(message, event, me) {
  const { type, payload } = event;
  if (payload?.parent === message.msgId) return withReplies(message, event);
  if (payload?.msgId !== message.msgId || message.deleted) return message;
  switch (type) {
    case "message.edited":
      return edited(message, event);
    case "message.delta":
      return grown(message, payload);
    case "message.deleted":
      return { ...without(message, "edited", "reactions", "pinned", "streaming", "ended"), payload: {}, deleted: true, changed: event.seq };
    case "reaction.added":
    case "reaction.removed":
      return reacted(message, type, payload, me);
    case "message.pinned":
      return { ...message, pinned: { by: payload.by, at: event.timestamp } };
    case "message.unpinned":
      return without(message, "pinned");
  }
  return message;
}

function without(message, ...keys) {
  const left = { ...message };
  for (const key of keys) delete left[key];
  return left;
}

function edited(message, { seq, payload }) {
  if (seq <= (message.changed ?? 0)) return message; // a page has shown it already
  const after = { ...without(message, "ended"), payload: payload.body, changed: seq };
  if (!payload.closed) return { ...after, edited: payload.edited };
  delete after.streaming; // the end of a stream is no edit
  return payload.ended ? { ...after, ended: payload.ended } : after;
}

function grown(message, { at, text }) {
  if (at !== message.streaming?.at) return message; // closed, or shown with this piece already
  return { ...message, payload: { ...message.payload, text: message.payload.text + text }, streaming: { at: at + [...text].length } };
}

function reacted(message, type, { emoji, user, count }, me) {
  const { [emoji]: before, ...others } = message.reactions ?? {};
  const mine = user.id === me ? type === "reaction.added" : before?.me;
  if (count > 0) others[emoji] = mine ? { count, me: true } : { count };
  return Object.keys(others).length > 0 ? { ...message, reactions: others } : without(message, "reactions");
}

function withReplies(message, { type, seq, timestamp, sender = null, payload, deleted }) {
  const { thread } = message;
  if (type === "message.deleted") return payload.thread ? { ...message, thread: payload.thread } : without(message, "thread");
  if (type !== "message" || deleted || seq <= (thread?.last.seq ?? 0)) return message;
  return { ...message, thread: { count: (thread?.count ?? 0) + 1, last: { seq, timestamp, sender } } };
}
