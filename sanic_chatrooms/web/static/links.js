// The address of a message, or its text, for another place.

import { actions, doneButton, openDialog } from "./dialogs.js";
import { el } from "./dom.js";

/** Put the whole address of this place on the clipboard; where the browser does not let us, show it to be copied. */
export function copyLink(place, notices) {
  return copy("Link", new URL(place, location.href).href, "Whoever may be in this room can follow it.", notices);
}

/** Put the text of a message on the clipboard, as it was written, or show it. */
export function copyText(text, notices) {
  return copy("Text", text, "With its marks, as it was written.", notices);
}

async function copy(what, words, content, notices) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    return show(what, words);
  }
  notices.add({ title: `${what} copied`, content });
}

function show(what, words) {
  const name = what.toLowerCase();
  const field = el(what === "Link" ? "input" : "textarea", { class: "field", readonly: true, rows: 8, autofocus: true, "aria-label": what, testid: `${name}-field`, onfocus: ({ target }) => target.select() });
  field.value = words;
  const heading = `${what} of this message`;
  return openDialog(heading, (close) => [el("h2", {}, heading), field, actions(doneButton(close))], { testid: `${name}-dialog` });
}
