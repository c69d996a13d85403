// The list of rooms at the left, with the open one and the unread ones marked.

import { addressOf } from "./address.js";
import { avatar, lineName } from "./avatar.js";
import { loud, named, written } from "./counts.js";
import { button, el, fill, icon, iconButton } from "./dom.js";
import { toldApart } from "./format.js";
import { KeyedList, walkable } from "./keyed.js";
import { words } from "./words.js";

const INVITATIONS = 2; // that are shown at first

export class RoomsPane {
  /**
   * `bell` is in the head, `banner` below it, `footer` below the list. `onWrite`: to somebody. `onAgain`: the open room was chosen again, which does not change the address.
   * `onAnswer(invitation, "accept" | "decline")`.
   */
  constructor({ title, bell, banner, footer, onCreate, onSwitch, onWrite, onAgain, onAnswer }) {
    const [rooms, directs, invited] = [el("div"), el("div"), el("div")];
    this.invitedHead = el("h2.section", {}, words.rooms.invitations);
    this.moreInvited = el("button.line", { testid: "more-invitations", onclick: () => this.#showAll() });
    const act = (label, onclick, testid) => el("button.line", { testid, onclick }, el("span.sigil", {}, icon("plus")), label);
    const scroll = el("div.scroll", { testid: "room-list" },
      this.invitedHead, invited, this.moreInvited,
      el("h2.section", {}, words.rooms.label), rooms, act(words.rooms.create, onCreate, "create-room"),
      el("h2.section", {}, words.rooms.directs), directs, act(words.rooms.write, onWrite, "new-message"));
    walkable(scroll, ".line:not([hidden])");
    scroll.addEventListener("click", ({ target }) => target.closest("[aria-current]") && onAgain());
    const search = iconButton("compass", words.rooms.switch, { onclick: onSwitch, testid: "open-switcher" });
    this.element = el("nav.rooms-pane", { "aria-label": words.rooms.label }, el("div.pane-head", {}, el("p.pane-title.grow.cut", {}, title), search, bell), banner, scroll, footer);
    this.invited = new KeyedList(invited, (row) => invitationCard(row, onAnswer));
    this.rooms = new KeyedList(rooms, roomLine);
    this.directs = new KeyedList(directs, roomLine);
  }

  /** Show these rooms; `current`: the open one's id. Of the hidden ones, only this one and where the user is mentioned. */
  update(rooms, current, invitations) {
    this.#invite(invitations);
    const shown = rooms.filter((room) => !room.hidden || room.id === current || named(room));
    const rows = shown.map((room) => ({ key: room.id, sign: `${room.name}|${room.mark}|${room.visibility}|${room.archived}|${room.near}|${countsIn(room)}|${room.id === current}`, room, current }));
    this.rooms.set(rows.filter(({ room }) => !room.isDirect));
    this.directs.set(rows.filter(({ room }) => room.isDirect));
  }

  #showAll() {
    this.most = Infinity;
    this.#invite(this.invitations);
    this.invited.get(this.invitations[INVITATIONS].id).querySelector("button").focus();
  }

  #invite(invitations) {
    this.invitations = invitations;
    const shown = invitations.slice(0, this.most ?? INVITATIONS);
    const marks = toldApart(new Map(invitations.filter(({ by }) => by).map(({ by }) => [by.id, by])).values());
    this.invited.set(shown.map((invitation) => {
      const { id, title, by } = invitation;
      return { key: id, sign: `${title}|${by?.name}|${marks.get(by?.id)}`, invitation, mark: marks.get(by?.id) };
    }));
    this.invitedHead.hidden = !invitations.length;
    this.moreInvited.hidden = shown.length === invitations.length;
    this.moreInvited.textContent = words.rooms.moreInvitations(invitations.length - shown.length);
  }

  focus(id) {
    (this.rooms.get(id) ?? this.directs.get(id))?.focus();
  }
}

const countsIn = ({ unread, more, mentions, notify }) => `${unread} ${more} ${mentions} ${notify}`;

/** How often the user is mentioned, or else how much is unread; screen readers hear both. Quiet where they want to hear of less. */
function counts(room) {
  const { unread, more, mentions, notify } = room;
  const count = (number, what, style, testid, before = "") => number > 0 && el("span", { class: style, testid }, before, written(number, more && !before), el("span.sr-only", {}, what));
  return [
    count(named(room), words.rooms.mentions(mentions), "badge mentions", "mention-count", "@"),
    count(unread, words.rooms.unread, named(room) ? "sr-only" : notify === "all" ? "badge" : "count", "unread"),
    notify === "none" && el("span.sr-only", {}, words.rooms.muted),
  ];
}

function roomLine({ room, current }) {
  const { id, name, mark, visibility, archived, isDirect, partner, near } = room;
  const props = { class: `line ${loud(room) ? "unread" : ""} ${room.notify === "none" || archived ? "muted" : ""}`, href: addressOf(id), title: name, testid: "room", "data-room": id, "aria-current": id === current && "page" };
  const isPrivate = visibility === "private";
  return el("a", props,
    isDirect ? el("span", { class: near === undefined ? "" : `dot ${near ? "here" : ""}` }, avatar(partner ?? { id, name }, "small")) : el("span.sigil", { "aria-hidden": "true" }, isPrivate ? icon("lock") : "#"),
    lineName(name, mark),
    isPrivate && el("span.sr-only", {}, words.rooms.private),
    near !== undefined && el("span.sr-only", { testid: "near" }, near ? words.online : words.offline),
    archived && el("span.count", { testid: "archived" }, words.rooms.archived),
    counts(room));
}

function invitationCard({ invitation, mark }, onAnswer) {
  const { id, title, by } = invitation;
  const name = title || id;
  const answer = (what) => onAnswer(invitation, what);
  return el("div.invitation", { role: "group", "aria-label": words.rooms.invitationTo(name), testid: "invitation", "data-invited": id },
    el("p.author", { dir: "auto" }, name),
    el("p.note.cut", {}, by ? words.rooms.by([el("bdi", {}, by.name), mark && el("span.mark", {}, ` ${mark}`)]) : words.rooms.invited),
    el("div.invitation-actions", {},
      button(words.rooms.accept, () => answer("accept"), { class: "primary", testid: "accept" }), button(words.rooms.decline, () => answer("decline"), { testid: "decline" })));
}

/** The user's name, with a menu. */
export class Me {
  constructor(menu) {
    this.who = el("div.who.grow", { testid: "me", onclick: () => menu.firstChild.click() });
    this.element = el("div.me", {}, this.who, menu);
  }

  update(user) {
    fill(this.who, avatar(user, "small"), el("span.cut", {}, el("bdi", {}, user.name)));
  }
}
