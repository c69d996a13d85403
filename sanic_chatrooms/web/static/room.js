// One room as this page knows it.

import { Timeline } from "./timeline.js";

export class Room {
  title = "";
  visibility = "public";
  partner = null;
  role = "";
  online = 0;
  unread = 0;
  /** The number of its last event, as far as the list of rooms says. */
  end = 0;
  timeline = new Timeline();
  people = new Map();
  typing = [];
  draft = "";
  /** idle · loading · ready · failed (`error` says why) · removed (`reason`) */
  status = "idle";

  constructor(id) {
    this.id = id;
  }

  get isDirect() {
    return this.visibility === "direct";
  }

  /** Not yet there: the first message makes it. */
  get isDraft() {
    return this.id.startsWith("@");
  }

  /** Shown beside the name, where another room has the same one. */
  mark = "";

  get name() {
    return this.partner?.name || this.title || this.id;
  }

  /** What `rooms` says of it. */
  describe({ title, visibility, online, with: partner }) {
    Object.assign(this, { title, visibility, online, listed: true });
    this.partner ??= partner ?? null;
  }

  /** Somebody has this name now. */
  called(id, name) {
    if (this.partner?.id === id) this.partner = { ...this.partner, name };
    if (this.people.has(id)) this.people.set(id, { ...this.people.get(id), name });
  }
}
