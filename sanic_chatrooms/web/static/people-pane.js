// Who is here, at the right.

import { avatar } from "./avatar.js";
import { el, iconButton } from "./dom.js";
import { counted } from "./format.js";
import { KeyedList, walkable } from "./keyed.js";

export class PeoplePane {
  /** `onPerson(person)`: a direct message; `onClose()`. */
  constructor({ onPerson, onClose }) {
    this.list = el("div", {});
    this.more = el("p", { class: "section", hidden: true });
    this.count = el("h2", { class: "grow" }, "People");
    const scroll = el("div", { class: "scroll", testid: "people" }, this.list, this.more);
    walkable(scroll, ".line");
    this.element = el("aside", { class: "people-pane", "aria-label": "People in this room" },
      el("div", { class: "pane-head" }, iconButton("back", "Back to the conversation", { class: "back", onclick: onClose }), this.count), scroll);
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && onClose());
    this.rows = new KeyedList(this.list, (row) => personLine(row, onPerson));
  }

  /** `people`: {id, name, here}; `online`: how many are here in all. */
  update(people, online, me) {
    const rows = people.map((person) => ({ key: person.id, sign: `${person.name}|${person.here}|${person.id === me?.id}`, person, isMe: person.id === me?.id }));
    this.rows.set(rows);
    const here = people.filter((person) => person.here).length;
    this.count.textContent = `Here now: ${Math.max(online, here)}`;
    this.more.hidden = online <= here;
    this.more.textContent = `and ${counted(online - here, "other")}`;
  }
}

function personLine({ person, isMe }, onPerson) {
  const content = [
    el("span", { class: `dot ${person.here ? "here" : ""}` }, avatar(person, "small")),
    el("span", { class: "grow cut", dir: "auto" }, person.name),
    isMe && el("span", { class: "count" }, "you"),
    el("span", { class: "sr-only" }, person.here ? ", online" : ", offline"),
  ];
  const props = { testid: "person", "data-user": person.id };
  if (isMe) return el("div", { ...props, class: "line" }, content);
  return el("button", { ...props, type: "button", class: "line", title: `Write to ${person.name}`, onclick: () => onPerson(person) }, content);
}
