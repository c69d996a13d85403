// Full screens: the first visit, and the end of the connection.

import { submitting, textField } from "./dialogs.js";
import { button, el, fill } from "./dom.js";

/** Let a guest choose a name, and connect. `entry`: see startChat. */
export function chooseName(chat, element, { title, entry }) {
  return new Promise((resolve) => {
    const enter = (name) => chat.connect().then(() => chat.rename(name)).then(resolve);
    fill(element, signIn(title, enter, entry));
    element.querySelector("input").focus();
  });
}

/** Say why the connection has ended for good. Where the page has a way in, loading it again leads there. */
export function showEnd(element, why, { entry, guests }) {
  const signsIn = /\bsign(ed)? (in|out)\b/i.test(why) && (entry || guests !== false);
  fill(element, ended(signsIn ? "You are signed out" : "You are disconnected", why, signsIn ? "Sign in" : "Connect again", () => location.reload()));
  element.querySelector("button").focus();
}

// `below`: what the app adds, such as other ways in.
function signIn(title, enter, below) {
  const { field, row } = textField("Your name", { maxlength: 64, autocomplete: "nickname", testid: "name" });
  const problem = el("p", { class: "problem", role: "alert", testid: "form-problem" });
  return el("main", { class: "entry", testid: "sign-in" }, el("div", { class: "card" }, el("form", { onsubmit: submitting(() => enter(field.value.trim()), problem) },
    el("h1", {}, title),
    el("p", { class: "hint" }, "Choose a name. Others see it beside what you write; you need no account, and you can change it later."),
    row, problem, button("Enter", null, { type: "submit", class: "primary", testid: "enter" })), below));
}

function ended(heading, text, action, act) {
  return el("main", { class: "entry", testid: "ended" }, el("div", { class: "card" }, el("h1", {}, heading), el("p", { class: "hint" }, text), button(action, act, { class: "primary" })));
}
