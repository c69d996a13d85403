// Turns a message's text into nodes: a small Markdown of code, quotes, lists, emphasis and links. Everything else stays text.
// It reads the text from left to right, at most once for each level of quotes, and the number of elements is bounded for every text.

import { el } from "./dom.js";

const MOST = 300; // elements in one message; the rest stays text
const DEEPEST = 3; // quotes in quotes, and lists in lists
const GROUP = 4096; // characters of a list or quote that are drawn as one; what follows looks like its continuation
const LONGEST_ADDRESS = 2048;
const LONGEST_STACK = 30; // marks on one letter: the limit of Unicode's stream-safe text (UAX 15), far above any language
const STACK = new RegExp(`(\\p{M}{${LONGEST_STACK}})\\p{M}+`, "gu");

const FENCE = "```";
const LANGUAGE = /^([\w.+#-]*)\n(?=[^])/;
const QUOTE = />(?: |(?=\n|$))/y;
const ITEM = /( {0,12})(?:[-*+]|(\d{1,4})[.)]) {1,4}(?=\S)/y;
const CONTINUED = / {2,12}(?=\S)/y;

const TOKEN = /\\[*_~`>-]|`+|\*+|_+|~+|\[|https?:\/\//gi;
const INLINE = /`([^`\n]+)`/y;
// Neither part has an opening bracket of its kind, so that many of them are not read again and again.
const LINK = /\[([^[\]\n]{1,500})\]\(((?:https?:\/\/|mailto:)(?:[^\s()[\]<>\ufdd0]|\([^\s()[\]<>\ufdd0]*\))+)\)/iy;
const TAGS = { "*": "em", _: "em", "**": "strong", "~~": "s" };
const RUNS = { "*": ["*"], _: ["_"], "**": ["**"], "~~": ["~~"], "***": ["**", "*"] };
// Marks inside of words are none, as in snake_case and x**2. These scripts have no spaces between words. The last two: see highlights.js.
const WORD = /^(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}])[\p{L}\p{N}\ufdd0\ufdd1]/u;
const BLOCKS = /^(?:[uo]l|li|pre|blockquote)$/;

// Letters of all scripts, and the signs of an English keyboard except quotes and angle brackets. Other characters, such as
// a Japanese full stop, a curly quote, an emoji or an invisible one, end the address.
const ADDRESS = /https?:\/\/(?:[!#-;=?-_a-z{|}~]|(?![\p{P}\p{Z}\p{C}\p{So}])[^\0-\x7f]|[\p{Pd}\p{Pc}])+/iuy;
const OPENS = { ")": "(", "]": "[", "}": "{" };

/** What a text is drawn with: `left`: how many more elements, `make`: as `el`, `said(words)`: the nodes of words that are no code. */
export function newPen(more) {
  return { left: MOST, make: el, said: calm, ...more };
}

/** The nodes of a message's text. */
export function richText(text, pen = newPen()) {
  return spoken(blocks(text, pen, 0), pen);
}

/** A line of text with its addresses as links, and otherwise as it is. */
export function withLinks(text) {
  const pen = newPen();
  const parts = calm(text).split(new RegExp(`(${ADDRESS.source})`, "iu"));
  return parts.map((part, at) => {
    const { node, to } = (at % 2 && addressAt(part, 0, pen)) || { to: 0 };
    return [node, part.slice(node ? to : 0)];
  });
}

/** What a text says, without its marks. */
export function plainText(text) {
  const make = (tag, _, nodes) => (BLOCKS.test(tag) ? `\n${nodes.join("")}\n` : nodes.join(""));
  return richText(text, newPen({ left: Infinity, make })).join("").replace(/\n{2,}/g, "\n").trim();
}

/** The text without towers of combining marks, which block a browser for seconds. */
export function calm(text) {
  return text.replace(STACK, "$1");
}

function draw(pen, tag, props, nodes) {
  pen.left--;
  return pen.make(tag, props, spoken(nodes, pen));
}

function spoken(nodes, pen) {
  return nodes.flatMap((node) => (typeof node === "string" ? pen.said(node) : [node]));
}

function add(nodes, more) {
  for (const one of more) {
    if (typeof one === "string" && typeof nodes.at(-1) === "string") nodes[nodes.length - 1] += one;
    else if (one !== "") nodes.push(one);
  }
}

function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

// ---- blocks ----

const DRAW = { line: (piece, pen) => inline(piece, pen), code: codeBlock, quote, list };

function blocks(text, pen, depth) {
  const nodes = [];
  for (const { kind, from, to } of blocksOf(text, { flat: depth >= DEEPEST })) {
    const piece = text.slice(from, to);
    add(nodes, pen.left > 0 ? DRAW[kind](piece, pen, depth) : [piece]);
  }
  return nodes;
}

/**
 * The parts of a text, in order: {kind: "line" | "code" | "quote" | "list" | "open", from, to}. "open": the rest, from a fence that has
 * no end, if the text is `growing`. `flat`: quotes are lines.
 */
export function* blocksOf(text, { flat = false, growing = false } = {}) {
  let fence = -1; // the next one, or Infinity
  let end = 0; // of the line
  for (let at = 0; at < text.length; ) {
    if (fence < at) fence = fenceFrom(text, at);
    if (end <= at) end = endOfLine(text, at);
    const isQuote = !flat && matchAt(QUOTE, text, at);
    if (isQuote || (fence >= end && matchAt(ITEM, text, at))) {
      const to = isQuote ? groupFrom(text, at, [QUOTE]) : groupFrom(text, at, [ITEM, CONTINUED], fence);
      yield { kind: isQuote ? "quote" : "list", from: at, to };
      at = to;
    } else if (fence >= end) {
      yield { kind: "line", from: at, to: end };
      at = end;
    } else {
      const close = text.indexOf(FENCE, fence + FENCE.length + 1);
      const from = CODE_ALONE.test(text.slice(at, fence)) ? at : fence;
      if (close < 0 && !growing) fence = Infinity; // no other one has an end, either
      else {
        if (from > at) yield { kind: "line", from: at, to: from };
        if (close < 0) return yield { kind: "open", from, to: text.length };
        at = close + FENCE.length;
        if (text[at] === "\n") at++;
        yield { kind: "code", from, to: at };
      }
    }
  }
}

const CODE_ALONE = /^ {0,12}$/; // what may stand before a fence and belong to it

function fenceFrom(text, at) {
  const fences = /`{3,}/g;
  fences.lastIndex = at;
  for (let found; (found = fences.exec(text)); ) if (found[0].length === FENCE.length) return found.index;
  return Infinity;
}

