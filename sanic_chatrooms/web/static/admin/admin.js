// The operators' page: shows a token, then asks all workers every two seconds, whatever part of it is on show.

import { button, el, fill } from "../../static/dom.js";
import { act, ask, signedIn, useToken } from "./asking.js";
import { Desk } from "./desk.js";
import { words } from "./operator-words.js";

const AGAIN = 2000; // ms
const root = document.getElementById("desk");

start();

async function start(refusal = null) {
  if (refusal) return showSignIn(refusal);
  try {
    showDesk(await ask("me"));
  } catch (error) {
    if (error.status === 401 || error.status === 403) showSignIn(error);
    else {
      fill(root, el("main.entry", {}, el("p.hint", { role: "status" }, words.loading)));
      setTimeout(start, AGAIN);
    }
  }
}

function showDesk(me) {
  const desk = new Desk(me, { ask, act, refused: (error) => (desk.end(), start(error)), signOut: signedIn() ? signOut : null });
  fill(root, desk.node);
  desk.begin();
}

function signOut() {
  useToken(null);
  location.reload();
}

function showSignIn({ status, message }) {
  const shown = signedIn();
  useToken(null);
  const field = el("input.field", { type: "password", name: "token", autocomplete: "off", required: true, testid: "token", "aria-describedby": "token-hint" });
  const submit = (event) => {
    event.preventDefault();
    useToken(field.value.trim());
    start();
  };
  const problem = status === 403 || shown ? words.refused(message) : "";
  fill(root, el("main.entry", {}, el("form.card", { onsubmit: submit },
    el("h1", {}, words.operators),
    el("p.hint", { id: "token-hint" }, words.tokenHint),
    el("label", {}, el("span.label", {}, words.token), field),
    el("p.problem", { role: "alert", testid: "sign-in-problem" }, problem),
    button(words.signIn, null, { type: "submit", class: "primary", testid: "sign-in" }))));
  field.focus();
}
