// What stands where a conversation would, when there is none to show.

import { button, el } from "./dom.js";

/** A heading, a sentence, and what one can do. `actions`: [label, function] pairs; the first is the main one. */
export function statePanel(heading, sentence, actions = [], testid = "state") {
  return el("div", { class: "state", testid },
    el("h3", {}, heading),
    el("p", {}, sentence),
    el("div", { class: "actions" }, actions.map(([label, act], index) => button(label, act, { class: index ? "" : "primary" }))));
}

/** Grey shapes in the place of messages; CSS shows them after 300 ms, and what comes sooner never flickers. */
export function skeleton() {
  const bars = [[30, 80], [22, 55], [35, 70], [26, 40]];
  return el("div", { "aria-busy": "true", testid: "skeleton" }, el("p", { class: "sr-only" }, "Loading messages"), bars.map((widths) => {
    const lines = widths.map((width) => {
      const bar = el("i", { class: "bar" });
      bar.style.width = `${width}%`;
      return bar;
    });
    const body = el("div", { class: "grow" }, lines);
    return el("div", { class: "skeleton", "aria-hidden": "true" }, el("i", { class: "face" }), body);
  }));
}
