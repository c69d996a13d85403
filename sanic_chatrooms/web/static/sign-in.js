// Full screens: the first visit, and the end of the connection.

import { submitting, textField } from "./dialogs.js";
import { button, el } from "./dom.js";

/** Choose a name; `enter(name)` may reject. `below`: what the app adds, such as other ways in. */
export function signIn(title, enter, below) {
  const { field, row } = textField("Your name", { maxlength: 64, autocomplete: "nickname", testid: "name" });
  const problem = el("p", { class: "problem", role: "alert", testid: "form-problem" });
  return el("main", { class: "entry", testid: "sign-in" }, el("div", { class: "card" }, el("form", { onsubmit: submitting(() => enter(field.value.trim()), problem) },
    el("h1", {}, title),
    el("p", { class: "hint" }, "Choose a name. Others see it beside what you write; you need no account, and you can change it later."),
    row, problem, button("Enter", null, { type: "submit", class: "primary", testid: "enter" })), below));
}

/** The connection is closed for good. */
export function ended(heading, text, action, act) {
  return el("main", { class: "entry", testid: "ended" }, el("div", { class: "card" }, el("h1", {}, heading), el("p", { class: "hint" }, text), button(action, act, { class: "primary" })));
}
