// A button that opens a menu or a list beside it. Esc and a press elsewhere close it.

import { above, el } from "./dom.js";
import { walkable } from "./keyed.js";

/** `build(close)` creates the content each time it opens. */
export function popover(trigger, build, role = "menu") {
  let box = null;
  let uncover = null;
  const close = () => {
    const gone = box;
    // First, because removing it moves the focus, which would close it again.
    box = null;
    gone?.remove();
    uncover?.();
    trigger.setAttribute("aria-expanded", "false");
  };
  const closeHere = () => {
    close();
    trigger.focus();
  };
  const open = () => {
    box = el("div.menu", { role, "aria-label": trigger.title, tabindex: -1 }, build(closeHere));
    walkable(box, "button");
    anchor.append(box);
    uncover = above.opens(closeHere);
    trigger.setAttribute("aria-expanded", "true");
    (box.querySelector("button") ?? box).focus();
  };
  // A press elsewhere moves the focus there or nowhere; both close it.
  const leave = ({ relatedTarget }) => box && !anchor.contains(relatedTarget) && close();
  const key = ({ key }) => key === "Escape" && box && closeHere();
  // Otherwise the press on the trigger would close it and the click open it again.
  trigger.addEventListener("pointerdown", (event) => box && event.preventDefault());
  trigger.addEventListener("click", () => (box ? closeHere() : open()));
  trigger.setAttribute("aria-haspopup", role);
  trigger.setAttribute("aria-expanded", "false");
  const anchor = el("span.anchor", { onfocusout: leave, onkeydown: key }, trigger);
  return anchor;
}

/** A menu of [label, function, testid?, look?]; `look`: "danger" where something is lost. */
export function menuButton(trigger, entries) {
  const item = ([label, act, testid, look = ""], close) => el("button", { class: `menu-item ${look}`, role: "menuitem", testid, onclick: () => (close(), act()) }, label);
  return popover(trigger, (close) => entries().map((entry) => item(entry, close)));
}
