// The keys that work everywhere on the page.

import { chosen, composing } from "./dom.js";

/** `acts`: `next(step)`: go to the next room with something new, or with -1 to the one before; returns whether there is one; `onSwitch()`, `onSearch()`, `onHelp()`. */
export function listenToKeys({ next, onSwitch, onSearch, onHelp }) {
  document.addEventListener("keydown", (event) => {
    if (composing(event)) return;
    const step = event.altKey && { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const command = (event.ctrlKey || event.metaKey) && `${event.shiftKey ? "shift " : ""}${event.key.toLowerCase()}`;
    const asks = event.key === "?" && !command && !event.target.matches("input, textarea") && chosen("chatKeys") !== "off";
    const act = asks ? onHelp : { k: onSwitch, "shift f": onSearch, "/": onHelp, "shift /": onHelp }[command];
    if (!(step && next(step)) && !act) return;
    event.preventDefault();
    if (act && !document.querySelector("dialog[open]")) act();
  });
}
