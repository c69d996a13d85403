// The style sheet page: every component in every state, in light and in dark. In debug mode only; see style.py.

import { el, fill } from "../dom.js";
import { speak } from "../words.js";
import { SPECIMENS } from "./specimens.js";

// Dialogs lie in their places, without anything behind them that is out of reach.
HTMLDialogElement.prototype.showModal = function () {
  this.open = true;
};

// A menu stays open when the next one opens, and when it is moved to its place.
document.addEventListener("focusout", (event) => event.stopPropagation(), { capture: true });

// Only what is in one component is one choice.
function apart(node, at) {
  for (const radio of node.querySelectorAll("input[type=radio]")) radio.name += ` ${at}`;
  return node;
}

let made = 0;
await speak(document.documentElement.lang);
const page = document.getElementById("style");
fill(page, el("h1", {}, "Style"));
for (const [name, make] of Object.entries(SPECIMENS)) {
  const sheets = el("section.sheets", { testid: "component", "aria-label": name }, el("h2", {}, name));
  page.append(sheets);
  for (const scheme of ["light", "dark"]) {
    const cell = el("div", { class: `cell ${scheme}`, testid: scheme });
    sheets.append(cell);
    cell.append(...[await make()].flat(Infinity).map((node) => apart(node, ++made)));
  }
}
document.activeElement?.blur();
scrollTo(0, 0);
page.dataset.testid = "style";
