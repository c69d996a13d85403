// The rooms at the left: which there are, which one is open, where something new is.

import { avatar } from "./avatar.js";
import { el, fill, icon, iconButton } from "./dom.js";
import { KeyedList, walkable } from "./keyed.js";

export class RoomsPane {
  /** `bell` stands in the head, `footer` below the list; `onCreate()`, `onSwitch()`. */
  constructor({ title, bell, footer, onCreate, onSwitch }) {
    this.rooms = el("div", {});
    this.directs = el("div", {});
    this.directsHead = el("h2", { class: "section" }, "Direct messages");
    this.empty = el("p", { class: "hint section", hidden: true }, "No rooms yet. Make the first one.");
    const scroll = el("div", { class: "scroll", testid: "room-list" },
      el("h2", { class: "section" }, "Rooms"), this.rooms, this.empty,
      el("button", { type: "button", class: "line", testid: "create-room", onclick: onCreate }, el("span", { class: "sigil" }, icon("plus")), "Create a room"),
      this.directsHead, this.directs);
    walkable(scroll, ".line");
    this.element = el("nav", { class: "rooms-pane", "aria-label": "Rooms" },
      el("div", { class: "pane-head" },
        el("h1", { class: "grow cut" }, title),
        iconButton("search", "Switch room (Ctrl+K)", { onclick: onSwitch, testid: "open-switcher" }), bell),
      scroll, footer);
    this.lists = [new KeyedList(this.rooms, roomLine), new KeyedList(this.directs, roomLine)];
  }

  /** Show these rooms, sorted; `current`: the open one's id. */
  update(rooms, current) {
    const row = (room) => ({ key: room.id, sign: `${room.name}|${room.visibility}|${room.unread}|${room.id === current}`, room, current });
    const directs = rooms.filter((room) => room.isDirect);
    const others = rooms.filter((room) => !room.isDirect);
    this.lists[0].set(others.map(row));
    this.lists[1].set(directs.map(row));
    this.empty.hidden = others.length > 0;
    this.directsHead.hidden = directs.length === 0;
  }
}

function roomLine({ room, current }) {
  const props = { class: `line ${room.unread ? "unread" : ""}`, href: `#/${room.id}`, testid: "room", "data-room": room.id, "aria-current": room.id === current && "page" };
  const unread = room.unread > 0 && el("span", { class: "badge", testid: "unread" }, room.unread > 99 ? "99+" : String(room.unread), el("span", { class: "sr-only" }, " unread"));
  return el("a", props, sigil(room), el("span", { class: "grow cut", dir: "auto" }, room.name), room.visibility === "private" && el("span", { class: "sr-only" }, " (private)"), unread);
}

function sigil(room) {
  if (room.isDirect) return avatar(room.partner ?? { id: room.id, name: room.name }, "small");
  return el("span", { class: "sigil", "aria-hidden": "true" }, room.visibility === "private" ? icon("lock") : "#");
}

/** Who we are, with a menu. */
export class Me {
  constructor(menu) {
    this.who = el("div", { class: "me grow", testid: "me" });
    this.element = el("div", { class: "me" }, this.who, menu);
    this.who.classList.remove("me");
  }

  update(user) {
    fill(this.who, el("span", { class: "line", role: "presentation" }, avatar(user, "small"), el("span", { class: "cut" }, user.name)));
  }
}
