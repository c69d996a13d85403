// What people write, as nodes: links, code, line breaks (those by CSS). Everything else stays text.

import { el } from "./dom.js";

// Fenced code, inline code, or an address; whichever begins first.
const PIECES = /```(?:[\w+-]*\n)?([\s\S]+?)\n?```\n?|`([^`\n]+)`|\bhttps?:\/\/[^\s<>"`]+/gi;

/** The nodes of a message's text. */
export function richText(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: whole, 1: block, 2: inline, index } of text.matchAll(PIECES)) {
    const shown = block || inline ? whole : withoutTail(whole);
    const node = block ? el("pre", { tabindex: 0 }, el("code", {}, block)) : inline ? el("code", {}, inline) : link(shown);
    nodes.push(text.slice(end, index), node);
    end = index + shown.length;
  }
  return [...nodes, text.slice(end)];
}

// "See https://example.org/a_(b)." The full stop ends the sentence; the bracket belongs to the address.
function withoutTail(address) {
  const trimmed = address.replace(/[.,;:!?'*\]}]+$/, "");
  return trimmed.endsWith(")") && !trimmed.includes("(") ? withoutTail(trimmed.slice(0, -1)) : trimmed;
}

function link(address) {
  const url = webAddress(address);
  return url ? el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, address) : address;
}

/** The address where it is http or https; else null. */
export function webAddress(address, base) {
  try {
    const url = new URL(address, base); // Safari below 17 has no URL.canParse
    return /^https?:$/.test(url.protocol) ? url : null;
  } catch {
    return null;
  }
}
