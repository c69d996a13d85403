// The app's three pushes with fixed payloads: notice, update, redirect.

import { ask } from "./dialogs.js";
import { webAddress } from "./richtext.js";
import { words } from "./words.js";

/** Handle them on this page. */
export function listenToPushes(chat, notices) {
  chat.on("notice", ({ payload }) => notices.add(payload));
  chat.on("update", ({ payload }) => update(payload));
  chat.on("redirect", ({ payload }) => payload.url && redirect(webAddress(String(payload.url), location.href)));
}

/** `data-field="topic"` marks an element that shows the field `topic`, also in the app's own markup. */
function update({ field, value }) {
  for (const node of document.querySelectorAll(`[data-field="${CSS.escape(String(field))}"]`)) {
    node["value" in node ? "value" : "textContent"] = typeof value === "object" ? JSON.stringify(value) : value;
    node.classList.remove("flash");
    // Reading the width ends the old animation, so that adding the class starts a new one.
    void node.offsetWidth;
    node.classList.add("flash");
  }
}

async function redirect(url) {
  if (!url) return;
  const stays = url.origin === location.origin;
  const { heading, asked, go } = words.leaving;
  if (stays || (await ask(heading, [asked(url.host), url.href], go(url.host), "redirect-dialog"))) location.assign(url.href);
}
