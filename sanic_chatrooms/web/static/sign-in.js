// Full screens: the first visit, the time until the page is loaded, and the end of the connection.

import { problemLine, submitting, textField } from "./dialogs.js";
import { button, el, fill } from "./dom.js";
import { kept, SIGNED_OUT } from "./kept.js";
import { skeleton } from "./states.js";
import { words } from "./words.js";

/** Let a guest choose a name, and connect once the `rest` of the page is there. `entry`, `signIn`: see startChat. */
export function chooseName(chat, element, { title, signIn: address, entry = address && otherWay(address) }, rest) {
  return new Promise((resolve) => {
    const enter = (name) => rest.then(() => chat.connect()).then(() => chat.rename(name)).then(resolve);
    fill(element, signInCard(title, enter, entry));
    element.querySelector("input").focus();
  });
}

/** Grey shapes until the `rest` of the page is there. Rejects if it cannot be loaded. */
export async function showLoading(element, { title }, rest) {
  fill(element, el("main.loading", {}, el("h1.sr-only", {}, title), skeleton()));
  try {
    await rest;
  } catch (error) {
    showPanel(element, words.start.notComplete, error.message, button(words.start.loadAgain, reload, { class: "primary" }));
    throw error;
  }
}

/** Say why the connection has ended for good: `why`, and `signedOut` if signing in helps. Where this page has a way in, loading it again leads there; else the app's page may have one. Who is `banned` can become somebody else. */
export function showEnd(element, why, signedOut, { entry, guests, signIn: address, signOut }, banned) {
  const { start } = words;
  const leave = signOut && button(words.signOut.label, () => signOut().finally(reload), { testid: "sign-out" });
  if (banned) return showPanel(element, why, null, button(start.connectAgain, reload), leave);
  const hasWay = guests !== false || entry; // this page has a way in
  if (!signedOut || !(hasWay || address)) return showPanel(element, start.disconnected, why, button(start.connectAgain, reload, { class: "primary" }));
  showPanel(element, start.signedOut, why, hasWay && typeof address !== "function" ? button(start.signIn, reload, { class: "primary" }) : otherWay(address, "primary"));
}

const JUST = 60_000; // ms

// `below`: what the app adds, such as other ways in.
function signInCard(title, enter, below) {
  const { field, row } = textField(words.start.yourName, { name: "name", maxlength: 64, autocomplete: "nickname", testid: "name" });
  const problem = problemLine();
  return el("main.entry", { testid: "sign-in" }, el("div.card", {}, el("form", { onsubmit: submitting(() => enter(field.value.trim()), problem) },
    el("h1", {}, title),
    Date.now() - kept.get(SIGNED_OUT) < JUST && el("p", { role: "status", testid: "signed-out" }, words.start.signedOut),
    el("p.hint", {}, words.start.choose),
    row, problem, button(words.start.enter, null, { type: "submit", class: "primary", testid: "enter" })), below));
}

const reload = () => location.reload();
const otherWay = (way, style = "") => button(words.start.signIn, () => (typeof way === "function" ? way() : location.assign(way)), { class: style, testid: "sign-in-there" });

function showPanel(element, heading, text, ...buttons) {
  fill(element, el("main.entry", { testid: "ended" }, el("div.card", {}, el("h1", {}, heading), text && el("p.hint", {}, text), buttons)));
  buttons[0].focus();
}
