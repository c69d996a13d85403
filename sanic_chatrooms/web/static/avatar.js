// How people and rooms are shown: initials on a colour derived from the id, and the name.

import { el } from "./dom.js";
import { hueOf, initials } from "./format.js";

/** `size`: "" or "small". Screen readers skip it, because the name is beside it. */
export function avatar(person, size = "") {
  const node = el("span", { class: `avatar ${size}`, "aria-hidden": "true" }, initials(person.name));
  node.style.setProperty("--hue", hueOf(person.id));
  return node;
}

/** The name in a line of a list. `mark` tells it apart from others of the same name. */
export function lineName(name, mark) {
  return [el("span.grow.cut", {}, el("bdi", {}, name)), mark && el("span.mark", { testid: "mark" }, mark)];
}
