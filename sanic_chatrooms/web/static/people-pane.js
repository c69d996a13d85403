// The people in the room, at the right.

import { avatar, lineName } from "./avatar.js";
import { el, icon, iconButton } from "./dom.js";
import { byName, toldApart } from "./format.js";
import { KeyedList, walkable } from "./keyed.js";
import { capital } from "./language.js";
import { words } from "./words.js";

const RANKS = ["moderator", "admin", "owner"];
const ON_PEOPLE = ["member.kick", "member.mute", "member.ban"];

export class PeoplePane {
  /** `acts`: `onPerson(person)`: a direct message; `onClose()`, `onInvite()`; `onCard(person, mark)`: what one may do about them. */
  constructor({ onPerson, onClose, onInvite, onCard }) {
    const list = el("div");
    this.more = el("p.section", {});
    this.invite = el("button.line", { hidden: true, testid: "invite", onclick: onInvite }, el("span.sigil", {}, icon("plus")), words.people.invite);
    this.count = el("h2.grow", {});
    this.back = iconButton("back", words.people.back, { class: "back", onclick: onClose });
    this.element = el("aside.people-pane", { "aria-label": words.people.inRoom, onkeydown: (event) => event.key === "Escape" && onClose() },
      el("div.pane-head", {}, this.back, this.count), el("div.scroll", { testid: "people" }, list, this.more, this.invite));
    walkable(list, "button");
    this.list = new KeyedList(list, (row) => personRow(row, { onPerson, onCard }));
  }

  /** Nobody is there. `isSoon`: the column stays for those who come with the first message, so that nothing moves then. */
  clear(isSoon = false) {
    this.list.set([]);
    this.count.textContent = words.people.label;
    this.more.textContent = "";
    this.invite.hidden = true;
    this.element.classList.toggle("empty", !isSoon);
  }

  update(room, me, blocks) {
    const { people, online, status, isDirect, isDraft, isClosed, may } = room;
    if (isClosed || isDraft) return this.clear(isDraft);
    this.element.classList.remove("empty");
    const sorted = [...people.values()].sort((a, b) => b.here - a.here || byName(a, b));
    const marks = toldApart(sorted);
    const rows = sorted.map((person) => {
      const [mark, isMe, blocked, below] = [marks.get(person.id), person.id === me?.id, blocks.has(person.id), mayModerate(room, person)];
      const role = isMe ? room.role : person.role; // of others in a public room it is not known
      return { key: person.id, sign: `${person.name}|${person.here}|${mark}|${below}|${role}|${blocked}`, person: { ...person, role }, mark, isMe, blocked, below };
    });
    const here = sorted.filter((one) => one.here).length;
    const away = sorted.length - here;
    if (away) rows.splice(here, 0, { key: "", sign: `${away}`, away });
    this.list.set(rows);
    this.invite.hidden = isDirect || !(may.has("member.invite") || may.has("member.add"));
    const others = online - here;
    this.count.textContent = status === "ready" ? words.people.here(online) : words.people.label;
    this.more.textContent = here && others > 0 ? words.people.more(others) : "";
  }
}

/** Whether one may do something about another person in the room. */
export function mayModerate({ isDirect, may, role }, person) {
  return !isDirect && ON_PEOPLE.some((action) => may.has(action)) && isOutranked(person.role, role);
}

// Roles of the app have levels that are not known here: then the server decides.
function isOutranked(theirs, mine) {
  return !RANKS.includes(theirs) || !RANKS.includes(mine) || RANKS.indexOf(theirs) < RANKS.indexOf(mine);
}

function personRow(row, { onPerson, onCard }) {
  if (row.away) return el("h3.section", { testid: "away" }, words.people.away(row.away));
  const line = personLine(row, onPerson);
  const { below, isMe, mark, person } = row;
  if (isMe) return line;
  return el("div.person-row", {}, line, iconButton("more", (below ? words.people.moderate : words.people.about)(person.name), { testid: "card", onclick: () => onCard(person, mark) }));
}

function personLine({ person, mark, isMe, blocked }, onPerson) {
  const { id, name, here, role } = person;
  const action = isMe ? {} : { title: words.message.writeTo(name), onclick: () => onPerson(person) };
  return el(isMe ? "div" : "button", { class: "line", testid: "person", "data-user": id, ...action },
    el("span", { class: `dot ${here ? "here" : ""}` }, avatar(person, "small")),
    lineName(name, mark),
    isMe && el("span.count", {}, words.aboutYou),
    RANKS.includes(role) && el("span.count", { testid: "role" }, capital(words.roles.names[role])),
    blocked && el("span.count", { testid: "blocked" }, words.people.blocked),
    el("span.sr-only", {}, here ? words.online : words.offline));
}
