// A guest's first visit: a field for the name, in the place of the field for a message.

import { problemLine, submitting, textField } from "../dialogs.js";
import { button, el } from "../dom.js";
import { words } from "../words.js";

/** `enter(name)` resolves when the server has taken the name. The focus stays where it is in the page around. */
export function nameForm(enter) {
  const { field, row } = textField(words.start.yourName, { name: "name", maxlength: 64, autocomplete: "nickname", autofocus: false, testid: "name" });
  const problem = problemLine();
  return el("form.naming", { part: "naming", testid: "naming", onsubmit: submitting(() => enter(field.value.trim()), problem) },
    row, button(words.start.joinIn, null, { type: "submit", class: "primary", testid: "enter" }), problem);
}
