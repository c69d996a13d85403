// The first visit: choose a name.

import { button, el, fill } from "./dom.js";
import { textField } from "./dialogs.js";

const NAME_LIMIT = 64;

/** The card. `enter(name)` may throw: its message is shown. */
export function signIn({ title, enter }) {
  const { field, row } = textField("Your name", { name: "name", maxlength: NAME_LIMIT, required: true, autofocus: true, autocomplete: "nickname", testid: "name" });
  const problem = el("p", { class: "problem", role: "alert" });
  const go = button("Enter", null, { type: "submit", class: "primary", testid: "enter" });
  const submit = async (event) => {
    event.preventDefault();
    fill(problem);
    go.disabled = true;
    try {
      await enter(field.value.trim());
    } catch (error) {
      problem.textContent = refusal(error);
      field.focus();
    } finally {
      go.disabled = false;
    }
  };
  const form = el("form", { class: "card", onsubmit: submit },
    el("h1", {}, title),
    el("p", { class: "hint" }, "Choose a name. Others see it beside what you write; you need no account, and you can change it later."),
    row, problem, go);
  return el("main", { class: "entry", testid: "sign-in" }, form);
}

/** The end of the line: nothing happens by itself any more. */
export function ended({ heading, text, action, act }) {
  return el("main", { class: "entry", testid: "ended" }, el("div", { class: "card" }, el("h1", {}, heading), el("p", { class: "hint" }, text), button(action, act, { class: "primary" })));
}

function refusal({ message }) {
  return message.startsWith("name: ") ? `Your name ${message.slice(6)}` : message;
}
