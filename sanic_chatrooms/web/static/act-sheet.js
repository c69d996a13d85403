// What can be done with a message on a touch screen: a sheet at the lower edge, where there is room for words.

import { light, openDialog } from "./dialogs.js";
import { el, icon } from "./dom.js";
import { emojiNames } from "./reactions.js";
import { words } from "./words.js";

const QUICK = 6; // emoji

/** `acts`: [icon, label, test id, function(near)]. `near`: the button in the message's row. `onReact(emoji)`: if one can react, there are a few emoji at hand. */
export async function actSheet(acts, near, onReact) {
  const common = onReact ? emojiNames().slice(0, QUICK) : [];
  const quick = ([emoji, name], close) => el("button.emoji-choice", { "aria-label": name, onclick: () => close(() => onReact(emoji)) }, emoji);
  const entry = ([name, label, testid, act], close) => el("button", { class: `menu-item ${testid === "delete" ? "danger" : ""}`, testid, onclick: () => close(act) }, icon(name), label);
  const act = await openDialog(words.message.acts, (close) => [el("div.quick", {}, common.map((one) => quick(one, close))), acts.map((one) => entry(one, close))], { ...light, into: near.closest(".frame") ?? undefined, class: "dialog sheet", testid: "act-sheet" });
  act?.(near);
}
