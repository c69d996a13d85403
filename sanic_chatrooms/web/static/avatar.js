// Initials on a colour that is made from the id.

import { el } from "./dom.js";
import { hueOf, initials } from "./format.js";

/** `size`: "" or "small". It says nothing that the name beside it does not, so screen readers skip it. */
export function avatar(person, size = "") {
  const node = el("span", { class: `avatar ${size}`, "aria-hidden": "true" }, initials(person.name));
  node.style.setProperty("--hue", hueOf(person.id));
  return node;
}
