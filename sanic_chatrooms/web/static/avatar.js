// Initials on a colour derived from the id.

import { el } from "./dom.js";
import { hueOf, initials } from "./format.js";

/** `size`: "" or "small". Screen readers skip it, because the name is beside it. */
export function avatar(person, size = "") {
  const node = el("span", { class: `avatar ${size}`, "aria-hidden": "true" }, initials(person.name));
  node.style.setProperty("--hue", hueOf(person.id));
  return node;
}
