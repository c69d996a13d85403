// What people write, as nodes: links, code, line breaks (those by CSS). Everything else stays text.

import { el } from "./dom.js";

// Fenced code, inline code, or an address; whichever begins first.
const PIECES = /```(?:[\w+-]*\n)?([\s\S]+?)\n?```\n?|`([^`\n]+)`|\bhttps?:\/\/[^\s<>"`]+/gi;

/** The nodes of a message's text. */
export function richText(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(PIECES)) {
    const [whole, block, inline] = match;
    const shown = block || inline ? whole : withoutTail(whole);
    const node = block ? el("pre", { tabindex: 0 }, el("code", {}, block)) : inline ? el("code", {}, inline) : link(shown);
    if (node === null) continue;
    nodes.push(text.slice(end, match.index), node);
    end = match.index + shown.length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== "");
}

// "See https://example.org/a_(b)." The full stop ends the sentence; the bracket belongs to the address.
function withoutTail(address) {
  let end = address.length;
  for (;;) {
    const last = address[end - 1];
    const unmatched = last === ")" && !address.slice(0, end).includes("(");
    if (!unmatched && !".,;:!?'*]}".includes(last)) return address.slice(0, end);
    end--;
  }
}

function link(address) {
  const url = webAddress(address);
  return url && el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, address);
}

/** The address where it is http or https; else null. */
export function webAddress(address, base) {
  try {
    const url = new URL(address, base);
    return url.protocol === "http:" || url.protocol === "https:" ? url : null;
  } catch {
    return null;
  }
}
