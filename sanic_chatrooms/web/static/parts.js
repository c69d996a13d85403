// Parts of the page that few people need: loaded when somebody asks for them.

import { addressOf } from "./address.js";
import { closeDialogs } from "./back.js";
import { roomMenu } from "./room-menu.js";
import { words } from "./words.js";

export class Parts {
  /** `app`: what the parts are about. `go(id, pane, of)`: to another place; `leave(room)`. */
  constructor(app, go, leave) {
    Object.assign(this, { app, go, leave });
    // The details and the search show the room. What is typed into a form stays.
    app.chat.on("removed", ({ room }) => room === app.room?.id && closeDialogs(".search"));
  }

  /** Do something. A notice says what does not work. */
  async attempt(act) {
    try {
      await act();
    } catch (error) {
      this.app.notices.refused(words.failed, error);
    }
  }

  /** Load a part, and do something with it. */
  load(part, act) {
    return this.attempt(async () => act(await part().catch(() => Promise.reject(new Error(words.noPart)))));
  }

  moderate(act) {
    return this.load(() => import("./moderating.js"), act);
  }

  invite() {
    const { chat, directory, room } = this.app;
    return this.load(() => import("./inviting.js"), ({ invite }) => invite(chat, room, directory));
  }

  /** `at`: see details.js. */
  details(at) {
    const { attention, book, chat, room } = this.app;
    const jump = (seq) => this.#jump(room, seq);
    return this.load(() => import("./details.js"), ({ details }) => details({ at, chat, book, room, jump, invite: () => this.invite(), prefs: () => attention.prefs(room) }));
  }

  search(query) {
    return this.load(() => import("./finding.js"), ({ find }) => find(this.app, (id, seq) => this.#jump({ id }, seq), query));
  }

  /** Copy the link to a room, or to a message in it. */
  link(room, item) {
    return this.load(() => import("./links.js"), ({ copyLink }) => copyLink(item ? addressOf(room.id, "at", `${item.seq}`) : addressOf(room.id), this.app.notices));
  }

  copy(item) {
    return this.load(() => import("./links.js"), ({ copyText }) => copyText(item.text, this.app.notices));
  }

  /** Entries of the menu of the room that is open. `more`: those of the app. */
  roomMenu(more) {
    const { app, leave } = this;
    const { attention, book, chat, room } = app;
    return roomMenu(room, { more, chat, book, leave, details: (at) => this.details(at), link: () => this.link(room), jump: (seq) => this.#jump(room, seq), prefs: () => attention.prefs(room), moderate: (act) => this.moderate(act), attempt: (act) => this.attempt(act), tell: (notice) => app.notices.done(notice) });
  }

  #jump({ id }, seq) {
    this.go(id, "at", `${seq}`);
  }
}
