// A part of a dialog that has to be loaded.

import { button, el, fill } from "./dom.js";
import { mustBeOnline, sentence } from "./reasons.js";
import { words } from "./words.js";

const isLost = ({ code }) => code === "lost" || code === "timeout";

/** An element for what `draw(await load())` returns: a line meanwhile, and the reason with a way to try again if it cannot be loaded. */
export function part(chat, load, draw, props) {
  const box = el("div", props);
  const begin = async () => {
    fill(box, el("p.hint.waiting", { role: "status" }, words.details.loading));
    try {
      mustBeOnline(chat);
      fill(box, draw(await load()));
    } catch (error) {
      fill(box, el("p.problem", { role: "alert" }, isLost(error) ? words.reasons.offline : sentence(error)), button(words.tryAgain, begin, { testid: "details-again" }));
    }
  };
  begin();
  return box;
}
