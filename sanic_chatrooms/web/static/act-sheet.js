// What can be done with a message on a touch screen: a sheet at the lower edge, where there is room for words.

import { light, openDialog } from "./dialogs.js";
import { el, icon, media } from "./dom.js";
import { emojiNames } from "./reactions.js";
import { words } from "./words.js";

const QUICK = 6; // emoji
const REST = 450; // ms that a finger rests; browsers select text a little later

/** Whether fingers are all there is: nothing can be pointed at. */
export const byTouch = media("(hover: none)");

/** `acts`: [icon, label, test id, function(near)]. `near`: the button in the message's row. `onReact(emoji)`: if one can react, there are a few emoji at hand. */
export async function actSheet(acts, near, onReact) {
  const common = onReact ? emojiNames().slice(0, QUICK) : [];
  const quick = ([emoji, name], close) => el("button.emoji-choice", { "aria-label": name, onclick: () => close(() => onReact(emoji)) }, emoji);
  const entry = ([name, label, testid, act], close) => el("button", { class: `menu-item ${testid === "delete" ? "danger" : ""}`, testid, onclick: () => close(act) }, icon(name), label);
  const act = await openDialog(words.message.acts, (close) => [el("div.quick", {}, common.map((one) => quick(one, close))), acts.map((one) => entry(one, close))], { ...light, into: near.closest(".frame") ?? undefined, class: "dialog sheet", testid: "act-sheet" });
  act?.(near);
}

/** Call `act(target)` when a finger rests on something in this element. Links, buttons and what can be selected have a meaning of their own. */
export function onLongPress(element, act) {
  const isOurs = ({ pointerType, target }) => byTouch.matches && pointerType === "touch" && !target.closest("a, button, textarea, pre");
  let timer = 0;
  let isLong = false;
  const stop = () => clearTimeout(timer);
  const rest = (target) => {
    isLong = true;
    act(target);
  };
  element.addEventListener("pointerdown", (event) => {
    stop();
    isLong = false;
    if (event.isPrimary && isOurs(event)) timer = setTimeout(rest, REST, event.target);
  });
  // Scrolling cancels it.
  for (const type of ["pointerup", "pointercancel"]) element.addEventListener(type, stop);
  // Otherwise it would press what has come under the finger.
  element.addEventListener("touchend", (event) => isLong && event.cancelable && event.preventDefault());
  element.addEventListener("contextmenu", (event) => isOurs(event) && event.preventDefault());
}
