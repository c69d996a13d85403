// What stands where a conversation would, when there is none to show.

import { button, el } from "./dom.js";

/** A heading, a sentence, and what one can do: [label, function] pairs, the main one first. */
export function statePanel(heading, sentence, actions, testid) {
  const buttons = actions.map(([label, act], index) => button(label, act, { class: index ? "" : "primary" }));
  return el("div", { class: "state", testid }, el("h3", {}, heading), el("p", {}, sentence), el("div", { class: "actions" }, buttons));
}

/** Grey shapes in the place of messages. CSS shows them after 300 ms: what comes sooner never flickers. */
export function skeleton() {
  const shape = () => el("div", { class: "skeleton", "aria-hidden": "true" }, el("i"), el("div", { class: "grow" }, el("i"), el("i")));
  return el("div", { "aria-busy": "true", testid: "skeleton" }, el("p", { class: "sr-only" }, "Loading messages"), [1, 2, 3, 4].map(shape));
}
