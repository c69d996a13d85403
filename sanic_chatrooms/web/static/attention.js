// What asks for the user's attention, and what they do not want to hear of: counts in the title, notifications, blocks.

import { Blocks } from "./blocks.js";
import { offers, showBadge, titleOf, totals } from "./counts.js";
import { Desktop } from "./desktop.js";
import { touch } from "./dom.js";
import { words } from "./words.js";

export class Attention {
  /** `acts`: `go(id)` opens a room; `changed()`: draw again; `load(part, act)`: load a part of the page. */
  constructor(chat, book, notices, acts) {
    Object.assign(this, { chat, book, acts });
    this.blocks = new Blocks(chat, acts.changed);
    this.desktop = new Desktop(notices, acts.go);
    // The messages themselves come only of rooms that are open here.
    chat.on("mention", ({ payload }) => chat.isJoined(payload.room) || this.desktop.came(book.get(payload.room), payload, true));
    document.addEventListener("visibilitychange", () => document.hidden && book.unread.flush());
  }

  isBlocked(person) {
    return Boolean(person) && this.blocks.has(person.id);
  }

  /** A message of somebody else came. */
  came(room, item) {
    if (!this.isBlocked(item.sender)) this.desktop.came(room, item, this.book.unread.isNamed(room, item.payload));
  }

  /** Choose what to hear of in a room. */
  prefs(room) {
    return this.acts.load(() => import("./prefs.js"), ({ prefs }) => prefs(this.chat, room, this.desktop, (notify) => this.book.prefer(room.id, notify)));
  }

  /** What one may do about a person; see card.js. */
  card(room, person, mark, write) {
    return this.acts.load(() => import("./card.js"), ({ card }) => card(this.chat, room, person, { mark, write, blocks: this.blocks }));
  }

  /** Entries of the menu "You". */
  entries() {
    const rooms = this.book.listed();
    const readAll = [words.menu.readAll, () => this.book.unread.readAll(rooms), "read-all"];
    const blocked = [words.card.allBlocked, () => this.acts.load(() => import("./blocked.js"), (part) => part.blocked(this.blocks)), "blocked-people"];
    const help = [words.help.label, () => this.help(), "help"]; // fingers have no keys
    return [[words.settings.label, () => this.#settings(), "settings"], ...(touch.matches ? [] : [help]), ...(rooms.some(({ unread }) => unread) ? [readAll] : []), blocked];
  }

  #settings() {
    return this.acts.load(() => import("./settings.js"), ({ settings }) => settings(this.desktop));
  }

  /** Show the keys. */
  help() {
    return this.acts.load(() => import("./help.js"), ({ help }) => help(offers(this.chat, "search")));
  }

  /** Count in the title. Returns what there is in other rooms than the one that is open. `invited`: how many invitations there are. */
  count(rooms, invited, room, title) {
    const all = totals(rooms, invited);
    document.title = titleOf(all, room?.name, title);
    showBadge(all.unread);
    return totals(rooms.filter((one) => one !== room), invited);
  }
}