function endOfLine(text, at) {
  return text.indexOf("\n", at) + 1 || text.length;
}

function groupFrom(text, at, patterns, before = Infinity) {
  let to = at;
  do to = endOfLine(text, to);
  while (to - at < GROUP && patterns.some((one) => matchAt(one, text, to)) && endOfLine(text, to) <= before);
  return to;
}

function codeBlock(piece, pen) {
  const indent = piece.indexOf(FENCE);
  const inner = piece.slice(indent + FENCE.length, piece.lastIndexOf(FENCE));
  const [head, language] = LANGUAGE.exec(inner) ?? ["", ""];
  const code = inner.slice(head.length).replace(/\n *$/, "").replace(new RegExp(`^ {0,${indent}}`, "gm"), "");
  if (!code) return [piece];
  pen.left--;
  return [draw(pen, "pre", { tabindex: 0, "data-language": language || null }, [pen.make("code", {}, [calm(code)])])];
}

function quote(piece, pen, depth) {
  const inner = piece.replace(/^>(?: |$)/gm, "").replace(/\n$/, "");
  return [draw(pen, "blockquote", {}, blocks(inner, pen, depth + 1))];
}

function list(piece, pen) {
  const lines = piece.replace(/\n$/, "").split("\n");
  if (lines.length > pen.left) return [piece];
  const path = [{ indent: -2, lists: [] }];
  for (const line of lines) {
    const [head, space, number] = matchAt(ITEM, line, 0) ?? [];
    if (head) path.push(itemAt(path, space.length, number, inline(line.slice(head.length), pen)));
    else add(path.at(-1).nodes, ["\n", ...inline(line.trim(), pen)]);
  }
  return path[0].lists.map((one) => drawList(one, pen));
}

// An item belongs to the last one that begins at least two places before it.
function itemAt(path, indent, number, nodes) {
  while (path.length > 1 && (path.length > DEEPEST || indent < path.at(-1).indent + 2)) path.pop();
  const { lists } = path.at(-1);
  const ordered = number !== undefined;
  if (lists.at(-1)?.ordered !== ordered) lists.push({ ordered, items: [] });
  const item = { indent, number, nodes, lists: [] };
  lists.at(-1).items.push(item);
  return item;
}

