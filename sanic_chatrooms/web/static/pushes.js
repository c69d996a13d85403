// The three pushes of a host with agreed payloads: notice, update, redirect.

import { ask } from "./dialogs.js";
import { webAddress } from "./richtext.js";

/** Let them work on this page. */
export function listenToPushes(chat, notices) {
  chat.on("notice", ({ payload }) => notices.add(payload));
  chat.on("update", ({ payload }) => update(payload));
  chat.on("redirect", ({ payload }) => redirect(payload.url));
}

/** `data-field="topic"` marks where the value of the field `topic` stands; the host's own markup may have it, too. */
function update({ field, value }) {
  const shown = typeof value === "object" ? JSON.stringify(value) : String(value);
  for (const node of document.querySelectorAll(`[data-field="${CSS.escape(String(field))}"]`)) {
    if (node instanceof HTMLInputElement || node instanceof HTMLTextAreaElement) node.value = shown;
    else node.textContent = shown;
    node.classList.remove("flash");
    // Reading the width ends the old animation, so that the next line begins a new one.
    void node.offsetWidth;
    node.classList.add("flash");
  }
}

async function redirect(address) {
  const url = webAddress(String(address ?? ""), location.href);
  if (!url) return;
  const leaves = url.origin !== location.origin;
  const question = { heading: "Leave this site?", text: [`You are asked to go to ${url.host}:`, url.href], yes: `Go to ${url.host}`, no: "Stay here", testid: "redirect-dialog" };
  if (!leaves || (await ask(question))) location.assign(url.href);
}
