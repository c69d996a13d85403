// A message that is being edited, in its own place: Enter saves, Esc cancels.

import { Completion } from "./completion.js";
import { button, el } from "./dom.js";
import { marksWith } from "./marks.js";
import { words } from "./words.js";
import { Writing } from "./writing.js";

/** `context`: `edits()`: what was begun, by ids of messages, `maxText()`, `people()`: who can be mentioned, `onSave(item, text)`, `onLeave(item)`. */
export function rewriting(item, { edits, maxText, people, onFormat, onSave, onLeave }) {
  const begun = edits();
  const save = () => {
    const text = writing.text.trimEnd();
    if (yes.disabled) return;
    if (text === item.text) onLeave(item);
    else onSave(item, text);
  };
  // Otherwise the log would handle Esc and move the focus to the composer.
  const leave = (event) => {
    event.stopPropagation();
    onLeave(item);
  };
  const fit = () => {
    begun.delete(item.id);
    if (writing.text !== item.text) begun.set(item.id, writing.text);
    yes.disabled = !writing.fit();
    const said = yes.disabled && !writing.tooLong ? words.message.empty : words.message.saves;
    if (hint.textContent !== said) hint.textContent = said; // otherwise it may be read aloud at each key
  };
  const writing = new Writing({ "aria-label": words.message.edit, enterkeyhint: "done", testid: "edit-field", oninput: fit, onfocus: fit }, { onKey: (event) => completion.key(event) || marksWith(event, onFormat), onEnter: save, onEscape: leave });
  const completion = new Completion(writing.field, people, `mentions-${item.key}`);
  const yes = button(words.save, save, { class: "primary", testid: "edit-save" });
  const hint = el("span.note", { role: "status" });
  const no = button(words.cancel, () => onLeave(item), { testid: "edit-cancel" });
  writing.maxText = maxText() ?? writing.maxText;
  writing.text = begun.get(item.id) ?? item.change?.text ?? item.text;
  queueMicrotask(fit); // once it has a place: where one comes back to it, it does not get the focus
  return el("div.rewriting", {},
    el("div.composer-box", {}, completion.element, writing.field),
    el("div.rewriting-actions", {}, yes, no, writing.limit, hint));
}
