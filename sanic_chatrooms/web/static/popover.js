// A button that opens something below it: a menu, the list of notices. Esc and a press elsewhere close it.

import { el } from "./dom.js";
import { walkable } from "./keyed.js";

/** `build(close)` makes the content anew at each opening. */
export function popover(trigger, build, role = "menu", name = trigger.getAttribute("aria-label")) {
  const anchor = el("span", { class: "anchor" }, trigger);
  let box = null;

  function close(refocus = true) {
    if (!box) return;
    const inside = box.contains(document.activeElement);
    box.remove();
    box = null;
    trigger.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (refocus && (inside || document.activeElement === document.body)) trigger.focus();
  }

  function outside(event) {
    if (!anchor.contains(event.target)) close(false);
  }

  function open() {
    box = el("div", { class: "menu", role, "aria-label": name, tabindex: -1 }, build(close));
    walkable(box, "button");
    anchor.append(box);
    trigger.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    (box.querySelector("button") ?? box).focus();
  }

  trigger.setAttribute("aria-haspopup", role);
  trigger.setAttribute("aria-expanded", "false");
  trigger.addEventListener("click", () => (box ? close() : open()));
  anchor.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box) return;
    event.stopPropagation();
    close();
  });
  anchor.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !anchor.contains(event.relatedTarget)) close(false);
  });
  return anchor;
}

/** A menu of [label, function, testid?] triples. */
export function menuButton(trigger, entries) {
  return popover(trigger, (close) => entries().map(([label, act, testid]) => el("button", { type: "button", class: "menu-item", role: "menuitem", testid,
    onclick: () => {
      close();
      act();
    } }, label)));
}
