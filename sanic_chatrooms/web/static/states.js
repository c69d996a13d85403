// Shown in the place of a conversation when there is none.

import { button, el } from "./dom.js";
import { words } from "./words.js";

/** A heading, a sentence, and actions: [label, function] pairs, the main one first; one without a function is not offered. `tag`: h2 where nothing stands above. */
export function statePanel(heading, sentence, actions, testid, tag = "h3") {
  const buttons = actions.map(([label, act], index) => act && button(label, act, { class: index ? "" : "primary" }));
  return el("div.state", { testid }, el(tag, {}, heading), el("p", {}, sentence), el("div.actions", {}, buttons));
}

/** Instead of everything, when the words could not be loaded. */
export function speechless(again) {
  return button("↻", again, { class: "primary" });
}

/** Grey shapes instead of messages. CSS shows them after 300 ms, so that fast answers do not flicker, and after a second what they mean. */
export function skeleton() {
  const shape = () => el("div.skeleton", { "aria-hidden": "true" }, el("i"), el("div.grow", {}, el("i"), el("i")));
  return el("div.to-come", { "aria-busy": "true", testid: "skeleton" }, [1, 2, 3, 4].map(shape), el("p.hint", {}, words.start.loading));
}
