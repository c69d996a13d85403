// What people write, as nodes: links, code, line breaks (those by CSS). Everything else stays text.
// The text is read once from left to right, and what is made of it has a bound, whatever somebody writes.

import { el } from "./dom.js";

const MOST = 200; // links and pieces of code in one message; what comes after them stays text
const LONGEST_ADDRESS = 2048;
const LONGEST_STACK = 30; // marks on one letter: Unicode's own bound for text that streams (UAX 15), far above any language's
const BEGINNING = /`+|\bhttps?:\/\//gi;
const INLINE = /`([^`\n]+)`/y;
const FENCE = "```";
const LANGUAGE = /^[\w+-]*\n(?=[^])/;

// Letters of all scripts, and the signs of an English keyboard except quotes and angle brackets. At others, such as a
// Japanese full stop, a curly quote, an emoji or something invisible, the sentence goes on.
const ADDRESS = /https?:\/\/(?:[!#-;=?-_a-z{|}~]|(?![\p{P}\p{Z}\p{C}\p{So}])[^\0-\x7f]|[\p{Pd}\p{Pc}])+/iuy;
const OPENS = { ")": "(", "]": "[", "}": "{" };
const STACK = new RegExp(`(\\p{M}{${LONGEST_STACK}})\\p{M}+`, "gu");

/** The nodes of a message's text. */
export function richText(text) {
  const nodes = [];
  let end = 0;
  for (const { node, from, to } of pieces(text)) {
    nodes.push(calm(text.slice(end, from)), node);
    end = to;
    if (nodes.length >= 2 * MOST) break;
  }
  return [...nodes, calm(text.slice(end))];
}

/** As a text of the page: without towers of marks, over which a browser thinks for seconds. */
export function calm(text) {
  return text.replace(STACK, "$1");
}

function* pieces(text) {
  let fences = true; // as long as one may still be closed: looked for once, not from every place
  for (let at = 0; (at = next(BEGINNING, text, at)) >= 0; ) {
    const mark = BEGINNING.lastIndex - at;
    const isFence = text.startsWith(FENCE, at) && mark === FENCE.length;
    const piece = text[at] !== "`" ? addressAt(text, at) : isFence ? fences && blockAt(text, at) : mark === 1 && inlineAt(text, at);
    if (isFence && !piece) fences = false;
    if (piece?.node) yield { ...piece, from: at };
    at = piece ? piece.to : at + mark;
  }
}

function next(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.index ?? -1;
}

function inlineAt(text, at) {
  INLINE.lastIndex = at;
  const [whole, code] = INLINE.exec(text) ?? [];
  return whole && { node: el("code", {}, calm(code)), to: at + whole.length };
}

function blockAt(text, at) {
  const close = text.indexOf(FENCE, at + FENCE.length + 1);
  if (close < 0) return null;
  const code = text.slice(at + FENCE.length, close).replace(LANGUAGE, "").replace(/\n$/, "");
  const to = close + FENCE.length;
  return { node: code && el("pre", { tabindex: 0 }, el("code", {}, calm(code))), to: text[to] === "\n" ? to + 1 : to };
}

function addressAt(text, at) {
  ADDRESS.lastIndex = at;
  const [found] = ADDRESS.exec(text) ?? [];
  if (!found) return null;
  const address = withoutTail(found);
  const url = address.length <= LONGEST_ADDRESS && webAddress(address);
  const node = url && el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, calm(address));
  return { node, to: at + (url ? address.length : found.length) };
}

// "See https://example.org/a_(b)." The full stop ends the sentence; a bracket that the address opened belongs to it.
function withoutTail(address) {
  const open = { ")": 0, "]": 0, "}": 0 };
  for (const close in OPENS) open[close] = address.split(OPENS[close]).length - address.split(close).length;
  let end = address.length;
  for (; end; end--) {
    const last = address[end - 1];
    if (last in OPENS && open[last] < 0) open[last]++;
    else if (!".,;:!?'*_~".includes(last)) break;
  }
  return address.slice(0, end);
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
