// The part of a found message that is worth showing, with the places that match.

import { plainText } from "./richtext.js";

const MOST = 240; // code points
const BEFORE = 60;

/**
 * The pieces of the text around its first match, as [text, whether it matches]. `highlights`: ranges of code points, in order, the
 * ends exclusive.
 */
export function piecesOf(text, highlights, most = MOST) {
  const points = Array.from(text);
  const first = highlights[0]?.[0] ?? 0;
  // At the beginning of a word, if there is one near.
  const near = points.length <= most ? 0 : Math.max(0, first - Math.min(BEFORE, Math.floor(most / 2)));
  const word = points.slice(near, first).indexOf(" ");
  const from = near && word >= 0 ? near + word + 1 : near;
  const to = Math.min(points.length, from + most);
  const pieces = [];
  const add = (start, end, matches) => start < end && pieces.push([points.slice(start, end).join(""), matches]);
  let at = from;
  for (const [start, end] of highlights) {
    if (start >= to) break;
    add(at, Math.min(start, to), false);
    add(Math.max(at, start), Math.min(end, to), true);
    at = Math.max(at, Math.min(end, to));
  }
  add(at, to, false);
  if (from > 0) pieces.unshift(["…", false]);
  if (to < points.length) pieces.push(["…", false]);
  return pieces;
}

// Characters that no text has: they stand around matches while the marks are taken out.
const [OPEN, CLOSE] = ["\ufdd0", "\ufdd1"];

/** The text without its marks, and its highlights: [text, ranges]. A match in what is taken out is none. */
export function unmarked(text, highlights) {
  const points = Array.from(text.replace(/[\ufdd0\ufdd1]/g, "\ufffd"));
  let at = 0;
  const parts = highlights.flatMap(([start, end]) => [points.slice(at, start).join(""), OPEN, points.slice(start, (at = end)).join(""), CLOSE]);
  const ranges = [];
  let plain = "";
  let from = null;
  for (const part of plainText(parts.join("") + points.slice(at).join("")).split(/([\ufdd0\ufdd1])/)) {
    const length = Array.from(plain).length;
    if (part === OPEN) from = length;
    else if (part !== CLOSE) plain += part;
    else if (from !== null && length > from) ranges.push([from, length]);
  }
  return [plain, ranges];
}
