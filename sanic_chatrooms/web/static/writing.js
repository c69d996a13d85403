// A text field that grows to six lines and warns when the text becomes too long. Enter submits it. On-screen keyboards have no
// Shift+Enter, so there Enter begins a line and a button submits.

import { chosen, composing, el, touch } from "./dom.js";
import { isVisible } from "./format.js";
import { words } from "./words.js";

const WARN_BEFORE = 200;
const LINES = 6;

export class Writing {
  maxText = 16000;

  /** `acts`: `onEnter()`, `onEscape(event)`, and optionally `onUp()` for ArrowUp in an empty field, and `onKey(event)`: whether something else took the key. */
  constructor(props, acts) {
    this.acts = acts;
    const { enterkeyhint = "send" } = props;
    this.field = el("textarea", { rows: 1, autocomplete: "off", ...props, enterkeyhint: touch.matches ? "enter" : enterkeyhint, onkeydown: (event) => this.#key(event) });
    this.limit = el("span.problem", { role: "status" });
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
    if (composing(event) || this.acts.onKey?.(event)) return;
    if (key === "Escape") onEscape(event);
    const up = key === "ArrowUp" && onUp && !this.text && !(shiftKey || altKey || ctrlKey || metaKey);
    const ends = key === "Enter" && (ctrlKey || metaKey || !(shiftKey || touch.matches || chosen("chatEnter") === "line"));
    if (!up && !ends) return;
    event.preventDefault();
    if (up) onUp();
    else onEnter();
  }

  /** Call this when the text has changed. Returns whether it can be sent. */
  fit() {
    // The server counts code points, JavaScript counts UTF-16 units.
    const left = this.maxText - (this.text.length > this.maxText / 2 ? [...this.text].length : this.text.length);
    this.limit.textContent = left < 0 ? words.composer.tooLong(-left) : left < WARN_BEFORE ? words.composer.left(left) : "";
    const { style } = this.field;
    style.height = "auto";
    const most = 18 + LINES * parseFloat(getComputedStyle(this.field).lineHeight);
    style.height = `${Math.max(40, Math.min(this.field.scrollHeight, most))}px`;
    const tall = this.field.scrollHeight > most;
    style.overflowY = tall ? "auto" : "hidden";
    this.field.classList.toggle("tall", tall); // then no half line is shown
    this.tooLong = left < 0;
    return isVisible(this.text) && !this.tooLong;
  }
}
