// A field to write in: it grows to six lines, says when a text becomes too long, and Enter ends it.

import { el } from "./dom.js";
import { counted } from "./format.js";

const WARN_BEFORE = 200;
const LINES = 6;

export class Writing {
  maxText = 16000;

  /** `acts`: `onEnter()`, `onEscape(event)`, and where wanted `onUp()`, ArrowUp with nothing written. */
  constructor(props, acts) {
    this.acts = acts;
    this.field = el("textarea", { rows: 1, enterkeyhint: "send", autocomplete: "off", ...props, onkeydown: (event) => this.#key(event) });
    this.limit = el("span", { class: "problem", role: "status" });
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
  }

  #key(event) {
    const { onEnter, onEscape, onUp } = this.acts;
    const { key, shiftKey, altKey, ctrlKey, metaKey } = event;
    // An input method uses Enter to choose a word: that is not yet the message.
    if (event.isComposing) return;
    if (key === "Escape") onEscape(event);
    const up = key === "ArrowUp" && onUp && !this.text && !(shiftKey || altKey || ctrlKey || metaKey);
    if (!up && (key !== "Enter" || shiftKey)) return;
    event.preventDefault();
    if (up) onUp();
    else onEnter();
  }

  /** To be called when the text has changed. Returns whether it can be sent. */
  fit() {
    // The server counts characters, JavaScript halves of some.
    const left = this.maxText - (this.text.length > this.maxText / 2 ? [...this.text].length : this.text.length);
    this.limit.textContent = left < 0 ? `${counted(-left, "character")} too many` : left < WARN_BEFORE ? `${left} left` : "";
    const { style } = this.field;
    style.height = "auto";
    const most = 18 + LINES * parseFloat(getComputedStyle(this.field).lineHeight);
    style.height = `${Math.max(40, Math.min(this.field.scrollHeight, most))}px`;
    style.overflowY = this.field.scrollHeight > most ? "auto" : "hidden";
    return Boolean(this.text.trim()) && left >= 0;
  }
}
