// The people in the room, at the right.

import { avatar } from "./avatar.js";
import { el, iconButton } from "./dom.js";
import { byName, counted, toldApart } from "./format.js";
import { KeyedList, walkable } from "./keyed.js";

export class PeoplePane {
  /** `onPerson(person)`: a direct message. */
  constructor(onPerson, onClose) {
    const list = el("div");
    this.more = el("p", { class: "section" });
    this.count = el("h2", { class: "grow" });
    this.back = iconButton("back", "Back to the conversation", { class: "back", onclick: onClose });
    this.element = el("aside", { class: "people-pane", "aria-label": "People in this room", onkeydown: (event) => event.key === "Escape" && onClose() },
      el("div", { class: "pane-head" }, this.back, this.count), el("div", { class: "scroll", testid: "people" }, list, this.more));
    walkable(list, "button");
    this.list = new KeyedList(list, (row) => personLine(row, onPerson));
  }

  /** No room is shown. */
  clear() {
    this.list.set([]);
    this.count.textContent = "People";
    this.more.textContent = "";
  }

  update({ people, online, isDraft, status }, me) {
    if (status === "removed" || status === "failed") return this.clear();
    const sorted = [...people.values()].sort((a, b) => b.here - a.here || byName(a, b));
    const marks = toldApart(sorted);
    this.list.set(sorted.map((person) => ({ key: person.id, sign: `${person.name}|${person.here}|${marks.get(person.id)}`, person, mark: marks.get(person.id), isMe: person.id === me?.id })));
    const others = online - sorted.filter(({ here }) => here).length;
    this.count.textContent = isDraft ? "People" : `Here now: ${online}`;
    this.more.textContent = others > 0 ? `and ${counted(others, "other")}` : "";
  }
}

function personLine({ person, mark, isMe }, onPerson) {
  const { id, name, here } = person;
  const action = isMe ? {} : { type: "button", title: `Write to ${name}`, onclick: () => onPerson(person) };
  return el(isMe ? "div" : "button", { class: "line", testid: "person", "data-user": id, ...action },
    el("span", { class: `dot ${here ? "here" : ""}` }, avatar(person, "small")),
    el("span", { class: "grow cut" }, el("bdi", {}, name)),
    mark && el("span", { class: "mark", testid: "mark" }, mark),
    isMe && el("span", { class: "count" }, "you"),
    el("span", { class: "sr-only" }, here ? ", online" : ", offline"));
}
