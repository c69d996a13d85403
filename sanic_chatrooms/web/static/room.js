// One room as this page knows it.

import { Timeline } from "./timeline.js";

export class Room {
  constructor(id) {
    this.id = id;
    this.title = "";
    this.visibility = "public";
    this.partner = null;
    this.online = 0;
    this.unread = 0;
    this.timeline = new Timeline();
    this.people = new Map();
    this.typing = [];
    this.draft = "";
    this.gap = false;
    this.error = null;
    /** idle · loading · ready · failed (`error` says why) · removed (`reason`) */
    this.status = "idle";
  }

  get isDirect() {
    return this.visibility === "direct";
  }

  /** Not yet there: the first message makes it. */
  get isDraft() {
    return this.id.startsWith("@");
  }

  get name() {
    return this.partner?.name || this.title || this.id;
  }

  /** What `rooms` says of it. */
  describe({ title, visibility, online, with: partner }) {
    Object.assign(this, { title, visibility, online });
    if (partner) this.meet(partner);
  }

  /** The server may know no more than the id of somebody who was never in a room with us. */
  meet(partner) {
    if (partner.name !== partner.id || this.partner === null) this.partner = partner;
  }
}
