// What stands beside the conversation: the people or a thread. On a phone there is one pane at a time.

import { above, media, narrow } from "./dom.js";
import { kept } from "./kept.js";

const HIDDEN = "chatrooms people hidden"; // by the user's choice in this browser

const tight = media("(max-width: 979.98px)");

export class Columns {
  #hadPeople = false;
  #uncover;

  /** `shown`: whether the people are shown where there is room. `go(pane)`: to another pane of the room. */
  constructor(element, talk, people, column, shown, go) {
    Object.assign(this, { element, talk, people, column, go, shown: shown && !kept.get(HIDDEN) });
    this.#fit();
    tight.addEventListener("change", () => this.#fit());
  }

  // The people are beside the conversation if there is room, else over it on request.
  #fit() {
    this.#hide(!this.shown || tight.matches || Boolean(this.column.thread));
  }

  #hide(hide) {
    const hidden = this.element.classList.toggle("no-people", hide);
    this.talk.people.setAttribute("aria-expanded", String(!hidden));
    return hidden;
  }

  /** A thread takes the column of the people, and gives it back. */
  besideThread(shown) {
    this.element.classList.toggle("threaded", shown);
    if (shown) this.#hadPeople = tight.matches ? this.shown : !this.element.classList.contains("no-people");
    if (shown || (this.#hadPeople && !tight.matches)) this.#hide(shown);
  }

  /** Show the people, or hide them. */
  toggle(hide) {
    const { people, talk, column } = this;
    if (narrow.matches) this.go(hide ? undefined : "people");
    const hidden = this.#hide(hide);
    if (column.thread && !hidden && !narrow.matches) this.go(); // there is one column for the two
    if (!tight.matches) {
      this.shown = !hidden;
      return hidden ? kept.set(HIDDEN, "yes") : kept.remove(HIDDEN);
    }
    if (!narrow.matches) this.#uncover = hidden ? this.#uncover?.() : above.opens(() => this.toggle(true));
    const focus = () => (hide || (hidden && !narrow.matches) ? talk.people : people.back).focus();
    // On a phone, the pane appears after the address has changed.
    if (narrow.matches) addEventListener("hashchange", focus, { once: true });
    else setTimeout(focus);
  }
}
