// The state of one room.

import { loud } from "./counts.js";
import { introduce, isReply, Timeline } from "./timeline.js";

export class Room {
  title = "";
  topic = "";
  archived = false;
  visibility = "public";
  partner = null;
  /** Whether the partner is here; undefined: not known. See nearby.js. */
  near = undefined;
  role = "";
  online = 0;
  unread = 0;
  /** There are more unread messages than were counted. */
  more = false;
  /** Unread messages that mention the user. */
  mentions = 0;
  /** The server counts here, because the user is a member. Up to what the user has read is `readTo` then. */
  counted = false;
  readTo = undefined;
  /** The number of the first unread message, when the server told it. */
  first = undefined;
  /** The number of the newest event that came, also of a reply in a thread. */
  heard = 0;
  /** Reports of reading that are on their way. */
  reports = 0;
  /** The user has marked messages as unread. */
  kept = false;
  /** What the user wants to hear of: all, mentions or none. */
  notify = "all";
  /** The number of its last event, by the list of rooms. */
  end = 0;
  timeline = new Timeline((event) => this.mixed || !isReply(event));
  /** Replies are shown in the conversation, because the server has no threads. */
  mixed = false;
  /** Threads that are open, or hold something that is not sent: id of the message → Thread. */
  threads = new Map();
  /** The window far up in which somebody reads, or null. */
  past = null;
  people = new Map();
  typing = [];
  draft = "";
  /** What was begun to be edited, here or in a thread: id of the message → text. */
  edits = new Map();
  /** Where the user read when another room was opened; null: at the end. */
  place = null;
  /** What the user may do here, by the server: names of actions. */
  may = new Set();
  /** `may` has to be asked for again. */
  stale = false;
  /** Why nothing can be written here: an error of the server, or null. */
  shut = null;
  /** The ban or the removal that ended the user's stay: {by, until, reason}. */
  verdict = null;
  /** idle · loading · ready · failed (`error` says why) · removed (`reason`) */
  status = "idle";

  constructor(id) {
    this.id = id;
  }

  /** What the conversation shows. */
  get shown() {
    return this.past ?? this.timeline;
  }

  /** All that holds messages of the room. One message may be in several. */
  timelines() {
    const threads = [...this.threads.values()].flatMap(({ parent, timeline }) => [parent, timeline]);
    return [this.timeline, ...(this.past ? [this.past] : []), ...threads];
  }

  /** All messages get other buttons, because the user has other rights. */
  redraw() {
    for (const { items } of this.timelines()) for (const item of items) item.version++;
  }

  /** The user is not in it, and sees nothing of it. */
  get isClosed() {
    return this.status === "failed" || this.status === "removed";
  }

  /** Files wait to be sent, here or in a thread. Nobody else keeps them. */
  get hasFiles() {
    return [this, ...this.threads.values()].some(({ tray }) => tray?.busy || tray?.ready);
  }

  get isDirect() {
    return this.visibility === "direct";
  }

  /** It does not exist yet: the first message creates it. */
  get isDraft() {
    return this.id.startsWith("@");
  }

  /** Shown beside the name if another room has the same one. */
  mark = "";

  get name() {
    return this.partner?.name || this.title || this.id;
  }

  /** Update it from what the server tells of it alone: the answer to `room`, or a change. */
  know({ title = this.title, topic = "", archived = false }) {
    if (this.archived !== archived) this.redraw();
    Object.assign(this, { title, topic, archived });
  }

  /** Update it from an entry of `rooms`. */
  describe({ title, visibility, online, archived = false, with: partner }) {
    if (this.archived !== archived) this.redraw();
    Object.assign(this, { title, visibility, online, archived, listed: true });
    this.partner ??= partner ?? null;
  }

  /** Rename a person in this room. */
  called(id, name) {
    if (this.partner?.id === id) this.partner = { ...this.partner, name };
    if (this.people.has(id)) this.people.set(id, { ...this.people.get(id), name });
    const nameOf = (one) => one === id && name;
    for (const { items } of this.timelines()) for (const item of items) if (introduce(item, nameOf)) item.version++;
  }
}

/** The next of these rooms after that one (`step` -1: before it) with something new. */
export function nextUnread(listed, id, step) {
  const rooms = step < 0 ? listed.reverse() : listed;
  const at = rooms.findIndex((room) => room.id === id) + 1;
  return [...rooms.slice(at), ...rooms.slice(0, at)].find((room) => loud(room) && room.id !== id);
}
