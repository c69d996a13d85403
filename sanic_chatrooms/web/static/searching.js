// The search for messages, in this room or in all rooms of the user. Loaded when somebody opens it.

import { offers } from "./counts.js";
import { openDialog, radio } from "./dialogs.js";
import { button, composing, el, fill, icon, iconButton } from "./dom.js";
import { momentOf } from "./format.js";
import { piecesOf, unmarked } from "./highlights.js";
import { walkable } from "./keyed.js";
import { sentence } from "./reasons.js";
import { calm } from "./richtext.js";
import { textOf } from "./timeline.js";
import { words } from "./words.js";

const PAUSE = 300; // ms after the last key
const LONGEST = 256;
const PAGE = 20;
const LOOKS = 5; // empty pages in a row that are gone through by themselves

let last = { query: "", everywhere: false }; // so that one can come back to what was found

/**
 * Search. `room`: the one that is open, or null; `nameOf(id)`, `isPrivate(id)`: of a room. `query`: what to look for; without it, what was looked
 * for before. Resolves with the message that was chosen, or undefined.
 */
export function search(chat, { query, ...of }) {
  if (query !== undefined) last = { query, everywhere: true };
  return openDialog(words.search.label, (close) => new Panel(chat, of, close).parts, { class: "dialog search", testid: "search" });
}

class Panel {
  #turn = 0; // of the newest question: answers to older ones come too late
  #timer = null;

  constructor(chat, { room, nameOf, isPrivate }, close) {
    Object.assign(this, { chat, room, nameOf, isPrivate, close });
    this.everywhere = last.everywhere || !room;
    this.field = el("input.field", { type: "search", maxlength: LONGEST, enterkeyhint: "search", autocomplete: "off", autofocus: true, value: last.query, placeholder: words.search.label, "aria-label": words.search.label, testid: "search-field", oninput: () => this.#soon(), onkeydown: (event) => this.#key(event), onfocus: ({ target }) => target.select() });
    this.state = el("p.hint", { role: "status", testid: "search-state" });
    this.again = button(words.tryAgain, () => this.#start(), { hidden: true, testid: "search-again" });
    this.hits = el("ul.hits", { "aria-label": words.search.hits });
    this.more = button(words.search.older, () => this.#next(), { hidden: true, testid: "search-more" });
    const box = el("div.hits-box", {}, this.hits, this.state, this.again, this.more);
    walkable(box, "button:not([hidden])");
    this.parts = [
      el("div.search-head", {}, this.field, iconButton("close", words.search.close, { onclick: () => close() })),
      room && el("fieldset.scopes", {}, el("legend.sr-only", {}, words.search.where), this.#scope(false, words.search.inRoom(room.name)), this.#scope(true, words.search.everywhere)),
      box,
    ];
    this.#start();
  }

  #scope(everywhere, label) {
    const choose = () => {
      this.everywhere = everywhere;
      this.#start();
    };
    return radio({ name: "scope", checked: this.everywhere === everywhere, onchange: choose, testid: everywhere ? "search-everywhere" : "search-here" }, el("bdi.cut", {}, label));
  }

  #key(event) {
    if (composing(event)) return;
    if (event.key === "Enter") this.#start();
    else if (event.key === "Escape") this.close(); // browsers empty the field first
    else if (event.key === "ArrowDown") this.hits.querySelector("button")?.focus();
    else return;
    event.preventDefault();
  }

  // What is still on its way, or was refused, answers another question.
  #soon() {
    clearTimeout(this.#timer);
    this.#turn++;
    if (this.field.value.trim()) this.#say(words.search.searching);
    this.#timer = setTimeout(() => this.#start(), PAUSE);
  }

  #start() {
    clearTimeout(this.#timer);
    const query = this.field.value.trim();
    last = { query, everywhere: this.everywhere };
    this.cursor = undefined;
    this.#turn++;
    fill(this.hits);
    this.more.hidden = true;
    if (query) this.#next();
    else this.#say(offers(this.chat, "search") ? words.search.begin : words.search.lacking);
  }

  #say(what, again = false) {
    this.state.textContent = what;
    this.state.className = again ? "problem" : "hint";
    this.state.hidden = !what;
    this.again.hidden = !again;
  }

  async #next() {
    const turn = this.#turn;
    const hadFocus = document.activeElement === this.more;
    const before = this.hits.childElementCount;
    this.more.hidden = true;
    this.#say(words.search.searching);
    try {
      for (let looks = 0, found = false; !found && looks < LOOKS && (looks === 0 || this.cursor); looks++) {
        const page = await this.chat.search(this.everywhere ? null : this.room.id, last.query, { limit: PAGE, cursor: this.cursor });
        if (turn !== this.#turn) return;
        this.cursor = page.cursor;
        found = page.messages.length > 0;
        this.hits.append(...page.messages.map((message) => this.#hit(message)));
      }
      this.#found(before, hadFocus);
    } catch (error) {
      if (turn === this.#turn) this.#refused(error);
    }
  }

  #found(before, hadFocus) {
    const none = !this.hits.childElementCount;
    this.more.hidden = !this.cursor;
    const { further, noneOfMine, none: nothing } = words.search;
    this.#say(none ? (this.cursor ? further : this.everywhere ? noneOfMine : nothing) : "");
    if (hadFocus) (this.hits.children[before]?.querySelector("button") ?? (this.more.hidden ? this.field : this.more)).focus();
  }

  #refused(error) {
    const isOffline = this.chat.state !== "online" || error.code === "lost" || error.code === "timeout";
    this.#say(error.code === "unknown_command" ? words.search.lacking : isOffline ? words.search.offline : sentence(error), isOffline || error.temporary);
  }

  #hit({ room, seq, sender, timestamp, payload, highlights }) {
    const text = piecesOf(...unmarked(textOf(payload), highlights ?? [])).map(([part, matches]) => (matches ? el("mark", {}, calm(part)) : calm(part)));
    const choose = () => this.close({ room, seq });
    return el("li", {}, el("button.hit", { testid: "search-hit", "data-room": room, "data-seq": seq, onclick: choose },
      el("span.hit-head", {}, el("bdi.author.cut", {}, sender?.name ?? words.server),
        this.everywhere && el("span.note.cut.where", {}, words.search.in([this.isPrivate(room) && [icon("lock"), el("span.sr-only", {}, words.rooms.privateBefore)], el("bdi", {}, this.nameOf(room))])),
        el("time", {}, momentOf(timestamp))),
      el("span.hit-text", { dir: "auto" }, text)));
  }
}
