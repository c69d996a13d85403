// Completes "@name" in a text field: arrow keys choose, Enter or Tab completes, Esc closes the list.

import { avatar, lineName } from "./avatar.js";
import { el } from "./dom.js";
import { toldApart } from "./format.js";
import { KeyedList } from "./keyed.js";
import { mentionsIn, offered, typedAt } from "./mentions.js";
import { words } from "./words.js";

export class Completion {
  #chosen = new Map(); // name → id
  #rows = [];
  #at = 0;
  #place = null;
  #dismissed = null;

  /** `people()`: who can be mentioned: {id, name, here}. */
  constructor(field, people, id) {
    Object.assign(this, { field, people, id });
    this.box = el("ul.menu.mention-list", { role: "listbox", id, "aria-label": words.composer.mention, testid: id, hidden: true });
    this.status = el("span.sr-only", { role: "status" });
    this.element = el("div.completion", {}, this.box, this.status);
    this.list = new KeyedList(this.box, (row) => this.#option(row));
    field.setAttribute("aria-autocomplete", "list");
    field.addEventListener("input", () => this.#look());
    field.addEventListener("click", () => this.#look());
    field.addEventListener("blur", () => this.#close());
  }

  #option({ key, person, mark, chosen }) {
    // Otherwise the press would take the focus, which closes the list.
    return el("li.menu-item", { role: "option", id: key, "aria-selected": String(chosen), testid: "mention-option", onmousedown: (event) => event.preventDefault(), onclick: () => this.#complete(person) },
      avatar(person, "small"), lineName(person.name, mark), person.hint && el("span.count", {}, person.hint));
  }

  #look() {
    const { value, selectionStart, selectionEnd } = this.field;
    const place = selectionStart === selectionEnd ? typedAt(value, selectionStart) : null;
    if (place?.from !== this.#dismissed) this.#dismissed = null;
    if (!place || this.#dismissed !== null) return this.#close();
    const found = offered(this.people(), place.typed);
    // The name stands there already, as after a choice.
    if (!found.length || (found.length === 1 && place.typed.trimEnd() === found[0].name)) return this.#close();
    this.#place = { ...place, to: selectionStart };
    this.#show(found, 0);
  }

  #show(found, at) {
    const { field, box, id } = this;
    this.#rows = found;
    this.#at = (at + found.length) % found.length;
    const marks = toldApart(found);
    this.list.set(found.map((person, index) => {
      const chosen = index === this.#at;
      return { key: `${id}-${index}`, sign: `${person.id}|${person.name}|${chosen}`, person, mark: marks.get(person.id), chosen };
    }));
    box.hidden = false;
    field.setAttribute("aria-controls", id);
    field.setAttribute("aria-activedescendant", `${id}-${this.#at}`);
    this.list.get(`${id}-${this.#at}`).scrollIntoView({ block: "nearest" });
    const said = words.composer.toMention(found.length);
    if (this.status.textContent !== said) this.status.textContent = said;
  }

  #close() {
    if (this.box.hidden) return;
    this.box.hidden = true;
    this.list.set([]);
    this.status.textContent = "";
    this.field.removeAttribute("aria-controls");
    this.field.removeAttribute("aria-activedescendant");
  }

  #complete({ id, name }) {
    const { from, to } = this.#place;
    this.#chosen.set(name, id);
    this.#close();
    this.field.setRangeText(`@${name} `, from, to, "end");
    this.#dismissed = from;
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Returns whether the list took this key. */
  key(event) {
    if (this.box.hidden || event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#show(this.#rows, this.#at + step);
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) this.#complete(this.#rows[this.#at]);
    else if (event.key === "Escape") {
      this.#dismissed = this.#place.from;
      this.#close();
    } else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** The ids that this text mentions. */
  mentions(text) {
    return mentionsIn(text, this.people(), this.#chosen);
  }

  /** Another text begins. */
  clear() {
    this.#chosen.clear();
    this.#dismissed = null;
    this.#close();
  }
}