// Equal numbers mean that the list counts by itself.
function drawList({ ordered, items }, pen) {
  const drawn = items.map(({ number, nodes, lists }, at) => {
    const value = ordered && number !== items[at - 1]?.number && Number(number);
    return draw(pen, "li", { value: value === false ? null : `${value}` }, [...nodes, ...lists.map((one) => drawList(one, pen))]);
  });
  return draw(pen, ordered ? "ol" : "ul", {}, drawn);
}

// ---- lines ----

/** The nodes of a line. `links`: whether it may have any. */
function inline(text, pen, links = true) {
  const frames = [{ nodes: [] }]; // marks that are open, the outermost first; at most one of each kind
  let end = 0; // what is before is drawn
  const say = (to, next) => {
    add(frames.at(-1).nodes, [text.slice(end, to)]);
    end = next;
  };
  for (let at = 0, found; pen.left > 0 && (found = matchAt(TOKEN, text, at)); ) {
    const { 0: token, index: from } = found;
    at = from + token.length;
    if (token[0] === "\\") {
      if (text[from - 1] !== "¯") say(from, from + 1); // the shrug keeps its arm
    } else if (Object.hasOwn(RUNS, token)) {
      say(from, at);
      mark(frames, RUNS[token], text[from - 1] ?? " ", text[at] ?? " ", pen);
    } else {
      const { node, to = at } = pieceAt(token, text, from, pen, links) || {};
      at = to;
      if (!node) continue;
      say(from, to);
      add(frames.at(-1).nodes, [node]);
    }
  }
  say(text.length);
  while (frames.length > 1) flatten(frames, frames.length - 1);
  return frames[0].nodes;
}

function pieceAt(token, text, from, pen, links) {
  if (token === "`") return codeAt(text, from, pen);
  if (token === "[") return links && linkAt(text, from, pen);
  return links && token.endsWith("/") && !/[a-z0-9]/i.test(text[from - 1] ?? "") && addressAt(text, from, pen);
}

// A run of marks closes what it can, or opens, or is text.
function mark(frames, marks, before, after, pen) {
  const rest = /\s/.test(before) || WORD.test(after) ? marks : close(frames, marks, pen);
  const opens = rest === marks && !/\s/.test(after) && !WORD.test(before);
  if (!opens) return add(frames.at(-1).nodes, rest);
  for (const one of marks) {
    const same = frames.findIndex((frame) => frame.mark === one);
    if (same > 0) flatten(frames, same);
    frames.push({ mark: one, nodes: [] });
  }
}

function close(frames, marks, pen) {
  let rest = marks;
  for (let at = frames.length - 1; at > 0 && rest.length; at--) {
    const { mark: open, nodes } = frames[at];
    if (!rest.includes(open)) continue;
    while (frames.length > at + 1) flatten(frames, frames.length - 1);
    frames.pop();
    add(frames.at(-1).nodes, [draw(pen, TAGS[open], {}, nodes)]);
    rest = rest.filter((one) => one !== open);
  }
  return rest;
}

// It was no mark: what follows it belongs to what is around it.
function flatten(frames, at) {
  const [{ mark: open, nodes }] = frames.splice(at, 1);
  add(frames[at - 1].nodes, [open, ...nodes]);
}

function codeAt(text, at, pen) {
  const [whole, code] = matchAt(INLINE, text, at) ?? [];
  if (!whole) return null;
  pen.left--;
  return { node: pen.make("code", {}, [calm(code)]), to: at + whole.length };
}

function linkAt(text, at, pen) {
  const [whole, label, address] = matchAt(LINK, text, at) ?? [];
  const url = whole && address.length <= LONGEST_ADDRESS && linkable(address);
  if (!url) return null;
  return { node: draw(pen, "a", { ...LINKED, href: url.href, title: url.href, "data-host": disguised(label, url) ? url.host : null }, inline(label, pen, false)), to: at + whole.length };
}

const LINKED = { target: "_blank", rel: "noopener noreferrer nofollow" };

// Words that look like another address: where the link leads is shown.
function disguised(label, { host }) {
  return /\S[.\u2024\u3002\uff0e]\S/.test(label) && !label.replace(/^https?:\/\//i, "").startsWith(host);
}

function addressAt(text, at, pen) {
  const [found] = matchAt(ADDRESS, text, at) ?? [];
  if (!found) return null;
  const address = withoutTail(found);
  const url = address.length <= LONGEST_ADDRESS && webAddress(address);
  const node = url && draw(pen, "a", { ...LINKED, href: url.href }, [address]);
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

function linkable(address) {
  return /^mailto:[^\s@]+@[^\s@]+$/i.test(address) ? new URL(address) : webAddress(address);
}
