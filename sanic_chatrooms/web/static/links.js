// The address of a message, or its text, for another place.

import { openPanel } from "./dialogs.js";
import { el } from "./dom.js";
import { words } from "./words.js";

/** Put the whole address of this place on the clipboard; where the browser does not let us, show it to be copied. */
export function copyLink(place, notices) {
  return copy("link", new URL(place, location.href).href, notices);
}

/** Put the text of a message on the clipboard, as it was written, or show it. */
export function copyText(text, notices) {
  return copy("text", text, notices);
}

async function copy(what, content, notices) {
  const { copied, note } = words.copying[what];
  try {
    await navigator.clipboard.writeText(content);
  } catch {
    return show(what, content);
  }
  notices.done({ title: copied, content: note });
}

function show(what, content) {
  const { label, heading } = words.copying[what];
  const field = el(what === "link" ? "input" : "textarea", { class: "field", readonly: true, rows: 8, autofocus: true, "aria-label": label, testid: `${what}-field`, onfocus: ({ target }) => target.select() });
  field.value = content;
  return openPanel(heading, what, field);
}
