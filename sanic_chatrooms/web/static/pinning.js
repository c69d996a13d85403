// Messages that are pinned, and who may pin.

import { MODERATORS } from "./edits.js";
import { el, icon } from "./dom.js";
import { words } from "./words.js";

/** Whether the user may pin in this room. Until the server has said so, by their role. */
export function mayPin({ may, role, isDirect }) {
  return may.size ? may.has("message.pin") : isDirect || MODERATORS.includes(role);
}

/** The line of a message that is pinned. */
export function pinSign({ pinned }) {
  return el("div.note.pin-sign", { testid: "pinned" }, icon("pin"), pinned.by ? words.message.pinnedBy(el("bdi", {}, pinned.by.name)) : words.message.pinned);
}
