// Where one writes: Enter sends, Shift+Enter breaks the line, and it grows to six lines.

import { el, iconButton } from "./dom.js";
import { counted, listed } from "./format.js";

const WARN_BEFORE = 200;

export class Composer {
  /** `onSend(text)`, `onTyping(active)`, `onEscape()`. */
  constructor({ onSend, onTyping, onEscape }) {
    this.onSend = onSend;
    this.onTyping = onTyping;
    this.onEscape = onEscape;
    this.maxText = 16000;
    this.field = el("textarea", { rows: 1, enterkeyhint: "send", autocomplete: "off", testid: "composer", "aria-describedby": "composer-help",
      oninput: () => this.#changed(), onkeydown: (event) => this.#key(event), onblur: () => this.onTyping(false) });
    // Pressing it must not take the focus: on a phone the keyboard would go away with every message.
    this.button = iconButton("send", "Send message", { class: "send", testid: "send", disabled: true, onclick: () => this.send(), onpointerdown: (event) => event.preventDefault() });
    this.typing = el("span", { class: "cut", testid: "typing" });
    this.limit = el("span", { class: "problem", role: "status" });
    this.element = el("div", { class: "composer" },
      el("div", { class: "composer-box" }, this.field, this.button),
      el("div", { class: "under" }, this.typing, this.limit),
      el("p", { class: "sr-only", id: "composer-help" }, "Enter sends, Shift and Enter begins a new line."));
  }

  /** To whom it goes. */
  address(name) {
    this.field.placeholder = `Message ${name}`;
    this.field.setAttribute("aria-label", `Message ${name}`);
  }

  open(text) {
    if (text !== this.text) this.field.value = text;
    this.showTyping([]);
    this.#fit();
  }

  get text() {
    return this.field.value;
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  showTyping(people) {
    const names = people.map((person) => person.name);
    this.typing.textContent = names.length ? `${listed(names)} ${names.length === 1 ? "is" : "are"} typing…` : "";
  }

  send() {
    const text = this.text.replace(/\s+$/, "");
    if (!text.trim() || this.#length(text) > this.maxText) return;
    this.field.value = "";
    this.#fit();
    this.onSend(text);
  }

  #changed() {
    this.#fit();
    this.onTyping(this.text.trim() !== "");
  }

  #key(event) {
    // An input method uses Enter to choose a word: that is not yet the message.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape") {
      this.onEscape();
    }
  }

  #length(text) {
    return text.length > this.maxText / 2 ? [...text].length : text.length;
  }

  #fit() {
    const left = this.maxText - this.#length(this.text);
    this.button.disabled = !this.text.trim() || left < 0;
    this.limit.textContent = left < 0 ? `${counted(-left, "character")} too many` : left < WARN_BEFORE ? `${left} left` : "";
    const style = this.field.style;
    style.height = "auto";
    const line = parseFloat(getComputedStyle(this.field).lineHeight);
    const room = 18 + 6 * line;
    style.height = `${Math.max(40, Math.min(this.field.scrollHeight, room))}px`;
    style.overflowY = this.field.scrollHeight > room ? "auto" : "hidden";
  }
}
