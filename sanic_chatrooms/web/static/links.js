// The address of a message, for another place.

import { actions, doneButton, openDialog } from "./dialogs.js";
import { el } from "./dom.js";

/** Put the whole address of this place on the clipboard; where the browser does not let us, show it to be copied. */
export async function copyLink(place, notices) {
  const link = new URL(place, location.href).href;
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    return showLink(link);
  }
  notices.add({ title: "Link copied", content: "Whoever may be in this room can follow it." });
}

function showLink(link) {
  return openDialog("Link to this message", (close) => [
    el("h2", {}, "Link to this message"),
    el("input.field", { readonly: true, value: link, autofocus: true, "aria-label": "Link", onfocus: ({ target }) => target.select() }),
    actions(doneButton(close)),
  ]);
}
