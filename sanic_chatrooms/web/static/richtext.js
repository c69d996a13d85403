// Turns a message's text into nodes: links, code, line breaks (by CSS). Everything else stays text.
// It reads the text once from left to right, and the number of nodes is bounded for every text.

import { el } from "./dom.js";

const MOST = 200; // links and pieces of code in one message; the rest stays text
const LONGEST_ADDRESS = 2048;
const LONGEST_STACK = 30; // marks on one letter: the limit of Unicode's stream-safe text (UAX 15), far above any language
const BEGINNING = /`+|\bhttps?:\/\//gi;
const INLINE = /`([^`\n]+)`/y;
const FENCE = "```";
const LANGUAGE = /^[\w+-]*\n(?=[^])/;

// Letters of all scripts, and the signs of an English keyboard except quotes and angle brackets. Other characters, such as
// a Japanese full stop, a curly quote, an emoji or an invisible one, end the address.
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

/** The text without towers of combining marks, which block a browser for seconds. */
export function calm(text) {
  return text.replace(STACK, "$1");
}

function* pieces(text) {
  let fences = true; // false once no closing fence follows, so that it is searched for only once
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

// "See https://example.org/a_(b)." The full stop ends the sentence. A bracket that was opened in the address belongs to it.
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

/** The address if it is http or https, else null. */
export function webAddress(address, base) {
  try {
    const url = new URL(address, base); // Safari below 17 has no URL.canParse
    return /^https?:$/.test(url.protocol) ? url : null;
  } catch {
    return null;
  }
}
