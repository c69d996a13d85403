// Where one writes: Enter sends, Shift+Enter breaks the line, and it grows to six lines.

import { el, iconButton } from "./dom.js";
import { counted, listed } from "./format.js";

const WARN_BEFORE = 200;
const LINES = 6;

export class Composer {
  maxText = 16000;

  /** `onSend(text)`, `onTyping(active)`, `onEscape()`. */
  constructor(acts) {
    this.acts = acts;
    this.field = el("textarea", { rows: 1, enterkeyhint: "send", autocomplete: "off", testid: "composer", "aria-describedby": "composer-help", onkeydown: (event) => this.#key(event), oninput: () => this.#changed(), onblur: () => acts.onTyping(false) });
    // Pressing it must not take the focus: on a phone the keyboard would go away with every message.
    this.button = iconButton("send", "Send message", { class: "send", testid: "send", disabled: true, onclick: () => this.#send(), onpointerdown: (event) => event.preventDefault() });
    this.typing = el("span", { class: "cut", testid: "typing" });
    this.limit = el("span", { class: "problem", role: "status" });
    this.element = el("div", { class: "composer" },
      el("div", { class: "composer-box" }, this.field, this.button),
      el("div", { class: "under" }, this.typing, this.limit),
      el("p", { class: "sr-only", id: "composer-help" }, "Enter sends, Shift and Enter begins a new line."));
  }

  /** To whom it goes, and how long it may be. */
  address(name, maxText = this.maxText) {
    this.maxText = maxText;
    this.field.placeholder = `Message ${name}`;
    this.field.setAttribute("aria-label", `Message ${name}`);
  }

  open(text) {
    if (text !== this.text) this.field.value = text;
    this.#fit();
  }

  get text() {
    return this.field.value;
  }

  /** Returns whether it could take the focus. */
  focus() {
    this.field.focus({ preventScroll: true });
    return document.activeElement === this.field;
  }

  showTyping(people) {
    const names = people.map(({ name }) => name);
    this.typing.textContent = names.length ? `${listed(names)} ${names.length === 1 ? "is" : "are"} typing…` : "";
  }

  #send() {
    const text = this.text.trimEnd();
    if (this.button.disabled) return;
    this.field.value = "";
    this.#fit();
    this.acts.onSend(text);
  }

  #changed() {
    this.#fit();
    this.acts.onTyping(this.text.trim() !== "");
  }

  #key(event) {
    // An input method uses Enter to choose a word: that is not yet the message.
    if (event.isComposing) return;
    if (event.key === "Escape") this.acts.onEscape();
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    this.#send();
  }

  #fit() {
    // The server counts characters, JavaScript halves of some.
    const left = this.maxText - (this.text.length > this.maxText / 2 ? [...this.text].length : this.text.length);
    this.button.disabled = !this.text.trim() || left < 0;
    this.limit.textContent = left < 0 ? `${counted(-left, "character")} too many` : left < WARN_BEFORE ? `${left} left` : "";
    const { style } = this.field;
    style.height = "auto";
    const most = 18 + LINES * parseFloat(getComputedStyle(this.field).lineHeight);
    style.height = `${Math.max(40, Math.min(this.field.scrollHeight, most))}px`;
    style.overflowY = this.field.scrollHeight > most ? "auto" : "hidden";
  }
}
